# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A measurement of one path, from this host to a gateway, within limits; nothing of it is left behind.

First what needs no traffic, all at once: tunnels, routers, ports, clocks, the largest packet, name servers. Then one
transfer after the other, chosen by what the earlier ones have shown, with echoes on every place all the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import probe_look as look
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_echo import Echoes, find_mtu
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import (
    Children,
    ended_by_signals,
    ended_children,
    find_program,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import ProbeSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_traffic import Traffic, smallest_packet
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_tunnel import (
    ProbeTunnel,
    load_profile,
    opened_tunnels,
    why_no_tunnel,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.version import VERSION
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.budget import RESERVED_BYTES, Spent
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.iperf3 import Transfer
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    DOWN,
    LOW_RATE,
    OUTSIDE,
    TCP,
    TUNNEL_UDP,
    UDP,
    Path,
    Reach,
    Segment,
    Tunnel,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.rounds import (
    PAIRS,
    Known,
    describe_plan,
    missing_pairs,
    next_order,
    pair_ceiling,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock

LOCK = FilePath("/run/privatespace-probe.lock")
_UNKNOWN_ROUND_TRIP = 0.1
# Datagrams that the probe's own socket dropped, as a share of those that were sent: where loss is looked for, and else.
_OWN_LOSS_LOW, _OWN_LOSS = 0.003, 0.03


def plan_of(settings: ProbeSettings) -> list[str]:
    """What a measurement would do, a sentence each; nothing is sent for it."""
    places = [one.place for one in settings.window.one_of_each()] if settings.profile else []
    return describe_plan(
        settings.limits,
        probe=settings.probe,
        gateway=settings.gateway,
        address=settings.window.address,
        tunnels=places,
    )


def measure(settings: ProbeSettings, *, lock: FilePath = LOCK) -> Path:
    """Measure, in the main thread of a process, as root.

    :raises StateError: this is not root, or the profile cannot be read.
    :raises BusyError: another measurement runs on this host.
    :raises StoppedError: this process was told to end.
    """
    if os.geteuid() != 0:
        raise StateError("A measurement needs root.", remedy="Run the task with 'become: true'.")
    # A probe without one measures outside the tunnel, and says so.
    profile = load_profile(settings.profile) if settings.profile and settings.profile.exists() else ""
    begin = time.monotonic()
    alone = exclusive_lock(lock, wait_seconds=0, what="The measuring from this host")
    with alone, ended_by_signals(), ended_children(begin + settings.limits.seconds) as children:
        return _Measurement(settings, children, begin).run(profile)


@dataclass
class _Seen:
    """What has been found so far."""

    tunnels: tuple[Tunnel, ...] = ()
    segments: list[Segment] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    busy: list[float] = field(default_factory=list)

    @property
    def busiest(self) -> float | None:
        """The busiest core in a transfer that used much of it, but not in a single one that stands out."""
        return round(sorted(self.busy)[len(self.busy) * 3 // 4], 3) if self.busy else None


class _Measurement:
    def __init__(self, settings: ProbeSettings, children: Children, begin: float) -> None:
        self.settings = settings
        self.window = settings.window
        self.children = children
        self.begin = begin
        self.started = epoch_seconds()
        self.seen = _Seen()
        self.echoes = Echoes(children, self.started)
        self.spent = Spent()

    def run(self, profile: str) -> Path:
        with opened_tunnels(self._tunnels(profile)) as tunnels:
            for tunnel in tunnels:
                tunnel.start(profile, folder=(self.settings.profile or FilePath("/")).parent)
            if self._has("ping", "iputils-ping", "echoes and the largest packet"):
                self.echoes.start(OUTSIDE, self.window.address)
            connected = self._be_quiet(tunnels)
            if self._has("iperf3", "iperf3", "throughput"):
                self._send_all(connected)
            echoes = self.echoes.finish(self.seen.segments)
            if find_program("ping") and not any(one.place == OUTSIDE for one in echoes):
                self._leave_out(f"The gateway answers no ping at {self.window.address}, so there are no echoes of it.")
            logs = tuple(count for tunnel in tunnels for count in tunnel.logs())
        return Path(
            probe=self.settings.probe, gateway=self.settings.gateway, address=self.window.address,
            started=self.started, seconds=round(time.monotonic() - self.begin, 3),
            ceiling=self.seen.more.pop("ceiling", 0.0), sent_down=round(self.spent.down), sent_up=round(self.spent.up),
            segments=tuple(self.seen.segments), echoes=echoes, tunnels=self.seen.tunnels, logs=logs,
            probe_cpu=self.seen.busiest, probe_version=VERSION,
            unmeasured=tuple(self.seen.unmeasured), **self.seen.more,
        )  # fmt: skip

    def _tunnels(self, profile: str) -> list[ProbeTunnel]:
        given = f"there is no profile {self.settings.profile}" if self.settings.profile else "no 'profile' was given"
        why = why_no_tunnel() if profile else f"Nothing was measured inside a tunnel: {given}."
        if why:
            self._leave_out(why)
            return []
        return [
            ProbeTunnel(
                self.children,
                one,
                address=self.window.address,
                others=[other for other in self.window.tunnels if other.transport == one.transport],
            )
            for one in self.window.one_of_each()
        ]

    def _be_quiet(self, tunnels: Sequence[ProbeTunnel]) -> tuple[ProbeTunnel, ...]:
        """Everything that is not traffic; returns the tunnels that are connected."""
        own = look.device_to(self.children, self.window.tunnels[0].tunnel_address) if self.window.tunnels else ""
        with ThreadPoolExecutor(12) as pool:
            try:
                waiting = {tunnel: pool.submit(tunnel.wait) for tunnel in tunnels}
                mtus = [pool.submit(self._mtu, OUTSIDE, self.window.address)]
                ports = pool.submit(look.look_at_ports, self.window)
                hops = pool.submit(self._hops)
                # What this host asks while its user is connected tells about leaks; else it is only its own.
                place, source = (TUNNEL_UDP, "system") if look.is_tunnel(own) else (OUTSIDE, "probe")
                lookups = [pool.submit(self._look_up, one, place, source) for one in look.system_resolvers()]
                self.seen.tunnels = tuple(one.result() for one in waiting.values())
                connected = tuple(one for one, future in waiting.items() if future.result().connected)
                for tunnel in connected:
                    mtus += [pool.submit(self._mtu, tunnel.window.place, tunnel.window.tunnel_address)]
                    lookups += self._pushed_lookups(pool, tunnel, waiting[tunnel].result())
                self._start_echoes(connected)
                self._collect(mtus, lookups, ports, hops)
            except BaseException:
                # The threads wait for programs.
                self.children.stop_all()
                raise
        return connected

    def _start_echoes(self, connected: Sequence[ProbeTunnel]) -> None:
        """In the main thread, which lives as long as they do; some of them with nothing else under way."""
        if find_program("ping"):
            for tunnel in connected:
                self.echoes.start(tunnel.window.place, tunnel.window.tunnel_address)
            self.echoes.idle(OUTSIDE, self.window.address)

    def _collect(
        self, mtus: Sequence[Future[Any]], lookups: Sequence[Future[Any]], ports: Future[Any], hops: Future[Any]
    ) -> None:
        reaches, offset = ports.result()
        self.seen.more = {
            "mtus": tuple(one for one in (future.result() for future in mtus) if one is not None),
            "lookups": tuple(one for future in lookups for one in future.result()),
            "reaches": (*reaches, *self._reached_tunnels()),
            "hops": hops.result(),
            "clock_offset": offset,
        }
        for tunnel in self.seen.tunnels:
            if not tunnel.connected:
                self._leave_out(f"Nothing was measured in the tunnel by {tunnel.transport.upper()}: {tunnel.error}")

    def _reached_tunnels(self) -> list[Reach]:
        """Of UDP only a handshake tells; that it fails may have other reasons, unless TCP is let in."""
        others = any(one.connected for one in self.seen.tunnels)
        return [
            Reach(UDP, one.port, True if one.connected or one.answered else False if others else None, one.error)
            for one in self.seen.tunnels
            if one.transport == UDP
        ]

    def _mtu(self, place: str, address: str) -> Any:
        if not find_program("ping"):
            return None
        device = look.device_to(self.children, address)
        return find_mtu(
            self.children, place, address, link=look.device_mtu(device), kernel_mtu=look.learnt_mtu(address)
        )  # fmt: skip

    def _hops(self) -> tuple[Any, ...]:
        if find_program("mtr") or find_program("traceroute"):
            return look.look_at_hops(self.children, self.window.address)
        self._leave_out("The routers of the path are not known: install the package mtr-tiny on the probe.")
        return ()

    def _look_up(self, resolver: str, place: str, source: str) -> tuple[Any, ...]:
        return look.look_up(resolver, self.settings.names, place=place, source=source)

    def _pushed_lookups(self, pool: ThreadPoolExecutor, tunnel: ProbeTunnel, found: Tunnel) -> list[Future[Any]]:
        inside = tunnel.window.tunnel_address
        others = [one for one in found.resolvers if one != inside]
        if others and self.settings.names:
            self._leave_out(
                f"{', '.join(others)} was not asked in the tunnel by {found.transport.upper()}: only the gateway's own"
                " address is routed into it."
            )
        mine = [one for one in found.resolvers if one == inside]
        return [pool.submit(self._look_up, one, tunnel.window.place, "pushed") for one in mine]

    def _send_all(self, connected: Sequence[ProbeTunnel]) -> None:
        """One transfer after the other until the plan has none that fits."""
        mtus = self.seen.more["mtus"]
        known = Known(
            tunnels=tuple(one.window.place for one in connected),
            round_trip=self.echoes.round_trip(OUTSIDE) or _UNKNOWN_ROUND_TRIP,
            second_port=len(self.window.outside_ports) > 1,
            packet=smallest_packet(mtus, most=1200),
        )
        reached = replace(self.window, tunnels=tuple(one.window for one in connected))
        traffic = Traffic(self.children, reached, begin=self.begin, round_trip=known.round_trip)
        traffic.heed(mtus)
        segments = self.seen.segments
        while True:
            self.spent = replace(self.spent, seconds=time.monotonic() - self.begin)
            order = next_order(self.settings.limits, known, segments, self.spent)
            if order is None:
                break
            before, overflows = look.core_seconds(), look.overflowed_datagrams()
            transfer = traffic.send(order)
            self.seen.busy.append(look.busiest_core(before, look.core_seconds()))
            self.spent = self.spent.plus(order, *_reported(transfer))
            segments.append(_without_own_loss(transfer.segment, look.overflowed_datagrams() - overflows))
        self.spent = replace(self.spent, down=self.spent.down + RESERVED_BYTES, up=self.spent.up + RESERVED_BYTES)
        self.seen.more["ceiling"] = pair_ceiling(self.settings.limits, known, segments)
        self._tell_of_gaps(known)

    def _tell_of_gaps(self, known: Known) -> None:
        for direction in DIRECTIONS:
            missing = missing_pairs(self.settings.limits, known, self.seen.segments, direction)
            if missing:
                self._leave_out(
                    f"{missing} of {PAIRS} pairs of TCP and UDP {direction} are missing: they failed, or 'seconds' and"
                    " 'megabytes' left no room."
                )
        for error in dict.fromkeys(one.error for one in self.seen.segments if one.error and one.protocol == TCP):
            self._leave_out(f"A transfer failed: {error}")

    def _has(self, program: str, package: str, what: str) -> bool:
        if find_program(program):
            return True
        self._leave_out(f"Not measured: {what}; {program} is missing: install the package {package} on the probe.")
        return False

    def _leave_out(self, sentence: str) -> None:
        if sentence not in self.seen.unmeasured:
            self.seen.unmeasured.append(sentence)


def _reported(transfer: Transfer) -> tuple[float | None, int]:
    """What was sent and sent again. The gateway says so of its own side: not less than what arrived here counts."""
    segment = transfer.segment
    arrived = segment.delivered * segment.seconds / 8
    return None if transfer.sent is None else max(arrived, float(transfer.sent)), max(0, transfer.resent)


def _without_own_loss(segment: Segment, overflows: int) -> Segment:
    """What this host itself was too slow to take says nothing about the path."""
    own = overflows / segment.datagrams if segment.datagrams else 0.0
    most = _OWN_LOSS_LOW if segment.purpose == LOW_RATE else _OWN_LOSS
    if (segment.protocol, segment.direction) != (UDP, DOWN) or segment.error or own < most:
        return segment
    return replace(segment, error=f"The probe was too busy to take {overflows} datagrams that had reached it.")
