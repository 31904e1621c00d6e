# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authority says of the way of its CRL, link by link."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_freshness import (
    IssuerFreshness,
    Links,
    judge_freshness,
    unknown_freshness,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_state import KeeperState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
END = NOW + 20 * DAY
PATH = "/var/lib/privatespace/public/crl.pem"
ISSUER = IssuerFreshness("ca", "CN=Example CA", 7, END, 3, 0, 7, END)
FIRST_END = {"issuer": "CN=Example CA", "next_update": END.isoformat()}
LINKS = Links(PATH, FIRST_END, 6, {"privatespace-crl.timer": "active", "privatespace-publish.service": "active"})
STATE = KeeperState(checked_at=(NOW - DAY / 8).timestamp())


def judge(
    issuer: dict[str, Any] | None = None, links: dict[str, Any] | None = None, state: KeeperState = STATE
) -> list[str]:
    return judge_freshness(
        [replace(ISSUER, **(issuer or {}))], replace(LINKS, **(links or {})), state, now=NOW, warning_days=10
    )


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no CRL": ({"issuer": {"number": None}}, "'ca' has signed no CRL yet"),
    "owed": ({"issuer": {"unpublished": 2}}, "Revocations of 'ca' that no CRL lists yet: 2"),
    "file gone": ({"issuer": {"published_number": None}}, f"{PATH} holds no CRL of 'ca' that verifies"),
    "file is old": ({"issuer": {"published_number": 6}}, "holds the CRL 6 of 'ca', and 7 was signed"),
    "expires": ({"links": {"first_end": {**FIRST_END, "next_update": (NOW + 2 * DAY).isoformat()}}}, "in 2 days"),
    "timer stopped": ({"links": {"units": {"privatespace-crl.timer": "inactive"}}}, "privatespace-crl.timer is inact"),
    "no unit": (
        {"links": {"units": {"privatespace-publish.service": ""}}},
        "privatespace-publish.service is not there",
    ),
    "server": ({"links": {"server_problem": "It says 404."}}, "It says 404."),
    "run failed": ({"state": replace(STATE, problem="The token is away.")}, "The token is away."),
    "never ran": ({"state": KeeperState()}, "has not had the CRL looked after yet"),
    "late": ({"state": KeeperState(checked_at=(NOW - DAY).timestamp())}, "last had the CRL looked after 24 h ago"),
}


def test_nothing_is_wrong() -> None:
    assert judge() == []


@pytest.mark.parametrize(("altered", "words"), CASES.values(), ids=CASES.keys())
def test_one_thing_is_wrong(altered: dict[str, Any], words: str) -> None:
    (told,) = judge(**altered)
    assert words in told


def test_without_a_timer_nobody_waits_for_it() -> None:
    assert judge(links={"timer_hours": 0}, state=KeeperState(problem="of long ago")) == []


def test_a_sentence_is_said_once() -> None:
    soon = {**FIRST_END, "next_update": (NOW + 2 * DAY).isoformat()}
    first = judge(links={"first_end": soon})
    assert judge(links={"first_end": soon}, state=replace(STATE, problem=first[0])) == first


def test_plain_types() -> None:
    told = ISSUER.as_dict(now=NOW)
    assert (told["number"], told["next_update"], told["days_left"]) == (7, END.isoformat(), 20.0)
    assert told["published"] == {"number": 7, "next_update": END.isoformat(), "days_left": 20.0}
    bare = replace(ISSUER, published_number=None, published_next_update=None).as_dict(now=NOW)
    assert bare["published"] == {"number": None, "next_update": None, "days_left": None}


def test_what_is_not_known_has_the_same_form() -> None:
    told = unknown_freshness("No such file.")
    assert told["problems"] == [told["problem"]]
    assert told["problem"].endswith("not known: No such file.")
