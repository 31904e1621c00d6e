# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenVPN servers that run in this network namespace, whoever set them up, with all that a look at them needs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import configuration_readings
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.processor_readings import (
    ProcessTimes,
    find_control_group,
    parse_process_seconds,
    parse_quota,
    parse_schedstat,
    parse_start_ticks,
    parse_throttled,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import inner_port
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import (
    PROC,
    Program,
    running_programs,
)

CONTROL_GROUPS = Path("/sys/fs/cgroup")
_MANAGEMENT = re.compile(r"^(/\S+) unix\b")
_ONE_OF_SEVERAL = re.compile(r"(.+)-(\d{1,2})")


@dataclass(frozen=True)
class ListenerProcess:
    """One server process.

    :param socket: Its management interface, or ``None`` where it has none on a socket.
    :param log: The file that it logs to, or ``None`` where that is the journal.
    :param start_ticks: With ``pid`` it names the process for good.
    """

    name: str
    program: Program
    options: Mapping[str, str]
    text: str = ""
    socket: Path | None = None
    log: Path | None = None
    start_ticks: int | None = None

    @property
    def pid(self) -> int:
        """Its number."""
        return self.program.pid

    @property
    def transport(self) -> str:
        """``udp`` or ``tcp``."""
        return configuration_readings.transport_of(self.options)

    @property
    def port(self) -> int:
        """The port on which it waits."""
        return configuration_readings.port_of(self.options)


@dataclass(frozen=True)
class TunnelAddress:
    """An address of the gateway inside a tunnel, and the device that has it."""

    listener: ListenerProcess
    device: str
    address: str


def find_listeners(proc: Path = PROC) -> tuple[ListenerProcess, ...]:
    """The servers, by number; those whose configuration is gone included, with no options then."""
    programs = [one for one in running_programs(proc) if in_this_network(one.pid, proc)]
    servers = {(one.pid, one.config) for one in programs}
    # What passes browsers on is a child of its server, and neither serves clients nor has an address.
    found = (_look(one, proc) for one in programs if (one.parent, one.config) not in servers)
    return _with_own_names([one for one in found if one is not None])


def in_this_network(pid: int, proc: Path = PROC) -> bool:
    """Whether a process has the network that this program sees."""
    return _network_of(proc / str(pid)) == _network_of(proc / "self")


def public_port(one: ListenerProcess, listeners: Sequence[ListenerProcess]) -> int:
    """The port that clients connect to: of several processes of one listener, all but the first wait on inner ports."""
    named = _ONE_OF_SEVERAL.fullmatch(one.name)
    if named is not None:
        for first in listeners:
            same = (first.name, first.transport) == (f"{named.group(1)}-1", one.transport)
            if same and one.port == inner_port(first.port, int(named.group(2))):
                return first.port
    return one.port


def find_tunnels(
    listeners: Sequence[ListenerProcess], links: Sequence[Mapping[str, Any]]
) -> tuple[tuple[TunnelAddress, ...], tuple[str, ...]]:
    """The gateway's addresses in the tunnels, and a sentence for each server that has none.

    :param links: Of ``ip -json address show``.
    """
    devices = {
        str(one["local"]): str(link.get("ifname"))
        for link in links
        for one in link.get("addr_info", ())
        if one.get("local")
    }
    found, missing = [], []
    for listener in listeners:
        own = [one for one in configuration_readings.server_addresses(listener.options) if one in devices]
        found += [TunnelAddress(listener, devices[one], one) for one in own]
        if not own:
            missing.append(f"The listener '{listener.name}' has no address of its own in its tunnel.")
    return tuple(found), tuple(missing)


def read_times(listener: ListenerProcess, proc: Path = PROC, groups: Path = CONTROL_GROUPS) -> ProcessTimes | None:
    """What a process has used so far; ``None`` where it is gone, or another one has its number."""
    folder = proc / str(listener.pid)
    stat = read_text(folder / "stat")
    if parse_start_ticks(stat) != listener.start_ticks:
        return None
    exact = parse_schedstat(read_text(folder / "schedstat"))
    ticks = parse_process_seconds(stat, ticks_per_second=os.sysconf("SC_CLK_TCK"))
    if exact is None and ticks is None:
        return None
    used, waited = exact if exact is not None else (ticks or 0.0, None)
    said = [parse_throttled(read_text(group / "cpu.stat")) for group in _groups(folder, groups)]
    throttled = [one for one in said if one is not None]
    return ProcessTimes(used, waited, sum(throttled) if throttled else None)


def read_quota(pid: int, proc: Path = PROC, groups: Path = CONTROL_GROUPS) -> float | None:
    """The cores that a process may use: the least that its control group and those above allow."""
    quotas = [parse_quota(read_text(group / "cpu.max")) for group in _groups(proc / str(pid), groups)]
    limits = [one for one in quotas if one is not None]
    return min(limits) if limits else None


def read_text(path: Path) -> str:
    """The content of a small file of the kernel's; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _groups(folder: Path, groups: Path) -> list[Path]:
    """The control group of a process and those above it, but for the root, which has no limit."""
    name = find_control_group(read_text(folder / "cgroup"))
    if not name:
        return []
    own = groups / name.lstrip("/")
    # In a container the root of what is seen is somebody's group, with a limit of its own.
    return [one for one in (own, *own.parents) if one == groups or groups in one.parents]


def _network_of(folder: Path) -> str:
    try:
        return str((folder / "ns" / "net").readlink())
    except OSError:
        return ""


def _look(program: Program, proc: Path) -> ListenerProcess | None:
    text = read_text(program.config)
    options = configuration_readings.parse_options(text)
    if options and not configuration_readings.is_server(options):
        return None
    management = _MANAGEMENT.match(options.get("management", ""))
    socket = None if management is None else Path(management.group(1))
    ticks = parse_start_ticks(read_text(proc / str(program.pid) / "stat"))
    return ListenerProcess(program.config.stem, program, options, text, socket, _log_file(program.pid, proc), ticks)


def _log_file(pid: int, proc: Path) -> Path | None:
    """Where standard output goes: OpenVPN points it to the file of its option, and a supervisor to one of its own."""
    try:
        target = (proc / str(pid) / "fd" / "1").readlink()
        return target if target.is_absolute() and target.is_file() else None
    except OSError:
        return None


def _with_own_names(found: list[ListenerProcess]) -> tuple[ListenerProcess, ...]:
    """Two files of one name in two folders are told apart by their processes."""
    names = [one.name for one in found]
    return tuple(
        one
        if names.count(one.name) == 1
        else ListenerProcess(
            f"{one.name}-{one.pid}", one.program, one.options, one.text, one.socket, one.log, one.start_ticks
        )
        for one in found
    )
