"""A token that does not answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm import errors
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.deadline import (
    MAKING_A_KEY,
    Deadline,
    call_to_token,
    watched,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings

WAIT_SECONDS = 10


class GivingUp:
    """Notes the message where a module would end its process."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.called = threading.Event()

    def __call__(self, message: str) -> None:
        self.messages.append(message)
        self.called.set()


def test_a_call_that_does_not_return_ends_the_run() -> None:
    giving_up = GivingUp()
    with watched(Deadline(0.05, giving_up)), errors.token_errors("signing"):
        assert giving_up.called.wait(WAIT_SECONDS)
    assert len(giving_up.messages) == 1
    assert giving_up.messages[0].startswith("The token did not answer while signing, and this run was ended.")
    assert "hsm_timeout (now 0.05 s)" in giving_up.messages[0]


def test_what_is_not_a_call_may_take_as_long_as_it_likes() -> None:
    """Between two calls a batch writes to the store; a key takes longer than a signature."""
    giving_up = GivingUp()
    with watched(Deadline(0.05, giving_up)):
        with call_to_token("signing"):
            pass
        assert not giving_up.called.wait(0.3)
        with call_to_token("making a key", patience=100):
            assert not giving_up.called.wait(0.3)
    assert giving_up.messages == []


def test_nothing_is_watched_afterwards() -> None:
    threads = threading.active_count()
    with watched(Deadline(0.05, GivingUp())):
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads


@pytest.mark.parametrize(("seconds", "give_up"), [(0.0, GivingUp()), (5.0, None)])
def test_a_limit_of_nought_and_a_run_that_cannot_be_ended_wait_for_ever(seconds: float, give_up: Any) -> None:
    threads = threading.active_count()
    with watched(TokenSettings("/lib.so", "hsm", timeout_seconds=seconds, give_up=give_up).deadline):
        assert threading.active_count() == threads


def test_a_key_gets_more_time_than_a_signature() -> None:
    assert MAKING_A_KEY > 1
