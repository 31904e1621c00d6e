# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's own processor: looked at first, for it explains slow tunnels that look like the network's fault.

A full core is a fault only where it costs something: where the tunnel brought less than 0.85 of what the same path did
without it. Without a measurement outside, and without any probe, a core that is full most of the time is a fault by
itself, less certain.

Silenced by this: slow tunnels without another reason (cannot_tell), a UDP limit that only tunnels show, and fixed
buffers as the present limit. Not silenced: what is measured outside the tunnel, which does not pass through OpenVPN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.cpu_remedies import remedies
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    CPU_BOUND,
    FAULT,
    LIKELY,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Listener,
    Observations,
    Sample,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.load import (
    FULL_SHARE,
    STEAL_SHARE,
    THROTTLED_SHARE,
    WAITING_SHARE,
    Load,
    average,
    limit_of,
    load_during,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    median,
    ratios_to_outside,
    segments_of,
    tcp_rate,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    OUTSIDE,
    TUNNEL_TCP,
    TUNNEL_UDP,
    Path,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    listeners_of,
    whereto,
)

SLOWER = 0.85
_MOST_PROCESSES = 64


@dataclass(frozen=True)
class Bound:
    """A process that could not do more, in one situation.

    :param rate: What came through; 0 where nobody measured. :param outside: What did without the VPN.
    """

    listener: Listener
    load: Load
    certainty: str
    direction: str = ""
    rate: float = 0.0
    outside: float | None = None

    @property
    def reason(self) -> str:
        """What keeps the process from doing more: quota, others (neighbours on this host), or the core itself."""
        if self.load.throttled >= THROTTLED_SHARE or limit_of(self.listener) < 1:
            return "quota"
        return "others" if self.load.waiting >= WAITING_SHARE and self.load.cpu < FULL_SHARE else "core"


def find_cpu(observations: Observations, _found: Found) -> Iterator[Finding]:
    """A core, a quota or a hypervisor that holds the gateway back: one finding for all of it."""
    bounds = list(_bounds(observations))
    machine = _machine(observations, slow=bool(bounds) or _any_slow(observations))
    if not bounds and machine is None:
        return
    # The slowest first.
    bounds.sort(key=lambda one: (one.certainty != CERTAIN, one.rate, one.listener.name))
    certainty = bounds[0].certainty if bounds else LIKELY
    evidence = [*(_evidence(one) for one in bounds), *(machine or ())]
    yield Finding(
        cause=CPU_BOUND,
        weight=FAULT,
        certainty=certainty,
        title=_title(bounds),
        explanation=_explanation(bounds),
        evidence=(*evidence, *_cost(bounds, observations.gateway.machine.megahertz)),
        remedies=_remedies(observations, bounds, stolen=machine is not None),
        gateway=observations.gateway.name,
        figures=_figures(bounds, observations),
    )


def _bounds(observations: Observations) -> Iterator[Bound]:
    for path in observations.paths:
        for place in (TUNNEL_UDP, TUNNEL_TCP):
            for direction in DIRECTIONS:
                bound = _paired(observations, path, (place, direction))
                if bound is not None:
                    yield bound
    if not observations.paths:
        yield from _alone(observations)


def _paired(observations: Observations, path: Path, where: tuple[str, str]) -> Bound | None:
    """The process of a tunnel that brought less than the path outside, and could not do more."""
    segments = segments_of(path, *where)
    ratio = median(ratios_to_outside(path, *where))
    if not segments or (ratio is not None and ratio >= SLOWER):
        return None
    for listener in listeners_of(observations.gateway, where[0]):
        load = load_during(_samples(observations, listener.name), path, segments)
        if load is not None and load.is_full(limit_of(listener)):
            rate = median(one.delivered for one in segments) or 0.0
            certainty = CERTAIN if ratio is not None else LIKELY
            return Bound(listener, load, certainty, where[1], rate, tcp_rate(path, OUTSIDE, where[1]))
    return None


def _alone(observations: Observations) -> Iterator[Bound]:
    """Without a probe: processes that were full for most of the time that they were looked at."""
    for listener in observations.gateway.listeners:
        load = average(_samples(observations, listener.name))
        if load is not None and load.is_full(limit_of(listener)):
            yield Bound(listener, load, LIKELY)


def _samples(observations: Observations, name: str) -> list[Sample]:
    return [one for one in observations.gateway.samples if one.listener == name]


def _any_slow(observations: Observations) -> bool:
    return any(
        (median(ratios_to_outside(path, place, direction)) or 1.0) < SLOWER
        for path in observations.paths
        for place in (TUNNEL_UDP, TUNNEL_TCP)
        for direction in DIRECTIONS
    )


