# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which segment is sent next, from the limits and from what the segments so far have shown.

What 60 s and 200 MB each way are spent on, and why:

- A look at TCP outside for one second each way tells a fast path (1) from a slow one (2).
- Outside, five pairs each way, TCP and then UDP at 1.2 times that, in rounds, so that both see the same weather.
  (1) Where bytes are short and the delay is small one second each. A policer that lets a second's worth pass at once is
  seen up to half the ceiling then; with longer segments, and thus a lower ceiling, it would be less.
  (2) Else two seconds each, on a long path three of TCP and one of UDP: time is short there. Later rounds are of one
  second where the first showed no burst of TCP, or one of UDP that was over within half a second. Where two of three
  pairs show UDP as fast as TCP, a sign test over five or eight cannot show it limited any more, and others come last.
- Through each tunnel TCP as fast as it goes, twice where time allows: the first before the pairs are complete.
- UDP at a quarter of what arrived, in small datagrams, so that one per cent of loss is more than chance.
- Then what time is left for: pairs on the second port where UDP looks limited, up to eight where pairs contradict
  each other, UDP at a low rate in the tunnels. No UDP above what a tunnel carries is sent into it, because a full
  queue of the TCP listener would then be of our own making.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.budget import (
    LEAST_RATE,
    QUIET_SECONDS,
    Limits,
    Order,
    Spent,
    fit_bytes,
    fit_time,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    FULL,
    LOW_RATE,
    OUTSIDE,
    PAIR,
    TCP,
    TUNNEL_TCP,
    TUNNEL_UDP,
    UDP,
    Segment,
)

PAIRS, FEWEST_PAIRS, MOST_PAIRS = 5, 3, 8
UDP_OVER_TCP, LOW_SHARE = 1.2, 0.25
# UDP at this share of TCP and above speaks against a limit; see facts of the decision in the verdicts.
EQUAL = 0.85
# Shares of the payload that the limit allows each way; the rest is for what comes last.
_LOOK, _PAIRS, _TUNNEL, _LOW = 0.06, 0.58, 0.15, 0.015
_PACKET, _SMALL_PACKET = 1200, 400
_SHORT_ROUND_TRIP, _LONG_ROUND_TRIP = 0.05, 0.15
_DRAINED_SOON = 0.5
# Some intervals together may be so much above the mean; a single one may be much more.
_NO_BURST, _TOGETHER = 1.35, 3
_ATTEMPTS = 2
# Of UDP where TCP shows none.
_BLIND_RATE = 5e6


@dataclass(frozen=True)
class Known:
    """What is known before the traffic begins.

    :param tunnels: Those that are connected: ``tunnel_udp``, ``tunnel_tcp``.
    :param round_trip: Of an echo outside, seconds. :param packet: The largest payload that gets through everywhere.
    """

    tunnels: tuple[str, ...] = ()
    round_trip: float = 0.05
    second_port: bool = True
    packet: int = _PACKET


@dataclass(frozen=True)
class Wish:
    """An order, and whether time is kept for it."""

    order: Order
    needed: bool = True


def next_order(limits: Limits, known: Known, done: Sequence[Segment], spent: Spent) -> Order | None:
    """The next segment, or ``None`` when nothing is left that time and bytes allow.

    :param done: All segments so far, failed ones included, in their order.
    """
    attempts = _attempts(done)
    wishes = [one for one in _Rounds(limits, known, done).wishes() if attempts.get(one.order.key, 0) < _ATTEMPTS]
    kept = [one.order for one in wishes if one.needed]
    for number, wish in enumerate(wishes):
        if number and _are_pair(wishes[number - 1].order, wish.order):
            continue
        both = [wish.order, *(one.order for one in wishes[number + 1 : number + 2] if _are_pair(wish.order, one.order))]
        if fit_time(both if wish.needed else [*both, *kept], limits, spent, round_trip=known.round_trip):
            fitting = fit_bytes(both, limits, spent)
            if fitting is not None:
                return fitting
    return None


def _are_pair(first: Order, second: Order) -> bool:
    """Whether one is of no use without the other."""
    return first.purpose == PAIR and first.protocol == TCP and replace(first, protocol=UDP).key == second.key


def missing_pairs(limits: Limits, known: Known, done: Sequence[Segment], direction: str) -> int:
    """How many pairs a verdict would have needed and did not get."""
    return _Rounds(limits, known, done).missing(direction)


def pair_ceiling(limits: Limits, known: Known, done: Sequence[Segment] = ()) -> float:
    """The most that TCP may send in a pair: what lies above it is not looked for."""
    rounds = _Rounds(limits, known, done)
    return max(rounds.pair_rate(direction) for direction in DIRECTIONS)


