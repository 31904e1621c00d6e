# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a report: what was measured, brought down to medians and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Gateway, Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    LOW_RATE,
    OUTSIDE,
    PLACES,
    TCP,
    UDP,
    Path,
    Segment,
)

# A median of fewer segments says nothing of the spread.
_PEAK_SHARE = 0.95


@dataclass(frozen=True)
class Rate:
    """What one kind of traffic reached, bits per second; low-rate traffic is in the loss alone.

    :param port: The gateway's port without VPN, 0 in a tunnel. :param rates: Of each round, in the order of time.
    :param ceiling: The most that a segment was allowed to send. :param lost: Median share of the datagrams, as fast as
        it goes; ``lost_low`` at a quarter of what arrived.
    :param of_direct: Median as a share of that of TCP without VPN in the same direction.
    """

    probe: str
    place: str
    protocol: str
    direction: str
    port: int
    median: float
    low: float
    high: float
    rates: tuple[float, ...]
    ceiling: float
    lost: float | None = None
    lost_low: float | None = None
    retransmits: int | None = None
    of_direct: float | None = None


@dataclass(frozen=True)
class Latency:
    """How long an answer took, seconds, and how many did not come."""

    probe: str
    place: str
    loaded: bool
    sent: int
    lost: float
    median: float | None
    lowest: float | None
    peak: float | None


@dataclass(frozen=True)
class Cpu:
    """How busy a listener's process, or with an empty name the busiest core, was while one measured.

    :param peak: What 19 of 20 looks were below.
    """

    listener: str
    mean: float
    peak: float
    waiting: float | None
    throttled: float | None
    steal: float | None


@dataclass(frozen=True)
class Numbers:
    """All of one gateway."""

    rates: tuple[Rate, ...] = ()
    latencies: tuple[Latency, ...] = ()
    cpu: tuple[Cpu, ...] = ()


def summarise(observations: Observations) -> Numbers:
    """The numbers of one gateway and its paths."""
    paths = observations.paths
    return Numbers(
        rates=tuple(rate for path in paths for rate in _rates(path)),
        latencies=tuple(latency for path in paths for latency in _latencies(path)),
        cpu=tuple(_cpu(observations.gateway)),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them lies, between two neighbours in proportion.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.25)
    1.75
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _rates(path: Path) -> list[Rate]:
    measured = [segment for segment in path.segments if not segment.error]
    fast: dict[tuple[str, str, str, int], list[Segment]] = {}
    slow: dict[tuple[str, str, str, int], list[Segment]] = {}
    for segment in sorted(measured, key=lambda one: one.begin):
        kinds = slow if segment.purpose == LOW_RATE else fast
        kinds.setdefault((segment.place, segment.protocol, segment.direction, segment.port), []).append(segment)
    direct = _direct_medians(fast)
    return [
        _rate(path, segments, slow.get(key, []), direct.get(key[2]))
        for key, segments in sorted(fast.items(), key=_order)
    ]


def _direct_medians(fast: dict[tuple[str, str, str, int], list[Segment]]) -> dict[str, float]:
    """Of TCP without VPN by direction, the best where it was measured on several ports."""
    best: dict[str, float] = {}
    for (place, protocol, direction, _port), segments in fast.items():
        if place == OUTSIDE and protocol == TCP:
            best[direction] = max(best.get(direction, 0.0), median(one.delivered for one in segments))
    return best


def _order(item: tuple[tuple[str, str, str, int], list[Segment]]) -> tuple[int, int, int, int]:
    place, protocol, direction, port = item[0]
    return _rank(PLACES, place), _rank((TCP, UDP), protocol), port, _rank(DIRECTIONS, direction)


def _rank(known: Sequence[str], one: str) -> int:
    return known.index(one) if one in known else len(known)


def _rate(path: Path, fast: Sequence[Segment], slow: Sequence[Segment], direct: float | None) -> Rate:
    first, rates = fast[0], tuple(segment.delivered for segment in fast)
    middle = median(rates)
    retransmits = [segment.retransmits for segment in fast if segment.retransmits is not None]
    is_direct = (first.place, first.protocol) == (OUTSIDE, TCP)
    return Rate(
        probe=path.probe,
        place=first.place,
        protocol=first.protocol,
        direction=first.direction,
        port=first.port,
        median=middle,
        low=quantile(rates, 0.25),
        high=quantile(rates, 0.75),
        rates=rates,
        ceiling=path.ceiling,
        lost=_median(segment.lost for segment in fast),
        lost_low=_median(segment.lost for segment in slow),
        retransmits=sum(retransmits) if retransmits else None,
        of_direct=None if is_direct or not direct else middle / direct,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _latencies(path: Path) -> list[Latency]:
    found = []
    for place in PLACES:
        for loaded in (False, True):
            echoes = [echo for echo in path.echoes if (echo.place, echo.loaded) == (place, loaded)]
            times = [echo.rtt for echo in echoes if echo.rtt is not None]
            if echoes:
                found.append(
                    Latency(
                        *(path.probe, place, loaded, len(echoes), 1 - len(times) / len(echoes)),
                        median=_median(times),
                        lowest=min(times, default=None),
                        peak=quantile(times, _PEAK_SHARE) if times else None,
                    )
                )
    return found


def _cpu(gateway: Gateway) -> list[Cpu]:
    found = []
    for name in sorted({sample.listener for sample in gateway.samples}, key=lambda one: (not one, one)):
        samples = [sample for sample in gateway.samples if sample.listener == name]
        shares = [sample.cpu for sample in samples]
        found.append(
            Cpu(
                *(name, fmean(shares), quantile(shares, _PEAK_SHARE)),
                waiting=_median(sample.waiting for sample in samples),
                throttled=_median(sample.throttled for sample in samples),
                steal=_median(sample.steal for sample in samples),
            )
        )
    return found
