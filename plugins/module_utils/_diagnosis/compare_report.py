# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a comparison: a verdict for each direction, and the figures behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_plan import (
    SIDES,
    A,
    B,
    differences,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import DIRECTIONS, DOWN, Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.significance import judge

ALPHA, SMALLEST = 0.05, 0.03
_WORDS = {
    direction: "down (from the gateway)" if direction == DOWN else "up (to the gateway)" for direction in DIRECTIONS
}


def build_comparison(
    measured: Mapping[str, Any], *, configs: Mapping[str, str], about: Mapping[str, Any], alpha: float = ALPHA
) -> dict[str, Any]:
    """The verdicts.

    :param measured: What the probe returned: ``segments`` by side, and ``notes``.
    :param configs: By side. :param about: ``gateway``, ``probe``, ``protocol``, ``overrides`` by side, ``cpu_seconds``
        by side where it is known; they are repeated in the result.
    :param alpha: For all directions together: each is judged at its share of it, so that looking twice does not make
        chance twice as likely to be believed.
    """
    segments = {side: [from_plain(Segment, one) for one in measured["segments"][side]] for side in SIDES}
    level = alpha / len(DIRECTIONS)
    verdicts, left_out = {}, {}
    for direction in DIRECTIONS:
        pairs, left_out[direction] = _pairs(segments, direction)
        found = judge([one for one, _b in pairs], [one for _a, one in pairs], alpha=level, smallest=SMALLEST)
        medians = {side: median([pair[place] for pair in pairs]) if pairs else None for place, side in enumerate(SIDES)}
        verdicts[direction] = {**asdict(found), "median_bps": medians, "pairs_left_out": len(left_out[direction])}
    comparison = {
        **about,
        "alpha": alpha,
        "differences": differences(configs),
        "verdicts": verdicts,
        "cpu_seconds_per_gb": _cpu(segments, about.get("cpu_seconds") or {}, measured.get("sent_bytes") or {}),
        "schedule": measured.get("schedule") or {},
        "notes": [
            *(measured.get("notes") or ()),
            *dict.fromkeys(one for direct in DIRECTIONS for one in left_out[direct]),
        ],
        "segments": {side: list(measured["segments"][side]) for side in SIDES},
    }
    return {**comparison, "lines": list(_lines(comparison))}


def _pairs(segments: Mapping[str, Sequence[Segment]], direction: str) -> tuple[list[tuple[float, float]], list[str]]:
    """Rates of A and B that were measured beside each other, and why others were left out."""
    found = {side: {one.round: one for one in segments[side] if one.direction == direction} for side in SIDES}
    pairs, left_out = [], []
    for number in sorted(set(found[A]) | set(found[B])):
        both = [found[side].get(number) for side in SIDES]
        errors = [one.error for one in both if one is not None and one.error]
        if errors or None in both:
            left_out.append(f"A pair was left out: {errors[0] if errors else 'the other half is missing.'}")
        else:
            pairs.append((found[A][number].delivered, found[B][number].delivered))
    return pairs, left_out


def _cpu(
    segments: Mapping[str, Sequence[Segment]], seconds: Mapping[str, Any], sent: Mapping[str, Any]
) -> dict[str, float | None]:
    """Processor seconds of each server for a gigabyte of payload."""
    found: dict[str, float | None] = {}
    for side in SIDES:
        amount = sent.get(side) or sum(one.delivered * one.seconds / 8 for one in segments[side])
        used = seconds.get(side)
        found[side] = round(used / (amount / 1e9), 2) if used and amount > 1e6 else None
    return found


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    over = str(found.get("protocol", "")).upper()
    yield f"Comparison of two settings on {found.get('gateway')} over {over}, measured from {found.get('probe')}."
    overrides = found.get("overrides") or {}
    for side in SIDES:
        given = ", ".join(f"{name}: {value}" for name, value in (overrides.get(side) or {}).items())
        yield f"  {side.upper()}: {given or 'as the gateway is set'}"
    if not found["differences"]:
        yield "  The two are the same: this shows what chance does on this path."
    for direction in DIRECTIONS:
        verdict = found["verdicts"][direction]
        medians = ", ".join(f"{side.upper()} {_rate(verdict['median_bps'][side])}" for side in SIDES)
        yield f"{_WORDS[direction]}: {verdict['sentence']}"
        yield f"  medians: {medians}"
    cpu = found["cpu_seconds_per_gb"]
    if all(cpu.get(side) for side in SIDES):
        yield f"Processor time of the server, seconds a GB: A {cpu[A]:g}, B {cpu[B]:g} (one figure each, no test)."
    level = 100 * (1 - found["alpha"] / len(DIRECTIONS))
    yield (
        f"Test: Wilcoxon signed-rank, two-sided, on pairs in the order A B B A; each direction at {100 - level:g} %, "
        f"both together at {100 * found['alpha']:g} %. Intervals (Hodges-Lehmann) at {level:g} %."
    )
    yield from found["notes"]


def _rate(rate: float | None) -> str:
    return "nothing" if rate is None else f"{rate / 1e6:.1f} Mbit/s"
