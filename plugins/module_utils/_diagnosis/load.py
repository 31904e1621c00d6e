# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process used while it was measured, and whether that was all that it could get.

A process is the limit when it ran, or wanted to run and could not, nearly all of the time. Waiting for a core alone
says nothing: a process that sleeps half of the time between packets is not what the packets wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Listener, Sample
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import usable
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path, Segment

FULL_SHARE = 0.85
WAITING_SHARE, THROTTLED_SHARE, STEAL_SHARE = 0.10, 0.10, 0.10
_FEWEST_SAMPLES = 2
_FIRST_MOMENTS = 0.2


@dataclass(frozen=True)
class Load:
    """Shares of the time: running (of one core), waiting for a core, held by a quota, taken by others, in softirq."""

    cpu: float
    waiting: float
    throttled: float
    steal: float
    softirq: float
    full_share: float = 0.0

    def is_full(self, limit: float) -> bool:
        """Whether there was nothing left of so many cores."""
        held_back = self.waiting >= WAITING_SHARE or self.throttled >= THROTTLED_SHARE
        wanted = min(1.0, self.cpu + self.waiting + self.throttled)
        return self.cpu >= FULL_SHARE * limit or (held_back and wanted >= FULL_SHARE)


def limit_of(listener: Listener) -> float:
    """Cores that the process can use: it has one thread, and perhaps a quota."""
    quota = listener.quota
    return min(1.0, quota) if quota is not None and usable(quota) and quota > 0 else 1.0


def load_during(samples: Iterable[Sample], path: Path, segments: Sequence[Segment]) -> Load | None:
    """The load while segments were sent; the busiest quarter of all where the clocks cannot be compared.

    ``None`` where nobody watched meanwhile: another time, or another probe, says nothing of these segments.
    """
    every = [one for one in samples if usable(one.cpu) and usable(one.seconds)]
    if path.clock_offset is not None:
        start = path.started - path.clock_offset
        spans = [_span(start, one) for one in segments]
        within = [one for one in every if any(begin <= one.at - one.seconds / 2 <= end for begin, end in spans)]
        return average(within) if len(within) >= _FEWEST_SAMPLES else None
    busiest = sorted(every, key=lambda one: one.cpu + (one.throttled or 0.0), reverse=True)
    return average(busiest[: max(len(busiest) // 4, _FEWEST_SAMPLES)]) if len(busiest) >= _FEWEST_SAMPLES else None


def _span(start: float, segment: Segment) -> tuple[float, float]:
    """When a segment was sent, but for its first moments."""
    settled = segment.settled if segment.settled is not None and usable(segment.settled) else 0.0
    begin = start + segment.begin
    return begin + min(settled, _FIRST_MOMENTS), begin + settled + segment.seconds


def average(samples: Sequence[Sample]) -> Load | None:
    """The mean of samples, each with the weight of its time."""
    total = sum(one.seconds for one in samples)
    if total <= 0:
        return None

    def mean(name: str) -> float:
        values = [(getattr(one, name), one.seconds) for one in samples]
        known = [(value, seconds) for value, seconds in values if usable(value)]
        weight = sum(seconds for _value, seconds in known)
        return sum(value * seconds for value, seconds in known) / weight if weight > 0 else 0.0

    full = sum(one.seconds for one in samples if one.cpu >= FULL_SHARE) / total
    return Load(mean("cpu"), mean("waiting"), mean("throttled"), mean("steal"), mean("softirq"), full)
