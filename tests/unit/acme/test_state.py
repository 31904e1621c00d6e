# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the CA is asked again, who may sign, where names lead, and what people are told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.filter.acme_report import acme_report
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.caa import CaaRecord, judge_caa
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.questions import parse_caa
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.state import (
    State,
    is_clock_ahead,
    is_due,
    is_paused,
    judge_addresses,
    next_attempt,
    parse_state,
    pause_after,
    show,
)

NAME, OURS = "ely.example.net", "letsencrypt.org"
NOW = 1_790_000_000.0
END = "good until 2026-09-22 14:13 UTC"
HELD = State(names=(NAME,), issuer="E7", fingerprint="ab", not_after=NOW + 86400, checked_at=NOW, mark="m", ca_mark="c")


def records(*texts: str) -> list[CaaRecord]:
    return [parse_caa(text) for text in texts]


def judged(*texts: str, name: str = NAME, identity: str = OURS) -> tuple[str, str]:
    verdict = judge_caa(
        name, records(*texts), owner="example.net", identity=identity, challenge="http-01", zone="example.net"
    )
    return verdict.refused, verdict.hint


@pytest.mark.parametrize(
    "texts",
    [
        ('0 issue "letsencrypt.org"',),
        ('0 issue "LetsEncrypt.org; validationmethods=dns-01,http-01"',),
        ('0 issue "other.example"', '0 issue "letsencrypt.org"'),
        # Who only says where to complain forbids nothing.
        ('0 iodef "mailto:it@example.net"',),
        ('0 issuewild ";"',),
    ],
)
def test_a_ca_that_is_named_may_sign(texts: tuple[str, ...]) -> None:
    assert judged(*texts) == ("", "")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (('0 issue "other.example"',), 'allows other.example. Add: example.net. CAA 0 issue "letsencrypt.org"'),
        (('0 issue ";"',), "allows nobody"),
        (('0 issue "letsencrypt.org; validationmethods=dns-01"',), "does not allow validation by http-01"),
        (('0 issue "letsencrypt.org"', '128 tbs "x"'), "critical tag 'tbs'"),
    ],
)
def test_a_ca_that_is_not_named_is_not_asked(texts: tuple[str, ...], words: str) -> None:
    assert words in judged(*texts)[0]


def test_wildcards_have_rules_of_their_own() -> None:
    assert judged('0 issue "letsencrypt.org"', '0 issuewild "other.example"', name="*.example.net")[0]
    assert not judged('0 issue "letsencrypt.org"', '0 issuewild "other.example"')[0]
    assert not judged('0 issue "letsencrypt.org"', name="*.example.net")[0]


def test_where_there_is_no_record_the_one_to_add_is_told() -> None:
    assert judged() == (
        "",
        f'{NAME} has no CAA record, so any CA may sign for it. Add: example.net. CAA 0 issue "{OURS}"',
    )
    assert judged(identity="") == ("", f"{NAME} has no CAA record, so any CA may sign for it.")
    assert "acme_caa_identity" in judged('0 issue "other.example"', identity="")[1]


@pytest.mark.parametrize(
    ("found", "own", "words"),
    [
        (["192.0.2.1"], ["192.0.2.1", "2001:db8::1"], ""),
        (["192.0.2.1", "192.0.2.9"], ["192.0.2.1"], "leads to 192.0.2.9 (ns1 says so); this gateway has 192.0.2.1"),
        # A family of which the gateway's own addresses are not known is not compared.
        (["192.0.2.1", "2001:db8::1"], ["192.0.2.1"], ""),
        (["2001:db8::9"], ["192.0.2.1", "2001:db8::1"], "leads to 2001:db8::9"),
        ([], ["192.0.2.1"], "has no address (ns1 says so)"),
        (["192.0.2.9"], [], ""),
    ],
)
def test_every_address_of_a_name_has_to_be_the_gateways(found: list[str], own: list[str], words: str) -> None:
    told = judge_addresses(NAME, found, own, server="ns1")
    assert words in told
    assert bool(told) is bool(words)


@pytest.mark.parametrize(("asked", "first", "longest"), [(False, 60, 3600), (True, 1200, 21600)])
def test_pauses_grow_up_to_a_bound_and_are_not_the_same_for_all(asked: bool, first: float, longest: float) -> None:
    assert pause_after(1, chance=0, asked=asked) == first / 2
    assert pause_after(1, chance=1, asked=asked) == first
    assert pause_after(2, chance=1, asked=asked) == 2 * first
    assert pause_after(50, chance=1, asked=asked) == longest