def describe_plan(limits: Limits, *, probe: str, gateway: str, address: str, tunnels: Sequence[str]) -> list[str]:
    """What a measurement would do, a sentence each."""
    connected = tuple(place for place in (TUNNEL_UDP, TUNNEL_TCP) if place in tunnels)
    slow = pair_ceiling(limits, Known(tunnels=connected))
    through = " and ".join({TUNNEL_UDP: "UDP", TUNNEL_TCP: "TCP"}[place] for place in connected)
    return [
        f"Would send at most {limits.megabytes:g} MB from {probe} to {gateway} at {address}, and as much back.",
        f"Would take at most {limits.seconds:g} s.",
        f"Would send nothing but echoes and lookups in the first {QUIET_SECONDS:g} s, then one transfer at a time.",
        f"Would look for limits of up to {slow / 1e6:.0f} Mbit/s, higher on a fast path; 'megabytes' raises that.",
        f"Would open tunnels by {through} and measure inside them."
        if connected
        else "Would open no tunnel, so that nothing inside is measured.",
    ]


def _attempts(done: Sequence[Segment]) -> dict[tuple[int, str, str, str, str], int]:
    """How often each was tried; one that succeeded counts as tried often enough."""
    found: dict[tuple[int, str, str, str, str], int] = {}
    for one in done:
        key = (one.round, one.place, one.protocol, one.direction, one.purpose)
        found[key] = found.get(key, 0) + (1 if one.error else _ATTEMPTS)
    return found


def _highest(rates: Sequence[float]) -> float:
    """The highest mean of some intervals in a row."""
    rows = [rates[start : start + _TOGETHER] for start in range(max(1, len(rates) - _TOGETHER + 1))]
    return max(sum(row) / len(row) for row in rows)


