# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told of a run that did not get to its end, and how often."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_alarm import (
    broken_off,
    failed,
    is_alarm_due,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import State

DAY = 86400
NOW = 1_790_000_000.0
WELL = State(checked_at=NOW - 60, number=7, etag='"a"')


def test_a_run_that_breaks_off_keeps_what_was_found_before() -> None:
    state = broken_off(WELL, "no openssl", now=NOW)
    assert state == replace(WELL, checked_at=NOW, problem="no openssl", problem_since=NOW)
    later = broken_off(replace(state, warned=NOW), "no openssl", now=NOW + 60)
    assert (later.problem_since, later.warned, later.checked_at) == (NOW, NOW, NOW + 60)


def test_a_failure_is_told_as_it_begins_and_once_a_day() -> None:
    first = failed(broken_off(WELL, "no openssl", now=NOW), "exit-code", now=NOW)
    assert (first.problem, first.warned) == ("no openssl", NOW)
    again = broken_off(first, "no openssl", now=NOW + 60)
    assert failed(again, "exit-code", now=NOW + 60) == again
    assert failed(again, "exit-code", now=NOW + DAY).warned == NOW + DAY


def test_a_run_that_was_killed_left_nothing_and_is_told_all_the_same() -> None:
    state = failed(WELL, "timeout", now=NOW)
    assert "(timeout)" in state.problem
    assert (state.problem_since, state.warned, state.number) == (NOW, NOW, 7)
    assert failed(state, "timeout", now=NOW + 60) == state


def test_a_clock_that_was_ahead_silences_nothing() -> None:
    assert is_alarm_due(NOW + 10**6, now=NOW)
    assert is_alarm_due(0, now=NOW)
    assert not is_alarm_due(NOW, now=NOW)
