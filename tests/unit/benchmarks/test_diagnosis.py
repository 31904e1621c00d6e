"""The pure parts of the benchmark of the diagnosis: who was right, what was planted, what a router is told."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks._diagnosis_path import Line, lose, police_udp, router_rules
from benchmarks._diagnosis_score import (
    NOTHING,
    Verdict,
    alarms_on_healthy,
    confusion,
    matrix_lines,
    score,
)
from benchmarks._namespaces import Relay


def verdict(planted: str, named: str, *, error: str = "") -> Verdict:
    return Verdict("case", frozenset(planted.split()), frozenset(named.split()), error=error)


@pytest.mark.parametrize(
    ("planted", "named", "is_right", "false_alarms", "missed"),
    [
        ("", "", True, "", ""),
        ("loss", "loss", True, "", ""),
        ("loss expiry", "expiry loss", True, "", ""),
        ("", "loss", False, "loss", ""),
        ("loss", "", False, "", "loss"),
        ("loss", "loss expiry", False, "expiry", ""),
        ("loss", "expiry", False, "expiry", "loss"),
    ],
)
def test_a_run_is_right_when_exactly_what_was_planted_was_named(
    planted: str, named: str, is_right: bool, false_alarms: str, missed: str
) -> None:
    one = verdict(planted, named)
    assert (one.is_right, one.false_alarms, one.missed) == (
        is_right, frozenset(false_alarms.split()), frozenset(missed.split()),
    )  # fmt: skip


def test_a_run_without_a_diagnosis_is_not_right() -> None:
    assert not verdict("", "", error="it broke").is_right
    assert score([verdict("", "", error="it broke")]).failed == 1


def test_runs_are_counted() -> None:
    found = score([verdict("", ""), verdict("loss", "expiry"), verdict("loss", "loss"), verdict("", "loss expiry")])
    assert (found.runs, found.right, found.false_alarms, found.missed, found.share) == (4, 2, 3, 1, 0.5)
    assert score([]).share == 0.0


def test_alarms_on_healthy_are_those_where_nothing_was_planted() -> None:
    assert alarms_on_healthy([verdict("", "loss"), verdict("expiry", "loss"), verdict("", "")]) == 1


def test_the_matrix_has_what_was_planted_beside_what_was_named() -> None:
    runs = [
        verdict("", ""), verdict("", "loss"), verdict("loss", "loss"), verdict("loss expiry", "loss slow"),
        verdict("loss", ""), verdict("loss", "loss slow"), verdict("loss", "", error="it broke"),
    ]  # fmt: skip
    assert confusion(runs) == {
        (NOTHING, NOTHING): 1, (NOTHING, "loss"): 1, ("loss", "loss"): 3, ("expiry", "slow"): 1, ("loss", NOTHING): 1,
        (NOTHING, "slow"): 1,
    }  # fmt: skip


def test_the_matrix_is_shown_with_its_causes_in_order() -> None:
    counts = Counter({("loss", "loss"): 12, ("expiry", NOTHING): 1, (NOTHING, NOTHING): 3})
    assert matrix_lines(counts, ("expiry", "slow", "loss")) == [
        "planted  named, by the number of the line",
        "           1   2   3",
        "expiry     .   .   1  1",
        "loss       .  12   .  2",
        "nothing    .   .   3  3",
    ]


def test_a_router_polices_and_loses_both_ways() -> None:
    text = router_rules(Line(rules=(*police_udp(10), *lose(0.015))))
    assert text.count("meta l4proto udp limit rate over 1250000 bytes/second burst 256000 bytes drop") == 2
    assert "numgen random mod 100000 < 1500 drop" in text
    assert "destination-unreachable" not in text
    assert "length" not in text


def test_a_black_hole_tells_nobody_and_works_both_ways() -> None:
    text = router_rules(Line(mtu=1400, tells_mtu=False))
    assert "icmp type destination-unreachable drop" in text
    assert "iifname e10-72-1 meta length > 1400 drop" in text


def test_a_relay_makes_packets_late_only_when_asked() -> None:
    assert Relay(40, 100, 20).arguments() == ["20000", "100000000", "250000", "0"]
    assert Relay(40, 100, 20, late_per_million=7, late_us=9).arguments()[4:] == ["7", "9"]
