# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Earlier reports: which of them can be compared with a new one, and what has changed by more than chance.

A difference is told when all of this holds:

* same gateway, probe, place, protocol, direction and port, and at least three rounds now and then;
* neither of the two medians is within a tenth of the most that a segment was allowed to send (unless both limits are
  the same and only one is): what lies above that limit was not looked for;
* the medians differ by at least 15 %: single runs vary that much without a reason;
* the middle half of the rounds of now lies outside the range of before: from the lowest to the highest median of the
  earlier reports, or the middle half of the rounds where there is one earlier report alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_numbers import Rate, quantile
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    DIRECTION_WORDS,
    count_text,
    date_text,
    rate_text,
    traffic_text,
)

SCHEMA, VERSION = "privatespace.gateway.diagnosis", 1
# Through a tunnel a measurement goes twice: that takes several reports to compare with, else one is enough.
LEAST_ROUNDS, FEW_ROUNDS, LEAST_REPORTS = 3, 2, 3
LEAST_CHANGE = 0.15
NEAR_CEILING = 0.9
_DAY = 86400.0
# What "the month before" is, in days before a report.
_MONTH_FROM, _MONTH_TO = 45, 14
# The end of the year 9999.
_LATEST = 253402300800


@dataclass(frozen=True)
class Earlier:
    """What is kept of an earlier report in memory: rates by gateway."""

    made: float
    rates: tuple[tuple[str, tuple[Rate, ...]], ...]

    def rates_of(self, gateway: str) -> tuple[Rate, ...]:
        """Those of one gateway."""
        return tuple(rate for name, rates in self.rates if name == gateway for rate in rates)


@dataclass(frozen=True)
class Point:
    """One kind of traffic in one earlier report."""

    made: float
    rate: Rate


@dataclass(frozen=True)
class Comparison:
    """A rate beside that of before.

    :param since: ``month`` or ``last``. :param begin: When the earliest report of the reference was made, ``end`` the
        latest. :param change: The new median less the old one, as a share of the old one.
    :param told: Whether the rule holds. :param text: In a sentence.
    """

    probe: str
    place: str
    protocol: str
    direction: str
    port: int
    since: str
    reports: int
    begin: float
    end: float
    before: float
    now: float
    change: float
    told: bool
    text: str


def read_report(text: str) -> Earlier:
    """What is needed of a report in JSON.

    :raises InputError: it is not a report of ours, of a later version, or damaged.
    """
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError("It is not JSON.") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError("It is not a report of the diagnosis.")
    if document.get("version") != VERSION:
        raise InputError("It was written by another version of the collection.")
    made, gateways = document.get("made"), document.get("gateways")
    if isinstance(made, bool) or not isinstance(made, (int, float)) or not isinstance(gateways, list):
        raise InputError("It is damaged.")
    if not 0 <= made < _LATEST:
        raise InputError("It is damaged.")
    return Earlier(float(made), tuple(_read_gateway(gateway) for gateway in gateways))


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _read_gateway(gateway: Any) -> tuple[str, tuple[Rate, ...]]:
    try:
        name, rates = gateway["name"], gateway["numbers"]["rates"]
        if isinstance(name, str) and isinstance(rates, list):
            return name, tuple(from_plain(Rate, rate) for rate in rates)
    except (KeyError, TypeError, InputError):
        pass
    raise InputError("It is damaged.")


def points_of(rate: Rate, gateway: str, history: Iterable[Earlier], now: float) -> list[Point]:
    """The same kind of traffic in earlier reports, oldest first."""
    found = [
        Point(earlier.made, one)
        for earlier in history
        if earlier.made < now
        for one in earlier.rates_of(gateway)
        if _kind(one) == _kind(rate) and _can_be_compared(rate, one)
    ]
    return sorted(found, key=lambda point: point.made)


def compare(rates: Sequence[Rate], gateway: str, history: Sequence[Earlier], now: float) -> list[Comparison]:
    """Each rate beside the month before, or the last report where there is none of that time."""
    found: list[Comparison] = []
    for rate in rates:
        points = points_of(rate, gateway, history, now)
        month = [point for point in points if now - _MONTH_FROM * _DAY <= point.made <= now - _MONTH_TO * _DAY]
        if month and _are_enough(rate, month):
            found.append(_comparison(rate, month, "month"))
        elif points and _are_enough(rate, points[-1:]):
            found.append(_comparison(rate, points[-1:], "last"))
    return found


def _are_enough(rate: Rate, points: Sequence[Point]) -> bool:
    rounds = min(len(rate.rates), *(len(point.rate.rates) for point in points))
    return rounds >= LEAST_ROUNDS or len(points) >= LEAST_REPORTS


def _kind(rate: Rate) -> tuple[str, str, str, str, int]:
    return rate.probe, rate.place, rate.protocol, rate.direction, rate.port


def _can_be_compared(now: Rate, before: Rate) -> bool:
    if min(len(now.rates), len(before.rates)) < FEW_ROUNDS or before.median <= 0:
        return False
    limited = [rate.median >= NEAR_CEILING * rate.ceiling for rate in (now, before)]
    return not any(limited) or (now.ceiling == before.ceiling and not all(limited))


def _comparison(rate: Rate, points: Sequence[Point], since: str) -> Comparison:
    medians = [point.rate.median for point in points]
    before = median(medians)
    low, high = (points[0].rate.low, points[0].rate.high) if len(points) == 1 else (min(medians), max(medians))
    change = rate.median / before - 1
    apart = quantile(rate.rates, 0.75) < low or quantile(rate.rates, 0.25) > high
    begin, end = points[0].made, points[-1].made
    return Comparison(
        *_kind(rate),
        since=since,
        reports=len(points),
        begin=begin,
        end=end,
        before=before,
        now=rate.median,
        change=change,
        told=apart and abs(change) >= LEAST_CHANGE,
        text=_sentence(rate, before, change, _reference(since, len(points), begin, end)),
    )


def _reference(since: str, reports: int, begin: float, end: float) -> str:
    if since == "last":
        return f"the last report ({date_text(end)})"
    dates = date_text(end) if reports == 1 else f"{date_text(begin)} to {date_text(end)}"
    return f"the month before ({count_text(reports, 'report')}, {dates})"


def _sentence(rate: Rate, before: float, change: float, reference: str) -> str:
    what = f"{traffic_text(rate.place, rate.protocol)}, {DIRECTION_WORDS.get(rate.direction, rate.direction)}"
    side = "below" if change < 0 else "above"
    return (
        f"{what}, is {abs(change) * 100:.0f} % {side} {reference}: "
        f"{rate_text(rate.median)} now, {rate_text(before)} before."
    )
