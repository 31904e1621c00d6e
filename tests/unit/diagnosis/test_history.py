"""Which earlier reports are compared with, and which differences are told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from unit.diagnosis.made_up import NOW, make_observations

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.history import (
    Earlier,
    compare,
    points_of,
    read_report,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_numbers import Rate, quantile

DAY = 86400.0
GATEWAY = "cambridge2"


def rate(*mbit: float, **changes: Any) -> Rate:
    """TCP down without VPN in rounds of these rates."""
    rates = tuple(each * 1e6 for each in mbit)
    usual = Rate(
        *("alice", "outside", "tcp", "down", 5201, quantile(rates, 0.5), quantile(rates, 0.25), quantile(rates, 0.75)),
        rates=rates,
        ceiling=200e6,
    )
    return replace(usual, **changes)


def earlier(days: float, *rates: Rate) -> Earlier:
    return Earlier(NOW - days * DAY, ((GATEWAY, rates),))


FAST, SLOW = rate(90, 94, 95, 96, 99), rate(50, 54, 55, 57, 60)


def told(now: Rate, *history: Earlier) -> list[str]:
    return [one.text for one in compare([now], GATEWAY, history, NOW) if one.told]


def test_a_clear_loss_is_told_beside_the_last_report() -> None:
    assert told(SLOW, earlier(2, FAST)) == [
        "TCP without VPN, download, is 42 % below the last report (21 November 2026): 55 Mbit/s now, 95 Mbit/s before."
    ]


def test_the_month_before_is_preferred() -> None:
    history = [earlier(days, FAST) for days in (60, 40, 30, 15, 2)]
    [text] = told(SLOW, *history)
    assert "is 42 % below the month before (3 reports, 14 October 2026 to 8 November 2026): 55 Mbit/s now" in text


def test_what_is_slow_for_weeks_is_told_beside_the_month_and_not_the_last_report() -> None:
    assert "month before (1 report, 24 October 2026)" in told(SLOW, earlier(30, FAST), earlier(2, SLOW))[0]
    assert told(SLOW, earlier(2, SLOW)) == []


def test_what_became_faster_is_told_too() -> None:
    assert "73 % above the last report" in told(FAST, earlier(2, SLOW))[0]


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (rate(84, 85, 86), FAST, "less than 15 %"),
        (rate(40, 60, 94, 95, 96), rate(118, 119, 120), ""),
        (rate(30, 60, 75, 95, 120), FAST, "the middle half reaches into that of before"),
        (rate(55, 56), FAST, "two rounds only"),
        (SLOW, rate(95, 96), "two rounds only, then"),
        (rate(55, 56, 57, ceiling=60e6), FAST, "the limit of what may be sent"),
        (SLOW, rate(0, 0, 0), "nothing to compare with"),
        (replace(SLOW, place="tunnel_udp"), FAST, "another way"),
        (replace(SLOW, port=443), FAST, "another port"),
        (replace(SLOW, probe="bob"), FAST, "another probe"),
        (replace(SLOW, direction="up"), FAST, "another direction"),
        (replace(SLOW, protocol="udp"), FAST, "another protocol"),
    ],
)
def test_what_could_be_chance_or_is_something_else_is_not_told(now: Rate, before: Rate, why: str) -> None:
    assert bool(told(now, earlier(2, before))) is (why == "")


def test_a_rate_that_fell_from_the_limit_is_told_where_the_limit_is_the_same() -> None:
    at_limit = rate(195, 198, 199)
    assert told(SLOW, earlier(2, at_limit))
    assert not told(replace(SLOW, ceiling=100e6), earlier(2, at_limit))


def test_several_reports_are_taken_from_the_lowest_to_the_highest() -> None:
    history = [earlier(30, FAST), earlier(25, rate(70, 72, 74)), earlier(20, FAST)]
    assert told(SLOW, *history)
    assert not told(rate(70, 71, 73), *history)


def test_a_tunnel_of_two_rounds_is_told_beside_several_reports() -> None:
    inside, before = (replace(one, place="tunnel_tcp", port=0) for one in (rate(55, 57), rate(92, 96)))
    weekly = [earlier(days, before) for days in (36, 29, 22)]
    assert "TCP through VPN over TCP, download, is 40 % below the month before (3 reports" in told(inside, *weekly)[0]
    assert not told(inside, *weekly[1:])
    assert not told(inside, earlier(2, before))


def test_other_gateways_and_later_reports_are_left_out() -> None:
    assert points_of(SLOW, "oslo1", [earlier(2, FAST)], NOW) == []
    assert points_of(SLOW, GATEWAY, [earlier(-1, FAST), earlier(0, FAST)], NOW) == []
    assert [point.made for point in points_of(SLOW, GATEWAY, [earlier(1, FAST), earlier(3, FAST)], NOW)] == [
        *(NOW - 3 * DAY, NOW - DAY),
    ]


def test_a_report_is_history_for_the_next() -> None:
    first = json.dumps(build_report({GATEWAY: make_observations()}, {}, [], NOW - DAY))
    report = build_report({GATEWAY: make_observations(policed=9.8)}, {}, [read_report(first)], NOW)
    changes = report["gateways"][0]["changes"]
    assert [change.split(", is")[0] for change in changes] == [
        *("UDP without VPN, download", "TCP through VPN over UDP, download"),
        *("UDP without VPN, upload", "TCP through VPN over UDP, upload"),
    ], "the largest first, and TCP that is as it was is not told"
    again = build_report({GATEWAY: make_observations(seed=8)}, {}, [read_report(first)], NOW)
    assert again["gateways"][0]["changes"] == []
    assert len(again["gateways"][0]["comparisons"]) == 8


GOOD = build_report({GATEWAY: make_observations()}, {}, [], NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"schema": NaN}', "not JSON"),
        ("[]", "not a report"),
        ('{"schema": "another"}', "not a report"),
        (json.dumps({**GOOD, "version": 2}), "another version"),
        (json.dumps({**GOOD, "made": "today"}), "damaged"),
        (json.dumps({**GOOD, "made": True}), "damaged"),
        (json.dumps({**GOOD, "made": 1e300}), "damaged"),
        (json.dumps({**GOOD, "gateways": {}}), "damaged"),
        (json.dumps({**GOOD, "gateways": [None]}), "damaged"),
        (json.dumps({**GOOD, "gateways": [{"name": 1, "numbers": {"rates": []}}]}), "damaged"),
        (json.dumps({**GOOD, "gateways": [{"name": "a", "numbers": {"rates": [{"probe": 1}]}}]}), "damaged"),
    ],
)
def test_what_is_damaged_or_of_others_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_report(text)
