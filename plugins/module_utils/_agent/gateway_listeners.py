# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listeners of a gateway as a diagnosis wants them: what they say of themselves, the host of them, their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_history import find_buffers
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_sampling import read_tcp_sessions
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import (
    CONFIG_FOLDERS,
    OFFLOAD_MODULES,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import (
    ListenerProcess,
    in_this_network,
    read_quota,
    read_text,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.configuration_readings import (
    parse_options,
    port_of,
    transport_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import ForeignConfig, Listener
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.links import kernel_modules, link_kinds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import show_units
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import foreign_configs
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listener_facts import (
    Surroundings,
    describe_listener,
    look_at_listener,
    unit_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import running_processes
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import (
    resolve_folder,
    running_programs,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    NOT_RUNNING,
    SILENT,
    take_snapshot,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import MARKER
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import PROPERTIES, parse_units

ANSWER_SECONDS = 3.0
UNANSWERED = "unknown"
AUTOSTART = Path("/etc/default/openvpn")
_MANAGED = MARKER.partition(":")[0]


def look_at_listeners(found: Sequence[ListenerProcess]) -> tuple[tuple[Listener, ...], tuple[str, ...]]:
    """All servers that run, and what is not known of them, a sentence each.

    :param found: As the host shows them; those whose configuration is gone are looked at elsewhere.
    """
    known = [one for one in found if one.options]
    described, unknown = _describe([one.socket for one in known if one.socket is not None])
    listeners = tuple(_listener(one, described.get(one.socket)) for one in known)
    silent = [one.name for one in listeners if one.state in (SILENT, UNANSWERED)]
    if silent:
        unknown += (f"What {_quoted(silent)} would say on a management socket: there is none, or nobody answers.",)
    without = [one.name for one in listeners if one.buffers is None]
    if without:
        unknown += (f"Which buffers the sockets of {_quoted(without)} have: the line of their start is not logged.",)
    if not listeners:
        unknown += ("How the listeners do: no OpenVPN server runs here.",)
    return listeners, unknown


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _describe(sockets: Sequence[Path]) -> tuple[dict[Path | None, dict[str, Any]], tuple[str, ...]]:
    processes = running_processes()
    talk = partial(open_management, timeout_seconds=ANSWER_SECONDS, is_running=processes.__contains__)
    names = [name for name in map(unit_of, sockets) if name]
    unknown: tuple[str, ...] = ()
    try:
        shown = show_units(names, PROPERTIES)
    except CollectionError as error:
        shown, unknown = "", (f"What systemd says of the listeners: {error}",)
    around = Surroundings(
        processes=processes,
        programs={program.pid: program for program in running_programs()},
        units=parse_units(names, shown) if shown else {},
        link_kinds=link_kinds(),
        modules=kernel_modules(OFFLOAD_MODULES),
    )
    states = take_snapshot(sockets, open_socket=talk, look=look_at_listener) if sockets else ()
    return {state.socket: describe_listener(state, around) for state in states}, unknown


def _listener(one: ListenerProcess, said: Mapping[str, Any] | None) -> Listener:
    written = _written_at(one.program.config)
    facts = said or {}
    return Listener(
        name=one.name,
        transport=one.transport,
        port=one.port,
        state=facts.get("state", UNANSWERED),
        pid=one.pid,
        version=facts.get("version", ""),
        started_at=one.program.started_at,
        config=str(one.program.config),
        config_written_at=written,
        stale=written is not None and written > one.program.started_at,
        dco=facts.get("dco", "unknown"),
        dco_reason=facts.get("dco_reason", ""),
        options=one.options,
        buffers=find_buffers(one),
        quota=read_quota(one.pid),
        sessions=facts.get("sessions", 0),
        tcp_sessions=read_tcp_sessions(one.port) if one.transport == "tcp" else (),
        unit=one.program.unit,
    )


def look_at_stopped_listeners(
    found: Sequence[ListenerProcess], *, folders: Sequence[Path] = CONFIG_FOLDERS
) -> tuple[Listener, ...]:
    """Listeners of ours that are to run from the start of the system on, and do not run."""
    running = {one.program.config for one in found}
    texts = {path: read_text(path) for folder in folders for path in sorted(folder.glob("*.conf"))}
    ours = {
        f"openvpn-server@{path.stem}.service": path
        for path, text in texts.items()
        if text.startswith(_MANAGED) and resolve_folder(path) not in running
    }
    try:
        units = parse_units(list(ours), show_units(list(ours), PROPERTIES)) if ours else {}
    except CollectionError:
        return ()
    return tuple(
        _stopped(path, texts[path], name) for name, path in ours.items() if name in units and units[name].enabled
    )


def _stopped(path: Path, text: str, unit: str) -> Listener:
    options = parse_options(text)
    return Listener(
        name=path.stem,
        transport=transport_of(options),
        port=port_of(options),
        state=NOT_RUNNING,
        config=str(path),
        config_written_at=_written_at(path),
        options=options,
        unit=unit,
    )


def _written_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def look_at_foreign_configs(
    found: Sequence[ListenerProcess], *, folders: Sequence[Path] = CONFIG_FOLDERS
) -> tuple[tuple[ForeignConfig, ...], tuple[str, ...]]:
    """Configurations that nobody manages, and what is not known of them.

    On a gateway that this collection has not set up every configuration is somebody's: only those are named whose file
    is gone under a process.
    """
    managed = any(one.text.startswith(_MANAGED) for one in found)
    try:
        return _foreign(folders, managed=managed), () if managed else (_NOT_OURS,)
    except (CollectionError, OSError) as error:
        return (), (f"Which configurations OpenVPN would read: {error}",)


_NOT_OURS = (
    "Which of the configurations here are meant: this gateway was not set up by this collection, and nothing says so."
)


def _foreign(folders: Sequence[Path], *, managed: bool) -> tuple[ForeignConfig, ...]:
    files = foreign_configs.find_files(folders, frozenset()) if managed else ()
    own = () if managed else tuple(path for folder in folders for path in folder.glob("*.conf"))
    programs = foreign_configs.select_programs(
        [one for one in running_programs() if in_this_network(one.pid)],
        files=files,
        folders=folders,
        own=frozenset(own),
    )
    names = foreign_configs.unit_names(files, programs)
    defaults = read_optional(AUTOSTART) or b""
    host = foreign_configs.Host(
        files=files,
        running=tuple(foreign_configs.Running(one) for one in programs),
        units=parse_units(names, show_units(names, PROPERTIES)),
        autostart=foreign_configs.parse_autostart(defaults.decode("utf-8", "replace")),
    )
    change = foreign_configs.plan_foreign(host, policy=foreign_configs.WARN, stamp="")
    return tuple(_record(one) for one in change.result["found"])


def _record(one: Mapping[str, Any]) -> ForeignConfig:
    running = () if one["pid"] is None else (int(one["pid"]),)
    return ForeignConfig(one["path"], one["reason"], running, bool(one["enabled"]))