def _machine(observations: Observations, *, slow: bool) -> tuple[Evidence, ...] | None:
    """What the hypervisor took, and packets that one core has to sort, where either fills the busiest core.

    :param slow: Whether a tunnel brings less than the path outside.
    """
    samples = _samples(observations, "")
    if observations.paths:
        samples = sorted(samples, key=lambda one: one.cpu, reverse=True)[: max(len(samples) // 4, 3)]
    load = average(samples)
    if load is None:
        return None
    found = []
    if load.steal >= STEAL_SHARE and load.cpu + load.steal >= FULL_SHARE and (slow or not observations.paths):
        found.append(f"The hypervisor gave {wording.share(load.steal)} of the processor's time to other machines.")
        if observations.gateway.machine.burstable:
            kind = observations.gateway.machine.instance_type or "instance"
            found.append(
                f"This {kind} earns credits while it is idle and is held back when they are spent; that is what a share"
                " taken under load looks like."
            )
    if load.softirq >= FULL_SHARE and slow:
        found.append(f"One core spent {wording.share(load.softirq)} of its time on receiving packets (softirq).")
    return (Evidence(" ".join(found), "proc"),) if found else None


def _wanted(bounds: list[Bound]) -> int:
    """How many processes would fill the path, by the slowest."""
    first = bounds[0]
    return max(2, min(math.ceil((first.outside or 0.0) / first.rate), _MOST_PROCESSES)) if first.rate > 0 else 2


def _remedies(observations: Observations, bounds: list[Bound], *, stolen: bool) -> tuple[Remedy, ...]:
    by_reason: dict[str, list[Listener]] = {}
    for one in bounds:
        listeners = by_reason.setdefault(one.reason, [])
        if one.listener not in listeners:
            listeners.append(one.listener)
    wanted = _wanted(bounds) if bounds else 0
    rate = bounds[0].rate if bounds else 0.0
    return remedies(observations.gateway, by_reason, wanted=wanted, rate=rate, stolen=stolen)


def _title(bounds: list[Bound]) -> str:
    if not bounds:
        return "The gateway does not get the processor time it needs"
    first = bounds[0]
    names = sorted({f"'{one.listener.name}'" for one in bounds if one.reason == first.reason})
    processes = f"the VPN process{'es' if len(names) > 1 else ''} {wording.listed(names)}"
    if first.reason == "quota":
        cores = first.listener.quota
        allowed = f" of {cores:.2g} cores" if cores is not None else ""
        return f"A CPU quota{allowed} holds back {processes}"
    if first.reason == "others":
        return f"Other programs keep {processes} from the processor"
    return (
        f"One processor core is full with each of {processes}" if len(names) > 1 else f"A core is full with {processes}"
    )


def _explanation(bounds: list[Bound]) -> str:
    text = {
        "quota": "The system lets such a process run for a part of the time only, whatever the processor has left.",
        "others": "The process is ready to run and has to wait for a core, again and again.",
        "core": "One OpenVPN process uses one core at most, however many the machine has.",
        "": "The processor is there, and others use it.",
    }[bounds[0].reason if bounds else ""]
    text += " Everybody on this gateway shares what is left."
    if bounds and bounds[0].rate:
        text += f" At the moment that is about {wording.rate(bounds[0].rate)}."
    return text


def _evidence(bound: Bound) -> Evidence:
    load, listener = bound.load, bound.listener
    text = f"The process of '{listener.name}' used {wording.share(load.cpu)} of one core"
    if limit_of(listener) < 1:
        text += f", and its quota allows {wording.share(limit_of(listener))}"
    if load.throttled >= THROTTLED_SHARE:
        text += f"; its quota kept it from running {wording.share(load.throttled)} of the time"
    if load.waiting >= WAITING_SHARE:
        text += f"; it waited for a core {wording.share(load.waiting)} of the time"
    if not bound.direction:
        return Evidence(f"{text}.", "proc")
    text += f", while {wording.rate(bound.rate)} came through {whereto(bound.direction)}"
    if bound.outside:
        text += f"; the same path brings {wording.rate(bound.outside)} without the VPN"
    return Evidence(f"{text}.", "proc, iperf3")


def _cost(bounds: list[Bound], megahertz: float | None) -> Iterator[Evidence]:
    """What a gigabyte costs, for those who size a gateway."""
    listeners = {one.listener.name: one.listener for one in reversed(bounds)}
    for name, listener in sorted(listeners.items(), key=lambda item: item[0]):
        if listener.cpu_seconds and listener.octets > 0:
            cost = listener.cpu_seconds / listener.octets * 1e9
            cycles = f", {megahertz * cost / 1e3:.0f} cycles a byte" if megahertz else ""
            text = f"'{name}' used {cost:.1f} seconds of a core for each gigabyte{cycles}."
            yield Evidence(text, "proc, management")


def _figures(bounds: list[Bound], observations: Observations) -> tuple[tuple[str, float], ...]:
    if not bounds:
        return ()
    first = bounds[0]
    found = [("cpu_cores", first.load.cpu), ("cpu_limit_cores", limit_of(first.listener))]
    megahertz = observations.gateway.machine.megahertz
    if first.rate > 0:
        found.append(("rate_bps", first.rate))
        if megahertz:
            found.append(("megahertz_per_mbit", megahertz * first.load.cpu / (first.rate / 1e6)))
    if first.listener.cpu_seconds and first.listener.octets > 0:
        found.append(("cpu_seconds_per_gigabyte", first.listener.cpu_seconds / first.listener.octets * 1e9))
    return tuple(found)
