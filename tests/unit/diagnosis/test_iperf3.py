"""The output of iperf3 3.12 (Debian 12) and 3.18 (Debian 13), what is left out of it, and everything that is none."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.iperf3 import read_transfer
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.settling import Interval, settled

OUTPUTS = Path(__file__).with_name("iperf3_outputs")
CASES = [
    (protocol, direction, version) for protocol in ("tcp", "udp") for direction in ("up", "down")
    for version in ("3.12", "3.18")
]  # fmt: skip


def planned(protocol: str = "tcp", direction: str = "down") -> Segment:
    return Segment(
        round=2, place="outside", protocol=protocol, direction=direction, purpose="pair", begin=10.0, seconds=1.0,
        delivered=0.0, offered=2e7, port=5201,
    )  # fmt: skip


def output(protocol: str, direction: str, version: str = "3.12") -> str:
    return (OUTPUTS / f"{protocol}-{direction}-{version}.json").read_text()


@pytest.mark.parametrize(("protocol", "direction", "version"), CASES)
def test_real_output_gives_the_rate_that_arrived_after_settling(protocol: str, direction: str, version: str) -> None:
    transfer = read_transfer(output(protocol, direction, version), planned(protocol, direction), settle=0.4)
    segment = transfer.segment
    assert not segment.error
    assert segment.delivered == pytest.approx(2e7, rel=0.06)
    assert segment.seconds == pytest.approx(0.6, abs=0.02)
    assert segment.settled == pytest.approx(0.4, abs=0.01)
    assert transfer.sent == pytest.approx(2.5e6, rel=0.06)
    assert segment.intervals[0][0] == pytest.approx(10.0, abs=0.05)
    if protocol == "tcp":
        assert segment.retransmits == 0
        assert segment.rtt is not None
        assert 0 < segment.rtt < 0.001
        assert segment.lost is None
    else:
        assert (segment.lost, segment.out_of_order) == (0, 0)
        assert segment.datagrams == pytest.approx(1071, abs=3)


def test_without_the_servers_figures_the_sum_counts() -> None:
    found = json.loads(output("udp", "up"))
    del found["server_output_json"]
    segment = read_transfer(json.dumps(found), planned("udp", "up"), settle=0.4).segment
    assert (segment.delivered, segment.settled, segment.datagrams) == (
        found["end"]["sum_received"]["bits_per_second"],
        0.0,
        1785,
    )


def test_loss_is_that_of_the_intervals_that_count() -> None:
    found = json.loads(output("udp", "down"))
    for number, interval in enumerate(found["intervals"]):
        interval["sum"]["lost_packets"] = 100 if number < 4 else 18
    segment = read_transfer(json.dumps(found), planned("udp"), settle=0.4).segment
    assert segment.lost == pytest.approx(18 / 178, rel=0.01)


def test_datagrams_that_never_came_are_all_lost() -> None:
    found = json.loads(output("udp", "up"))
    for interval in found["server_output_json"]["intervals"]:
        interval["sum"].update(bytes=0, packets=0, lost_packets=0)
    segment = read_transfer(json.dumps(found), planned("udp", "up"), settle=0.4).segment
    assert (segment.delivered, segment.lost, segment.error) == (0, 1.0, "")


@pytest.mark.parametrize(
    ("text", "said", "busy"),
    [
        ('{"end":{},"error":"unable to connect to server: Connection refused"}', "Connection refused", False),
        ('{"error":"the server is busy running a test. try again later"}', "server is busy", True),
        ("", "nothing that can be read", False),
        ('{"start": {', "nothing that can be read", False),
        ("[1, 2]", "nothing that can be read", False),
        ('{"start":{},"intervals":[],"end":{}}', "nothing of what arrived", False),
    ],
)
def test_what_went_wrong_is_told_in_the_segment(text: str, said: str, busy: bool) -> None:
    transfer = read_transfer(text, planned(), settle=0.4)
    assert said in transfer.segment.error
    assert transfer.busy is busy
    assert transfer.segment.delivered == 0


def damaged(value: Any, chance: random.Random) -> Any:
    """The value with some parts replaced by others of any type."""
    if chance.random() < 0.02:
        return chance.choice([None, [], {}, "x", -1, 1e308, True, float("nan"), 10**30, [[]], {"sum": 3}])
    if isinstance(value, dict):
        return {name: damaged(part, chance) for name, part in value.items()}
    return [damaged(part, chance) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(60))
def test_damaged_output_is_never_an_error_of_ours(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    protocol, direction, version = chance.choice(CASES)
    text = json.dumps(damaged(json.loads(output(protocol, direction, version)), chance))
    for version_of_it in (text, text[: chance.randrange(len(text))], text[chance.randrange(len(text)) :]):
        segment = read_transfer(version_of_it, planned(protocol, direction), settle=0.4).segment
        assert segment.delivered >= 0
        assert segment.lost is None or 0 <= segment.lost <= 1


def rates(*values: float) -> list[Interval]:
    return [Interval(number / 10, 0.1, round(value * 1e6 / 80)) for number, value in enumerate(values)]


def mean(intervals: tuple[Interval, ...]) -> float:
    return sum(one.rate for one in intervals) / len(intervals) / 1e6


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        # A policer's burst lasts longer than the settling time.
        (rates(*[50] * 12, 30, *[10] * 7), 10),
        # It is over before.
        (rates(*[50] * 2, *[10] * 18), 10),
        # TCP finds its rate.
        (rates(2, 8, 20, 40, *[50] * 16), 50),
        # A rate that wavers has no levels: all of it counts.
        (rates(*[30, 50, 40, 20, 45, 35] * 3, 30, 40), 36.7),
        # A constant one.
        (rates(*[20] * 20), 20),
    ],
)
def test_what_counts_is_the_level_that_the_rate_settles_at(intervals: list[Interval], expected: float) -> None:
    assert mean(settled(intervals, 0.8)) == pytest.approx(expected, rel=0.05)


def test_the_stump_at_the_end_does_not_count() -> None:
    whole = [*rates(*[20] * 10), Interval(1.0, 0.001, 0)]
    assert mean(settled(whole, 0.4)) == pytest.approx(20)
    assert settled([], 0.4) == ()
    assert len(settled(rates(20, 20, 20), 5.0)) == 1
