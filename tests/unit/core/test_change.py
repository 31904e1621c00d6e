"""A change is needed when it has steps, and cannot be altered after it was decided."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change


def test_a_change_with_steps_is_needed() -> None:
    assert Change(before={}, after={"a": 1}, steps=("make a",)).needed


def test_a_change_without_steps_is_not_needed() -> None:
    assert not Change(before={"a": 1}, after={"a": 1}).needed


def test_a_change_is_a_value() -> None:
    change: Change[str] = Change(before={}, after={})
    with pytest.raises(dataclasses.FrozenInstanceError):
        change.steps = ("something else",)  # type: ignore[misc]


def test_changes_do_not_share_their_results() -> None:
    assert Change(before={}, after={}).result is not Change(before={}, after={}).result
