"""Errors as an administrator reads them."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    BusyError,
    CollectionError,
    DeadlineError,
    InputError,
    StateError,
)


def test_an_error_names_the_cause_and_then_the_remedy() -> None:
    assert str(CollectionError("The token is missing.", remedy="Plug it in.")) == "The token is missing. Plug it in."


def test_an_error_without_a_remedy_is_the_cause_alone() -> None:
    assert str(CollectionError("The token is missing.")) == "The token is missing."


@pytest.mark.parametrize("kind", [BusyError, DeadlineError, InputError, StateError])
def test_every_kind_of_error_has_the_one_root(kind: type[CollectionError]) -> None:
    with pytest.raises(CollectionError) as caught:
        raise kind("What happened.", remedy="What to do.")
    assert (caught.value.message, caught.value.remedy) == ("What happened.", "What to do.")