def test_five_attempts_in_the_first_hour_are_never_used_up() -> None:
    """Let's Encrypt refuses a name for an hour after five that failed."""
    moment, attempts = 0.0, 0
    while moment < 3600:
        attempts += 1
        moment += pause_after(attempts, chance=0, asked=True)
    assert attempts < 5


def test_the_ca_has_the_last_word() -> None:
    assert next_attempt(1, now=NOW, chance=0, asked=True, retry_after=NOW + 7200) == (NOW + 7200, True)
    # One that says less than we would wait by ourselves does not hurry us.
    assert next_attempt(1, now=NOW, chance=0, asked=True, retry_after=NOW + 5) == (NOW + 600, False)
    assert next_attempt(1, now=NOW, chance=0, asked=False, retry_after=None) == (NOW + 30, False)


@pytest.mark.parametrize(
    ("changes", "asked_for", "paused"),
    [
        ({"failures": 1, "retry_at": NOW + 9}, False, True),
        ({"failures": 1, "retry_at": NOW + 9}, True, False),
        ({"failures": 1, "retry_at": NOW + 9, "ca_said": True}, True, True),
        ({"failures": 1, "retry_at": NOW + 9, "ca_said": True, "mark": "other"}, False, True),
        ({"failures": 1, "retry_at": NOW + 9, "ca_said": True, "ca_mark": "other"}, False, False),
        ({"failures": 1, "retry_at": NOW + 9, "mark": "other"}, False, False),
        ({"failures": 1, "retry_at": NOW - 1}, False, False),
        # A clock that was wrong is not waited for.
        ({"failures": 1, "retry_at": NOW + 99 * 86400}, False, False),
        ({}, False, False),
    ],
)
def test_it_is_too_early_or_not(changes: dict[str, Any], asked_for: bool, paused: bool) -> None:
    assert is_paused(replace(HELD, **changes), mark="m", ca_mark="c", now=NOW, asked_for=asked_for) is paused


@pytest.mark.parametrize(("life", "left", "due"), [(90, 31, False), (90, 29, True), (6, 3.1, False), (6, 2.9, True)])
def test_a_certificate_is_due_when_certbot_says_so(life: float, left: float, due: bool) -> None:
    end = NOW + left * 86400
    assert is_due(end - life * 86400, end, now=NOW) is due


def test_a_new_certificate_that_seems_old_shows_a_wrong_clock() -> None:
    assert is_clock_ahead(NOW - 3 * 86400, now=NOW)
    assert not is_clock_ahead(NOW - 3600, now=NOW)


def test_a_state_survives_its_file_and_a_damaged_one_is_none() -> None:
    state = replace(HELD, notes=("x",), failures=2, retry_at=NOW, ca_said=True)
    assert parse_state(json.loads(json.dumps(state.as_dict()))) == state
    cases: tuple[Any, ...] = (None, [], {"failures": "many"}, {"names": 5}, {"retry_at": "soon"})
    for damaged in cases:
        assert parse_state(damaged) == State()
    assert parse_state({"from_the_future": 1}) == State()


def test_what_is_shown_holds_no_marks() -> None:
    shown = show(HELD, now=NOW)
    assert shown["days_left"] == 1
    assert not {"mark", "contact", "loaded"} & set(shown)
    assert show(State(), now=NOW)["days_left"] is None


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, [f"{NAME}: certificate of E7, {END}"]),
        ({"staging": True}, [f"{NAME}: test certificate, which no browser trusts, of E7, {END}"]),
        (
            {"fingerprint": "", "problem": "No.", "retry_at": NOW + 3600, "ca_said": True, "notes": ("Hint.",)},
            [
                "There is no certificate yet, and nothing is served over HTTPS.", "No.",
                "The gateway tries again at 2026-09-21 15:13 UTC, as the CA said; now: privatespace-acme --now",
                "Hint.",
            ],
        ),
    ],
)  # fmt: skip
def test_people_are_told_what_became_of_it(changes: dict[str, Any], lines: list[str]) -> None:
    assert acme_report(show(replace(HELD, **changes), now=NOW)) == lines
