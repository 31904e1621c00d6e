# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that OpenVPN would read and that are not ours: which, who reads them, and what becomes of them.

OpenVPN's units read every ``*.conf`` of their folder. A file that somebody renamed and left there with its extension
is a second server after the next start of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import (
    Bound,
    Program,
    bound_sockets,
    resolve_folder,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import MARKER
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import Unit

QUARANTINE, WARN = "quarantine", "warn"
STOP, DISABLE, MOVE = "stop", "disable", "move"
QUARANTINED, STOPPED, WARNED, REPORTED = "quarantined", "stopped", "warned", "reported"
ANSWER_SECONDS = 2.0
_TEMPLATES = {"server": "openvpn-server", "client": "openvpn-client"}
_INSTANCE = re.compile(r"[A-Za-z0-9:_.@-]+")
_MANAGEMENT = re.compile(r"^\s*management\s+\S*/(\S+)\.sock\s+unix\s*$", re.MULTILINE)
_AUTOSTART = re.compile(r"""^\s*AUTOSTART=(["']?)(.*?)\1\s*(?:#.*)?$""", re.MULTILINE)


@dataclass(frozen=True)
class Running:
    """A process, and what is known of it from outside.

    :param sessions: How many there are, or ``None`` where nobody tells.
    """

    program: Program
    bound: Bound = field(default_factory=Bound)
    sessions: int | None = None


@dataclass(frozen=True)
class Host:
    """What was found on a host.

    :param files: Configurations that are not ours; their folders are resolved.
    :param running: Processes on these files, and on files of these folders that are gone.
    :param autostart: What Debian's generator starts: names, or ``None`` for everything.
    """

    files: tuple[Path, ...]
    running: tuple[Running, ...] = ()
    units: Mapping[str, Unit] = field(default_factory=dict)
    autostart: frozenset[str] | None = None

    def unit(self, name: str) -> Unit:
        """What is known of a unit."""
        return self.units.get(name, Unit(name))


@dataclass(frozen=True)
class Step:
    """One thing to do: ``stop`` or ``disable`` a unit, or ``move`` a file."""

    kind: str
    unit: str = ""
    source: str = ""
    target: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is not ours.

    :param unit: The unit that reads the file, or would, empty where none can.
    :param action: What is done about it.
    """

    path: Path
    unit: str
    action: str
    reason: str
    enabled: bool = False
    active: bool = False
    running: Running | None = None
    moved_to: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        run = self.running
        return {
            "path": str(self.path),
            "unit": self.unit,
            "enabled": self.enabled,
            "active": self.active,
            "pid": None if run is None else run.program.pid,
            "ports": [] if run is None else list(run.bound.ports),
            "sessions": None if run is None else run.sessions,
            "action": self.action,
            "moved_to": self.moved_to or None,
            "reason": self.reason,
        }


def find_files(folders: Sequence[Path], own: AbstractSet[Path]) -> tuple[Path, ...]:
    """The configurations in some folders that are not ours: files and links, as OpenVPN's units would read them.

    Listeners of ours that were taken off the list are not among them: another task removes those.
    """
    found = [resolve_folder(path) for folder in folders for path in sorted(folder.glob("*.conf"))]
    kept = {resolve_folder(path) for path in own}
    return tuple(
        path for path in found if path not in kept and (path.is_symlink() or path.is_file()) and not _was_ours(path)
    )


def _was_ours(path: Path) -> bool:
    """Whether this is a listener of ours under its own name; a copy under another name still names the old socket."""
    if path.parent.name != "server" or path.is_symlink():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    named = _MANAGEMENT.search(text)
    return text.startswith(MARKER.partition(":")[0]) and named is not None and named.group(1) == path.stem


def unit_for(path: Path) -> str:
    """The unit that reads a configuration because of its folder; empty where its name cannot name one."""
    if not _INSTANCE.fullmatch(path.stem):
        return ""
    return f"{_TEMPLATES.get(path.parent.name, 'openvpn')}@{path.stem}.service"


def select_programs(
    programs: Sequence[Program], *, files: Sequence[Path], folders: Sequence[Path], own: AbstractSet[Path]
) -> tuple[Program, ...]:
    """The processes on foreign files, and those on a file of these folders that is gone and is not ours."""
    inside = {folder.resolve() for folder in folders}
    kept = {resolve_folder(path) for path in own}
    return tuple(
        one
        for one in programs
        if one.config in files or (one.config.parent in inside and one.config not in kept and not one.config.exists())
    )


def look_at(program: Program) -> Running:
    """What a process listens on, and how many sessions it has if it answers on its management socket."""
    bound = bound_sockets(program.pid)
    counts = [count for count in map(_count_sessions, bound.sockets) if count is not None]
    return Running(program, bound, counts[0] if counts else None)


def _count_sessions(socket: Path) -> int | None:
    """``None`` for a client, and for a server that speaks to somebody else."""
    try:
        with open_management(socket, timeout_seconds=ANSWER_SECONDS, is_running=lambda _path: False) as management:
            return len(management.sessions())
    except CollectionError:
        return None


def unit_names(files: Sequence[Path], programs: Sequence[Program]) -> tuple[str, ...]:
    """The units whose state a plan needs."""
    names = [unit_for(path) for path in files] + [program.unit for program in programs]
    return tuple(dict.fromkeys(name for name in names if name))


def parse_autostart(text: str) -> frozenset[str] | None:
    """What Debian's generator starts of ``/etc/openvpn``, from ``/etc/default/openvpn``: names, or ``None`` for all."""
    values = [found.group(2).strip() for found in _AUTOSTART.finditer(text)]
    if not values or values[-1] in ("", "all"):
        return None
    return frozenset() if values[-1] == "none" else frozenset(values[-1].split())


def plan_foreign(host: Host, *, policy: str, stamp: str) -> Change[Step]:
    """Decide what becomes of what was found.

    :param policy: ``quarantine`` or ``warn``.
    :param stamp: ``YYYYMMDDTHHMMSSZ``, for the new names.
    """
    findings = [_judge_file(path, host, policy, stamp) for path in host.files]
    findings += list(_lost_and_unowned(host, policy))
    steps = tuple(_unique(step for finding in findings for step in _steps(finding, host)))
    moved = {step.source for step in steps if step.kind == MOVE}
    left = [str(path) for path in host.files if str(path) not in moved]
    return Change(
        before={"configurations": [str(path) for path in host.files], "units": _running_units(findings, ())},
        after={"configurations": left, "units": _running_units(findings, steps)},
        steps=steps,
        result={"found": [finding.as_dict() for finding in findings]},
    )


def _judge_file(path: Path, host: Host, policy: str, stamp: str) -> Finding:
    run = next((one for one in host.running if one.program.config == path and _owner(one, host)), None)
    unit = unit_for(path) if run is None else run.program.unit
    state = host.unit(unit_for(path))
    generated = unit.startswith("openvpn@") and (host.autostart is None or path.stem in host.autostart)
    enabled = bool(unit) and (state.enabled or generated)
    active = run is not None or state.active
    reason = "a unit reads it at the next start of the system" if enabled else "whoever starts the unit has it read"
    if active:
        reason = "a unit runs on it"
    moved_to = f"{path}.quarantined-{stamp}" if policy == QUARANTINE else ""
    return Finding(
        path, unit, QUARANTINED if moved_to else WARNED, reason,
        enabled=enabled, active=active, running=run, moved_to=moved_to,
    )  # fmt: skip


def _lost_and_unowned(host: Host, policy: str) -> Iterator[Finding]:
    for one in host.running:
        config, owner = one.program.config, _owner(one, host)
        if not owner:
            yield Finding(config, "", REPORTED, "no unit started this process", active=True, running=one)
        elif config not in host.files:
            action = STOPPED if policy == QUARANTINE else WARNED
            reason = "the file was renamed or deleted under its process"
            enabled = host.unit(owner).enabled
            yield Finding(config, owner, action, reason, enabled=enabled, active=True, running=one)


def _owner(run: Running, host: Host) -> str:
    """The unit whose main process this is: a shell or a scheduler that happened to start it is none."""
    unit = run.program.unit
    return unit if unit and host.unit(unit).main_pid == run.program.pid else ""


def _steps(finding: Finding, host: Host) -> Iterator[Step]:
    if finding.action not in (QUARANTINED, STOPPED):
        return
    for name in _unique((finding.unit, unit_for(finding.path))):
        if host.unit(name).active:
            yield Step(STOP, unit=name)
        if host.unit(name).enabled:
            yield Step(DISABLE, unit=name)
    if finding.moved_to:
        yield Step(MOVE, source=str(finding.path), target=finding.moved_to)


def _running_units(findings: Sequence[Finding], steps: Sequence[Step]) -> list[str]:
    stopped = {step.unit for step in steps if step.kind == STOP}
    running = {one.running.program.unit for one in findings if one.running is not None and one.unit}
    return sorted(running - stopped)


def _unique(items: Any) -> list[Any]:
    return list(dict.fromkeys(item for item in items if item))


def describe(found: Mapping[str, Any], *, foretold: bool) -> str:
    """One thing that was found, as a sentence for a person.

    :param found: As :meth:`Finding.as_dict` gives it.
    :param foretold: Nothing was done yet.
    """
    path, unit = found["path"], found["unit"]
    who = "" if found["sessions"] is None else f" ({found['sessions']} session{'s' * (found['sessions'] != 1)})"
    if found["action"] == REPORTED:
        where = f" and listens on {', '.join(found['ports'])}" if found["ports"] else ""
        return (
            f"Process {found['pid']} runs on {path}{who}{where}; no unit started it. End it with: kill {found['pid']}"
        )
    if found["action"] == STOPPED or (found["action"] == WARNED and found["reason"].startswith("the file was")):
        end = f"{'would be stopped' if foretold else 'stopped'}." if found["action"] == STOPPED else "it still runs."
        return f"{path} was renamed or deleted, and {unit} still ran on it{who}: {end}"
    state = f"is still read by {unit}{who}" if found["active"] else f"would be read by {unit}"
    state = state if unit else "has no business here"
    if found["action"] == WARNED:
        return f"{path} {state}: move it away, or set openvpn_foreign_configs to quarantine."
    verb = "would be" if foretold else ""
    done = f"{verb} stopped and moved" if found["active"] else f"{verb} moved"
    return f"{path} {state}: {done.strip()} to {found['moved_to']}"
