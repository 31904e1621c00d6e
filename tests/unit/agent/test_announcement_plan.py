# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway announces: nothing goes away because a source failed, and nobody is asked again at once."""

from __future__ import annotations

import json

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_plan import (
    LONGEST_PAUSE_SECONDS,
    PATIENCE_SECONDS,
    State,
    intend,
    is_paused,
    parse_state,
    pause_after,
    with_kept,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import Found, by_hand

NAME, V4, V6 = "ely.example.net", "8.8.4.4", "2001:4860:4860::8844"
FOUND4 = Found({4: (V4,)}, {4: "interface"})


def test_where_nothing_was_found_nothing_is_done() -> None:
    assert intend(Found({}, {}), State(NAME, (V4,)), now=0) is None


def test_a_family_stays_while_the_source_that_knew_it_fails() -> None:
    found = Found({4: (V4,)}, {4: "interface"}, failed=frozenset({("echo", 6)}))
    last = State(NAME, (V4, V6), {"4": "interface", "6": "echo"}, none_since={"6": 1.0})
    intent = intend(found, last, now=1e9)
    assert intent is not None
    assert with_kept(intent, (V4, V6)) == (V4, V6)
    assert intent.none_since == {}
    assert intent.source == {"4": "interface", "6": "echo"}


def test_a_family_goes_when_the_source_that_knew_it_has_had_none_for_a_while() -> None:
    found = Found({4: (V4,)}, {4: "interface"}, failed=frozenset({("metadata", 6)}))
    last = State(NAME, (V4, V6), {"6": "interface"})
    first = intend(found, last, now=1000)
    assert first is not None
    assert (first.none_since, with_kept(first, (V4, V6))) == ({"6": 1000}, (V4, V6))
    later = intend(found, State(NAME, (V4, V6), first.source, none_since=first.none_since), now=1000 + PATIENCE_SECONDS)
    assert later is not None
    assert (with_kept(later, (V4, V6)), later.source) == ((V4,), {"4": "interface"})


def test_after_a_start_any_failure_keeps_a_family() -> None:
    found = Found({4: (V4,)}, {4: "interface"}, failed=frozenset({("metadata", 6)}))
    intent = intend(found, State(NAME), now=1e9)
    assert intent is not None
    assert intent.kept == {6}


def test_a_source_that_is_not_there_keeps_nothing_unless_it_was_the_one_that_knew() -> None:
    found = Found({4: (V4,)}, {4: "interface"}, failed=frozenset({("metadata", 4), ("metadata", 6)}))
    after_a_start = intend(found, State(NAME), now=1000)
    assert after_a_start is not None
    assert after_a_start.none_since == {"6": 1000}
    later = intend(found, State(NAME, none_since=after_a_start.none_since), now=1000 + PATIENCE_SECONDS)
    assert later is not None
    assert with_kept(later, (V4, V6)) == (V4,)
    knew = intend(found, State(NAME, (V4, V6), {"6": "metadata"}), now=1e9)
    assert knew is not None
    assert knew.kept == {6}


def test_a_clock_that_jumps_back_makes_nobody_wait_longer() -> None:
    intent = intend(FOUND4, State(NAME, (V4,), {"6": "interface"}, none_since={"6": 1e9}), now=1000)
    assert intent is not None
    assert intent.none_since == {"6": 1000}
    assert not is_paused(State(NAME, failures=1, retry_at=1e9, wanted=(V4,)), (V4,), now=1000)


def test_addresses_by_hand_are_all_there_is() -> None:
    intent = intend(by_hand([V4]), State(NAME, (V4, V6), {"6": "interface"}), now=0)
    assert intent is not None
    assert with_kept(intent, (V4, V6)) == (V4,)


def test_the_same_is_not_attempted_again_at_once_and_another_address_is() -> None:
    last = State(NAME, failures=3, retry_at=100, wanted=(V4,))
    assert is_paused(last, (V4,), now=99)
    assert not is_paused(last, (V4,), now=100)
    assert not is_paused(last, ("8.8.8.8",), now=99)
    assert not is_paused(State(NAME, wanted=(V4,), retry_at=100), (V4,), now=99)


def test_pauses_grow_and_end() -> None:
    pauses = [pause_after(failures, chance=1.0) for failures in range(1, 100)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (30, LONGEST_PAUSE_SECONDS)
    assert pause_after(1, chance=0.0) == 15


def test_a_state_survives_being_written() -> None:
    state = State(
        NAME, (V4, V6), {"4": "echo"}, 1.0, 2.0, "words", ("a", "b"), (V4,), 3, 4.0, {"6": 5.0}, 6.0, (("::1", 53),)
    )  # fmt: skip
    assert parse_state(json.loads(json.dumps(state.as_dict())), name=NAME) == state


@pytest.mark.parametrize(
    "raw",
    [None, [], {}, {"name": "bath.example.net", "failures": 3}, {"name": NAME, "addresses": 3},
     {"name": NAME, "servers": ["x"]}, {"name": NAME, "none_since": 3}],
)  # fmt: skip
def test_a_state_that_is_none_is_forgotten(raw: object) -> None:
    assert parse_state(raw, name=NAME) == State(NAME)
