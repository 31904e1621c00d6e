# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway's cores, processes, connections and counters do over a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import (
    ListenerProcess,
    read_text,
    read_times,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Interface,
    Sample,
    TcpSession,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.network_readings import (
    merge_sessions,
    parse_device_counters,
    parse_links,
    parse_tcp_sessions,
    parse_udp_counters,
    since,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.processor_readings import (
    Moment,
    compare_moments,
    parse_core_times,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import PROC

SECONDS = 5.0
# How often connections are looked at: that costs a process each time.
SESSIONS_SECONDS = 1.0
SPEEDS = Path("/sys/class/net")


@dataclass
class Sampling:
    """What is seen from its making on.

    :param listeners: The processes that are watched.
    """

    listeners: Sequence[ListenerProcess]
    samples: list[Sample] = field(default_factory=list)
    _sessions: dict[str, list[tuple[TcpSession, ...]]] = field(default_factory=dict)
    _asked_at: float = 0.0

    def __post_init__(self) -> None:
        self._devices = parse_device_counters(read_text(PROC / "net/dev"))
        self._udp = read_udp_counters()
        self._first = self._last = self._moment()

    def look(self) -> None:
        """One more sample of each, and of the connections now and then."""
        moment = self._moment()
        self.samples += compare_moments(self._last, moment)
        self._last = moment
        if moment.clock - self._asked_at >= SESSIONS_SECONDS:
            self._asked_at = moment.clock
            for listener in self.listeners:
                if listener.transport == "tcp":
                    self._sessions.setdefault(listener.name, []).append(read_tcp_sessions(listener.port))

    def interfaces(self) -> tuple[Interface, ...]:
        """The devices, with what was added since the beginning."""
        return since(read_interfaces(), self._devices)

    def udp_errors(self) -> dict[str, int]:
        """Errors of UDP since the beginning."""
        return {name: max(0, count - self._udp.get(name, 0)) for name, count in read_udp_counters().items()}

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used since the beginning."""
        begin, end = self._first.processes, self._last.processes
        return {name: round(end[name].used - begin[name].used, 4) for name in end if name in begin}

    def sessions(self) -> dict[str, tuple[TcpSession, ...]]:
        """The connections of each listener on TCP."""
        return {name: merge_sessions(readings) for name, readings in self._sessions.items()}

    def _moment(self) -> Moment:
        times = {one.name: read_times(one) for one in self.listeners}
        return Moment(
            at=epoch_seconds(),
            clock=time.monotonic(),
            cores=parse_core_times(read_text(PROC / "stat")),
            processes={name: one for name, one in times.items() if one is not None},
        )


def read_udp_counters() -> dict[str, int]:
    """Errors of UDP since the machine was started."""
    return parse_udp_counters(read_text(PROC / "net/snmp"), read_text(PROC / "net/snmp6"))


def read_interfaces() -> tuple[Interface, ...]:
    """The network devices, with counters since they were made; none where ``ip`` does not tell."""
    try:
        shown = run_command(("ip", "-json", "-details", "-statistics", "link"), timeout_seconds=SECONDS).output
    except CollectionError:
        return ()
    found = parse_links(shown)
    # What virtual devices say of their speed is made up.
    speeds = {one.name: _speed(one.name) if one.kind == "ether" else None for one in found}
    return tuple(replace(one, speed=speeds[one.name]) for one in found)


def read_tcp_sessions(port: int) -> tuple[TcpSession, ...]:
    """The connections to a port of this host; none where ``ss`` does not tell."""
    argv = ("ss", "--tcp", "--info", "--numeric", "--no-header", "state", "established", f"sport = :{port}")
    try:
        return parse_tcp_sessions(run_command(argv, timeout_seconds=SECONDS).output)
    except CollectionError:
        return ()


def _speed(name: str) -> float | None:
    """Bits per second; a device that has none says -1, or nothing."""
    text = read_text(SPEEDS / name / "speed").strip()
    return int(text) * 1e6 if text.isdecimal() and int(text) > 0 else None


def octets_added(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What each listener has carried between two counts; a process that was started anew counts from 0."""
    known = {name: (before[name], count) for name, count in after.items() if name in before}
    return {name: last - first if last >= first else last for name, (first, last) in known.items()}
