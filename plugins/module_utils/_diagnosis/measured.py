# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the segments of a path before anybody judges it: pairs, ratios, losses, and how sure they are.

A figure is used only where it is a finite number that is not negative; a segment with an error has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    FULL,
    LOW_RATE,
    OUTSIDE,
    PAIR,
    TCP,
    UDP,
    Path,
    Segment,
)

# Five of five of one kind are chance with 1/32, the first number of pairs that passes one in twenty.
ENOUGH_PAIRS, FEWEST_PAIRS = 5, 3
LARGEST_CHANCE = 0.05
# Single runs vary by 15 %: three that all lie below one half are no chance either.
PLAINLY_LOWER = 0.5
Number = Optional[float]


@dataclass(frozen=True)
class Pair:
    """TCP and UDP of one round; ``ratio`` is what UDP brought through, of what it was offered and TCP could do."""

    round: int
    port: int
    tcp: float
    udp: float
    lost: float
    ratio: float


@dataclass(frozen=True)
class Loss:
    """Packets lost: of all, in the middle and in the best of the rounds, and how many were sent."""

    share: float
    middle: float
    least: float
    packets: int


def usable(value: float | None) -> bool:
    """Whether this is a number that one can reckon with."""
    return value is not None and math.isfinite(value) and value >= 0


def median(values: Iterable[float | None]) -> float | None:
    """The middle of the values that are numbers, ``None`` without any."""
    known = sorted(value for value in values if value is not None and math.isfinite(value))
    if not known:
        return None
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def chance_of(lower: int, of: int) -> float:
    """The sign test, one-sided: the chance of so many lower ones or more, were lower and higher equally likely."""
    return float(sum(math.comb(of, count) for count in range(lower, of + 1)) / 2**of)


def certainly_below(ratios: Sequence[float], limit: float, *, fewest: int = FEWEST_PAIRS) -> bool:
    """Whether the ratios are below the limit by more than chance; with fewer than five, all by far."""
    if len(ratios) >= ENOUGH_PAIRS:
        return chance_of(sum(ratio < limit for ratio in ratios), len(ratios)) <= LARGEST_CHANCE
    return len(ratios) >= fewest and max(ratios) < min(limit, PLAINLY_LOWER)


def segments_of(
    path: Path, place: str, direction: str, *, protocol: str = TCP, purposes: Sequence[str] = (PAIR, FULL)
) -> list[Segment]:
    """The segments of one kind that have figures."""
    return [
        one
        for one in path.segments
        if (one.place, one.direction, one.protocol) == (place, direction, protocol)
        and one.purpose in purposes
        and not one.error
        and usable(one.delivered)
    ]


def tcp_rate(path: Path, place: str, direction: str) -> float | None:
    """What TCP brought through, in the middle; that of the pairs where there are some."""
    for purposes in ((PAIR,), (FULL,)):
        found = median(one.delivered for one in segments_of(path, place, direction, purposes=purposes))
        if found is not None:
            return found
    return None


def pairs_of(path: Path, place: str, direction: str) -> dict[int, list[Pair]]:
    """The pairs by UDP port."""
    found: dict[int, list[Pair]] = {}
    tcp: dict[int, list[float]] = {}
    for one in segments_of(path, place, direction, purposes=(PAIR,)):
        tcp.setdefault(one.round, []).append(one.delivered)
    for udp in segments_of(path, place, direction, protocol=UDP, purposes=(PAIR,)):
        base = median(tcp.get(udp.round, ()))
        if base:
            found.setdefault(udp.port, []).append(_pair(udp, base))
    return found


def _pair(udp: Segment, tcp: float) -> Pair:
    # Where UDP was not allowed to be as fast as TCP, it cannot be blamed for being slower.
    offered = udp.offered if udp.offered is not None and usable(udp.offered) and udp.offered else 1.2 * tcp
    lost = udp.lost if udp.lost is not None and usable(udp.lost) else max(0.0, 1 - udp.delivered / offered)
    return Pair(udp.round, udp.port, tcp, udp.delivered, min(lost, 1.0), udp.delivered / min(tcp, offered))


def ratios_to_outside(path: Path, place: str, direction: str) -> list[float]:
    """TCP in the tunnel of what TCP does outside in the middle, or of what it was allowed to be, where that is less."""
    outside = tcp_rate(path, OUTSIDE, direction)
    if not outside:
        return []
    inside = segments_of(path, place, direction)
    return [one.delivered / min(outside, one.offered or outside) for one in inside if usable(one.offered or outside)]


def low_rate_loss(path: Path, place: str, direction: str) -> Loss | None:
    """What a quarter of the rate loses: not for want of room, for that it has."""
    sent = [
        (one.lost, max(one.datagrams, 1))
        for one in segments_of(path, place, direction, protocol=UDP, purposes=(LOW_RATE,))
        if one.lost is not None and usable(one.lost)
    ]
    if not sent:
        return None
    shares = [min(lost, 1.0) for lost, _count in sent]
    packets = sum(count for _lost, count in sent)
    lost_packets = sum(min(lost, 1.0) * count for lost, count in sent)
    return Loss(lost_packets / packets, median(shares) or 0.0, min(shares), packets)


def echo_loss(path: Path) -> tuple[int, int]:
    """Pings outside without load: how many were lost, of how many."""
    found = [one for one in path.echoes if one.place == OUTSIDE and not one.loaded]
    return sum(one.rtt is None for one in found), len(found)


def idle_rtt(path: Path) -> float | None:
    """The round trip without load: that of the pings, else the least that a TCP sender saw."""
    found = median(one.rtt for one in path.echoes if one.place == OUTSIDE and not one.loaded and usable(one.rtt))
    if found:
        return found
    seen = [one.rtt for one in path.segments if one.place == OUTSIDE and one.rtt is not None and usable(one.rtt)]
    return min((rtt for rtt in seen if rtt), default=None)
