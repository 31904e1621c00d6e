# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A listener as a person or a program wants to see it: what it says of itself beside what the host says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import Management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.offload import judge_offload
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import SOCKET_FOLDER, Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import Program
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    ANSWERED,
    SILENT,
    ListenerState,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import Unit

_DEVICE = re.compile(r"^\s*dev\s+(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Surroundings:
    """What the host says of its listeners.

    :param processes: By management socket, ``programs`` by number.
    :param units: By name; empty on a host without systemd.
    :param link_kinds: What each network device is, by name.
    :param modules: Modules of the kernel for data channel offload.
    """

    processes: Mapping[Path, Process] = field(default_factory=dict)
    programs: Mapping[int, Program] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    link_kinds: Mapping[str, str] = field(default_factory=dict)
    modules: AbstractSet[str] = frozenset()


def look_at_listener(path: Path, management: Management) -> ListenerState:
    """Sessions and the server's own facts, in one short conversation: the socket is needed by others, too."""
    return ListenerState(path, ANSWERED, management.sessions(), facts=management.facts())


def unit_of(socket: Path) -> str:
    """The unit that serves a management socket; empty for one that is not where the units have theirs."""
    return f"openvpn-server@{socket.stem}.service" if socket.parent == SOCKET_FOLDER else ""


def describe_listener(state: ListenerState, around: Surroundings) -> dict[str, Any]:
    """Everything that is known of one listener, in plain types."""
    process = around.processes.get(state.socket)
    facts = state.facts
    program = None if facts is None else around.programs.get(facts.pid)
    started_at = program.started_at if program is not None else (process.started_at if process is not None else None)
    if started_at is None and facts is not None:
        started_at = facts.connected_since
    listener: dict[str, Any] = {
        "name": state.name,
        "socket": str(state.socket),
        "state": state.state,
        "pid": facts.pid if facts is not None else (None if process is None else process.pid),
        "version": "" if facts is None else facts.version,
        "connected_since": None if facts is None else facts.connected_since,
        "started_at": started_at,
        "stale": process is not None and process.stale,
        "sessions": len(state.sessions),
        "bytes_received": 0 if facts is None else facts.bytes_received,
        "bytes_sent": 0 if facts is None else facts.bytes_sent,
    }
    listener["dco"], listener["dco_reason"] = _offload(state, process, around)
    listener["problems"] = list(_problems(listener, state, around))
    return listener


def _offload(state: ListenerState, process: Process | None, around: Surroundings) -> tuple[str, str]:
    if state.facts is None:
        return "unknown", "the listener does not answer"
    config = "" if process is None else process.text
    device = _DEVICE.search(config)
    kind = None if device is None else around.link_kinds.get(device.group(1))
    return judge_offload(state.facts, link_kind=kind, modules=around.modules, config=config)


def _problems(listener: Mapping[str, Any], state: ListenerState, around: Surroundings) -> list[str]:
    name, facts = listener["name"], state.facts
    if state.state == SILENT:
        return [state.error or f"The listener '{name}' does not answer."]
    if facts is None:
        return [f"The listener '{name}' does not run."]
    found = []
    unit = around.units.get(unit_of(state.socket))
    if unit is not None and unit.main_pid != facts.pid:
        found.append(
            f"Process {facts.pid} answers for the listener '{name}', but {unit.name} runs process {unit.main_pid}."
        )
    program = around.programs.get(facts.pid)
    if program is not None and state.socket not in around.processes:
        found.append(f"The configuration {program.config} of the listener '{name}' is gone, or names another socket.")
    if listener["stale"]:
        found.append(f"The listener '{name}' was started before its configuration was written: a restart is due.")
    if facts.connected_since is None:
        found.append(f"The listener '{name}' is not ready for clients.")
    return found
