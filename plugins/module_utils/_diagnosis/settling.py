# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of a stretch of traffic counts: what comes before it has settled is left out.

TCP needs time to find the rate, and a policer lets a burst pass before it cuts: its bucket of tokens has to be empty.
How long that takes is seen in the intervals, where the rate falls once and stays low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A fall is one if the rate after it is at most this share of the rate before it, ...
FALL = 0.8
# ... at least so many intervals lie on either side of it, ...
SIDE = 3
# ... and the two levels explain the variation but for this share: a rate that merely wavers has no levels.
UNEXPLAINED = 0.35


@dataclass(frozen=True)
class Interval:
    """What arrived between two moments; seconds count from the beginning of the traffic."""

    start: float
    seconds: float
    bytes: int
    packets: int = 0
    lost: int = 0

    @property
    def rate(self) -> float:
        """Bits per second."""
        return self.bytes * 8 / self.seconds if self.seconds > 0 else 0.0


def settled(intervals: Sequence[Interval], least: float) -> tuple[Interval, ...]:
    """The intervals that count: those after ``least`` seconds, and after the burst if the rate falls once.

    The last interval is left out where it is cut short. Of traffic shorter than ``least`` the last third counts.
    """
    whole = [one for one in intervals if one.seconds > 0]
    if not whole:
        return ()
    usual = sorted(one.seconds for one in whole)[len(whole) // 2]
    if whole[-1].seconds < 0.8 * usual and len(whole) > 1:
        whole.pop()
    late = [one for one in whole if one.start >= least - 0.3 * usual] or whole[-max(1, len(whole) // 3) :]
    fall = _fall([one.rate for one in whole])
    after = whole[fall + 1 :] if fall and len(whole) - fall > SIDE else []
    return tuple(late if not after or len(after) > len(late) else after)


def _fall(rates: Sequence[float]) -> int:
    """The place of the first interval after the one great fall of the rate, 0 where there is none."""
    total = _scatter(rates)
    best, place = total, 0
    for split in range(1, len(rates) - SIDE + 1):
        rest = _scatter(rates[:split]) + _scatter(rates[split:])
        if rest < best:
            best, place = rest, split
    if not place or best > UNEXPLAINED * total:
        return 0
    return place if _mean(rates[place:]) <= FALL * _mean(rates[:place]) else 0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _scatter(values: Sequence[float]) -> float:
    middle = _mean(values)
    return sum((value - middle) ** 2 for value in values)