class _Rounds:
    """All segments that make sense, in the order in which they are wanted."""

    def __init__(self, limits: Limits, known: Known, done: Sequence[Segment]) -> None:
        self.known = known
        self.payload = max(0.0, limits.payload_bits)
        self.done = done

    def wishes(self) -> Iterator[Wish]:
        for direction in DIRECTIONS:
            yield from self._look(direction)
        for number in range(1, MOST_PAIRS + 1):
            for direction in DIRECTIONS:
                yield from self._pair(number, direction)
            if number in (1, 3):
                yield from self._tunnels(number)
            if number in (2, 4):
                for direction in DIRECTIONS:
                    yield from self._low(number, OUTSIDE, direction, needed=number == 2)
            if number == 3:
                for place in self.known.tunnels:
                    for direction in DIRECTIONS:
                        yield from self._low(number, place, direction, needed=False)

    def _look(self, direction: str) -> Iterator[Wish]:
        rate = self.payload * _LOOK
        if not self._given_up(OUTSIDE, TCP, direction):
            yield Wish(self._order(1, OUTSIDE, TCP, direction, FULL, 1, rate))

    def _pair(self, number: int, direction: str) -> Iterator[Wish]:
        needed, wanted = self._pairs(direction)
        if number > wanted:
            return
        second = self.known.second_port and number > PAIRS and self._looks_limited(direction)
        of_tcp, of_udp = self._pair_seconds(direction)
        of_tcp = 1 if number > 1 and self._steady(direction) else of_tcp
        ceiling = self.pair_rate(direction)
        if not self._given_up(OUTSIDE, TCP, direction):
            yield Wish(
                self._order(number, OUTSIDE, TCP, direction, PAIR, of_tcp, ceiling, second=second), number <= needed
            )
        if not self._given_up(OUTSIDE, UDP, direction):
            rate = UDP_OVER_TCP * min(ceiling, self._partner(number, direction) or _BLIND_RATE)
            of_udp = 1 if number > 1 and self._drained_soon(direction) else of_udp
            yield Wish(
                self._order(number, OUTSIDE, UDP, direction, PAIR, of_udp, rate, second=second), number <= needed
            )

    def _tunnels(self, number: int) -> Iterator[Wish]:
        for place in self.known.tunnels:
            for direction in DIRECTIONS:
                if self._given_up(place, TCP, direction):
                    continue
                bits = self.payload * _TUNNEL / 2
                expected = self._median(OUTSIDE, TCP, direction, (FULL, PAIR))
                slow = expected is not None and expected < bits / 2 * 0.9
                seconds = 2 if slow and (number > 1 or self.known.round_trip > _SHORT_ROUND_TRIP) else 1
                order = self._order(number, place, TCP, direction, FULL, seconds, bits / seconds)
                yield Wish(order, number == 1)

    def _low(self, number: int, place: str, direction: str, *, needed: bool) -> Iterator[Wish]:
        if self._given_up(place, UDP, direction):
            return
        protocol, purpose = (UDP, PAIR) if place == OUTSIDE else (TCP, FULL)
        arrived = self._median(place, protocol, direction, (purpose,))
        if arrived is None:
            return
        rate = max(LEAST_RATE * 2, min(arrived * LOW_SHARE, self.payload * _LOW))
        seconds = 1 if rate >= 2e6 else 2
        yield Wish(self._order(number, place, UDP, direction, LOW_RATE, seconds, rate), needed)

    def _order(
        self, number: int, place: str, protocol: str, direction: str, purpose: str, seconds: int, rate: float,
        *, second: bool = False,
    ) -> Order:  # fmt: skip
        least = 0.4 if seconds == 1 else 0.8
        settle = max(least, 8 * self.known.round_trip) if purpose != LOW_RATE else 0.2
        packet = min(self.known.packet, _SMALL_PACKET if purpose == LOW_RATE else _PACKET)
        return Order(
            number, place, protocol, direction, purpose, seconds, min(settle, seconds - 0.4), rate, packet, second
        )  # fmt: skip

    def pair_rate(self, direction: str) -> float:
        """The most that TCP may send in a pair."""
        of_tcp, of_udp = self._pair_seconds(direction)
        return self.payload * _PAIRS / (PAIRS * (of_tcp + UDP_OVER_TCP * of_udp))

    def _pair_seconds(self, direction: str) -> tuple[int, int]:
        if self.known.round_trip > _LONG_ROUND_TRIP:
            return 3, 1
        seen = self._first(OUTSIDE, TCP, direction, FULL)
        slow_ceiling = self.payload * _PAIRS / (PAIRS * 2 * (1 + UDP_OVER_TCP))
        fast = seen is not None and seen.delivered >= 0.8 * slow_ceiling
        return (1, 1) if fast and self.known.round_trip <= _SHORT_ROUND_TRIP else (2, 2)

    def _pairs(self, direction: str) -> tuple[int, int]:
        """How many pairs time is kept for, and how many are wanted at most."""
        ratios = self._ratios(direction)
        if len(ratios) < FEWEST_PAIRS:
            return PAIRS, PAIRS
        if sum(one >= EQUAL for one in ratios) >= 2 and median(ratios) >= 0.9:
            return FEWEST_PAIRS, PAIRS
        return PAIRS, MOST_PAIRS if len(ratios) >= PAIRS else PAIRS

    def missing(self, direction: str) -> int:
        """How many pairs time was kept for, and are not there."""
        return max(0, self._pairs(direction)[0] - len(self._ratios(direction)))

    def _looks_limited(self, direction: str) -> bool:
        ratios = self._ratios(direction)
        return bool(ratios) and median(ratios) < EQUAL

    def _ratios(self, direction: str) -> list[float]:
        """UDP by TCP in each complete pair on the first port."""
        rates: dict[int, dict[str, float]] = {}
        for one in self._good(OUTSIDE, direction):
            if one.purpose == PAIR and one.round <= PAIRS:
                rates.setdefault(one.round, {})[one.protocol] = one.delivered
        pairs = [pair for pair in rates.values() if len(pair) == len((TCP, UDP)) and pair[TCP] > 0]
        return [pair[UDP] / pair[TCP] for pair in pairs]

    def _partner(self, number: int, direction: str) -> float | None:
        """What TCP reached in this round, or in the others."""
        same = [one for one in self._good(OUTSIDE, direction) if one.protocol == TCP and one.round == number]
        own = [one.delivered for one in same if one.purpose == PAIR]
        return own[-1] if own else self._median(OUTSIDE, TCP, direction, (PAIR, FULL))

    def _drained_soon(self, direction: str) -> bool:
        """Whether UDP lost a lot in the first round, and did so from the beginning."""
        first = self._first(OUTSIDE, UDP, direction, PAIR)
        if first is None or first.lost is None or first.lost < 0.1 or not first.intervals:
            return False
        late = [rate for at, rate in first.intervals if at - first.begin >= _DRAINED_SOON - 0.05]
        return bool(late) and _highest(late) <= _NO_BURST * first.delivered

    def _steady(self, direction: str) -> bool:
        """Whether TCP had no burst in the first round, and needs no more than a second to find its rate."""
        first = self._first(OUTSIDE, TCP, direction, PAIR)
        if first is None or not first.intervals or self.known.round_trip > _SHORT_ROUND_TRIP:
            return False
        return _highest([rate for _at, rate in first.intervals]) <= _NO_BURST * first.delivered

    def _given_up(self, place: str, protocol: str, direction: str) -> bool:
        """Whether this kind of traffic failed twice and never succeeded."""
        same = [one for one in self.done if (one.place, one.protocol, one.direction) == (place, protocol, direction)]
        return len(same) >= _ATTEMPTS and all(one.error for one in same)

    def _good(self, place: str, direction: str) -> list[Segment]:
        return [one for one in self.done if one.place == place and one.direction == direction and not one.error]

    def _first(self, place: str, protocol: str, direction: str, purpose: str) -> Segment | None:
        same = (one for one in self._good(place, direction) if (one.protocol, one.purpose) == (protocol, purpose))
        return next(same, None)

    def _median(self, place: str, protocol: str, direction: str, purposes: Sequence[str]) -> float | None:
        same = [
            one.delivered
            for one in self._good(place, direction)
            if one.protocol == protocol and one.purpose in purposes
        ]
        return median(same) if same else None
