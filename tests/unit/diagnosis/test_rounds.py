"""What a measurement sends: within the limits whatever the path is like, and what a verdict needs first."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_traffic import time_before
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.budget import (
    END_SECONDS,
    Limits,
    Order,
    Spent,
    cost,
    duration,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.rounds import (
    Known,
    describe_plan,
    next_order,
    pair_ceiling,
)

TUNNELS = ("tunnel_udp", "tunnel_tcp")


@dataclass
class MadeUpPath:
    """A path that carries so much, and the measurement that it gets.

    :param tcp: What TCP reaches, bit/s. :param udp: What is left of UDP. :param fails: Share of transfers.
    """

    tcp: float
    udp: float
    limits: Limits = field(default_factory=Limits)
    known: Known = field(default_factory=lambda: Known(tunnels=TUNNELS, round_trip=0.02))
    fails: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311
    orders: list[Order] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    spent: Spent = field(default_factory=lambda: Spent(seconds=4.0))
    sent: dict[str, float] = field(default_factory=lambda: {"down": 0.0, "up": 0.0})

    def measure(self) -> MadeUpPath:
        while True:
            order = next_order(self.limits, self.known, self.segments, self.spent)
            if order is None:
                return self
            self.send(order)

    def send(self, order: Order) -> None:
        self.orders.append(order)
        arrived = min(order.rate, self.tcp if order.protocol == "tcp" else min(self.tcp, self.udp))
        sent = (order.rate if order.protocol == "udp" else arrived) * order.seconds / 8
        error = "iperf3: it failed." if self.chance.random() < self.fails else ""
        begin = self.spent.seconds
        self.segments.append(
            Segment(
                order.round, order.place, order.protocol, order.direction, order.purpose, begin, order.seconds, arrived,
                offered=order.rate, port=5203 if order.second_port else 5201, error=error,
                lost=1 - arrived / order.rate if order.protocol == "udp" else None,
                intervals=tuple((begin + tenth / 10, arrived) for tenth in range(10 * order.seconds)),
            )
        )  # fmt: skip
        self.sent[order.direction] += sent * 1.05
        self.spent = self.spent.plus(order, None if error else sent)
        self.spent = replace(self.spent, seconds=begin + duration(order, self.known.round_trip))

    def count(self, **wanted: str) -> int:
        return sum(all(getattr(one, name) == value for name, value in wanted.items()) for one in self.segments)


@pytest.mark.parametrize("seed", range(150))
def test_neither_time_nor_bytes_are_ever_exceeded(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    made_up = MadeUpPath(
        tcp=10 ** chance.uniform(5, 10),
        udp=10 ** chance.uniform(4, 10),
        limits=Limits(chance.uniform(15, 300), 10 ** chance.uniform(0.7, 4)),
        known=Known(chance.choice([(), TUNNELS[:1], TUNNELS]), 10 ** chance.uniform(-4, 0), chance.random() < 0.5),
        fails=chance.choice([0, 0, 0.1, 0.5, 1]),
        chance=chance,
    ).measure()
    allowed = made_up.limits.megabytes * 1e6
    assert made_up.spent.seconds <= made_up.limits.seconds - END_SECONDS
    assert max(made_up.spent.down, made_up.spent.up) <= allowed
    assert max(made_up.sent.values()) <= allowed
    assert len(made_up.orders) < 200
    # Also if each had sent all that it was allowed to.
    for order in made_up.orders:
        assert cost(order)[0] > order.rate * order.seconds / 8


@pytest.mark.parametrize("rate", [1e5, 1e10])
def test_a_very_slow_and_a_very_fast_path_keep_to_the_limits_too(rate: float) -> None:
    made_up = MadeUpPath(tcp=rate, udp=rate).measure()
    assert made_up.spent.seconds <= 60
    assert max(made_up.spent.down, made_up.spent.up) <= 200e6
    assert made_up.count(purpose="pair", protocol="udp", direction="down") >= 3


@pytest.mark.parametrize(("tcp", "udp"), [(1e8, 1e7), (1e8, 5e7), (2e7, 1e7), (1e9, 1e7)])
def test_limited_udp_is_measured_in_five_pairs_each_way(tcp: float, udp: float) -> None:
    made_up = MadeUpPath(tcp=tcp, udp=udp).measure()
    for direction in ("down", "up"):
        for protocol in ("tcp", "udp"):
            assert made_up.count(purpose="pair", protocol=protocol, direction=direction) >= 5
        assert made_up.count(purpose="low_rate", place="outside", direction=direction) >= 1
        for place in TUNNELS:
            assert made_up.count(purpose="full", place=place, direction=direction) >= 1


def test_udp_is_offered_more_than_tcp_reached_in_the_same_round() -> None:
    made_up = MadeUpPath(tcp=3e7, udp=3e7).measure()
    rates = {(one.round, one.direction, one.protocol): one for one in made_up.segments if one.purpose == "pair"}
    for (number, direction, protocol), segment in rates.items():
        if protocol == "udp":
            assert segment.offered == pytest.approx(1.2 * rates[number, direction, "tcp"].delivered)


def test_pairs_are_interleaved_and_udp_follows_its_tcp_at_once() -> None:
    made_up = MadeUpPath(tcp=5e7, udp=1e7).measure()
    for before, after in zip(made_up.orders, made_up.orders[1:], strict=False):
        if (after.purpose, after.protocol) == ("pair", "udp"):
            assert replace(before, protocol="udp").key == after.key
    rounds = [one.round for one in made_up.orders if one.purpose == "pair"]
    assert rounds == sorted(rounds)


def test_where_udp_is_as_fast_time_goes_to_other_things() -> None:
    limits = Limits(60, 2000)
    fair = MadeUpPath(tcp=2e7, udp=2e7, known=Known(TUNNELS, 0.04), limits=limits).measure()
    limited = MadeUpPath(tcp=2e7, udp=1e7, known=Known(TUNNELS, 0.04), limits=limits).measure()
    assert fair.count(purpose="pair") < limited.count(purpose="pair")
    assert fair.count(purpose="full") > limited.count(purpose="full")


def test_the_second_port_is_asked_only_where_the_first_looks_limited() -> None:
    limits = Limits(300, 1000)
    for udp, asked in ((1e7, True), (1e8, False)):
        made_up = MadeUpPath(tcp=5e7, udp=udp, limits=limits).measure()
        assert any(one.second_port for one in made_up.orders) is asked


def test_what_fails_is_tried_twice_and_given_up() -> None:
    made_up = MadeUpPath(tcp=5e7, udp=5e7, fails=1.0).measure()
    assert 4 <= len(made_up.orders) <= 20


def test_tcp_that_does_not_get_through_leaves_udp_at_a_modest_rate() -> None:
    made_up = MadeUpPath(tcp=0.0, udp=0.0).measure()
    assert max(one.rate for one in made_up.orders if one.protocol == "udp") <= 6e6


def test_no_udp_goes_into_a_tunnel_faster_than_it_carries() -> None:
    made_up = MadeUpPath(tcp=8e7, udp=8e7).measure()
    inside = [one for one in made_up.orders if one.place in TUNNELS and one.protocol == "udp"]
    assert inside
    assert all(one.rate <= 0.25 * 8e7 for one in inside)


def test_more_megabytes_look_higher() -> None:
    known = Known(TUNNELS, 0.01)
    assert pair_ceiling(Limits(60, 2000), known) > 9 * pair_ceiling(Limits(60, 200), known)


def test_the_plan_is_told_in_sentences() -> None:
    text = "\n".join(describe_plan(Limits(), probe="alice", gateway="g1", address="192.0.2.1", tunnels=TUNNELS))
    for part in ("at most 200 MB from alice to g1 at 192.0.2.1", "at most 60 s", "by UDP and TCP", "Mbit/s"):
        assert part in text
    assert "no tunnel" in describe_plan(Limits(), probe="a", gateway="g", address="192.0.2.1", tunnels=())[-1]


@pytest.mark.parametrize(("limits", "named"), [((1, 200), "'seconds' is 1"), ((60, 1), "'megabytes' is 1")])
def test_limits_that_make_no_sense_are_refused(limits: tuple[float, float], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Limits(*limits)


@pytest.mark.parametrize(("elapsed", "measured"), [(1.107, 0.079), (1.305, 0.221), (1.739, 0.529), (2.473, 1.028)])
def test_the_moment_of_the_traffic_is_known_on_a_long_path(elapsed: float, measured: float) -> None:
    """Round trips of 10, 40, 100 and 200 ms; what the gateway saw is looked for by this moment."""
    assert time_before(elapsed, 1) == pytest.approx(measured, abs=0.04)
    assert time_before(0.9, 1) == 0
