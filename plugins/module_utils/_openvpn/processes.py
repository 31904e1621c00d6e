# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenVPN processes of this host, as ``/proc`` shows them, and the management sockets they serve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import (
    PROC,
    Program,
    running_programs,
)

SOCKET_FOLDER = Path("/run/openvpn-server")
_CHROOT = re.compile(r"^\s*chroot\s+(/\S+)\s*$", re.MULTILINE)
_SERIALS = re.compile(r"^\s*crl-verify\s+(/\S+)\s+dir\s*$", re.MULTILINE)
_MANAGEMENT = re.compile(r"^\s*management\s+(/\S+)\s+unix\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Process:
    """A running OpenVPN with a management socket.

    :param started_at: Seconds since 1970-01-01 UTC.
    :param config_modified_at: When its configuration file was last written, same unit.
    :param text: What the file holds now.
    """

    pid: int
    socket: Path
    config: Path
    started_at: float
    config_modified_at: float
    text: str = ""

    @property
    def stale(self) -> bool:
        """Whether the configuration file is newer than the process that read it."""
        return self.config_modified_at > self.started_at


def running_processes(proc: Path = PROC) -> dict[Path, Process]:
    """The OpenVPN processes in this PID namespace, by management socket."""
    return {process.socket: process for process in _processes(proc)}


def is_chrooted(text: str) -> bool:
    """Whether a configuration has OpenVPN shut into a folder."""
    return _CHROOT.search(text) is not None


def serial_folders(text: str) -> tuple[str, ...]:
    """The folders in which a configuration has OpenVPN look for revoked serial numbers; it reads no CRL then."""
    inside = _CHROOT.search(text)
    return tuple(f"{inside.group(1) if inside else ''}{folder}" for folder in _SERIALS.findall(text))


def find_sockets(
    wanted: Sequence[str] | None, processes: Mapping[Path, Process], *, folder: Path = SOCKET_FOLDER
) -> tuple[Path, ...]:
    """The management sockets to speak to.

    :param wanted: Named by the administrator, or ``None`` for all: those that exist in the folder, and those there
        that a running process is meant to serve, so that a socket which was deleted does not hide a listener.
    """
    if wanted is not None:
        return tuple(dict.fromkeys(Path(path) for path in wanted))
    found = set(folder.glob("*.sock")) | {path for path in processes if path.parent == folder}
    return tuple(sorted(found))


def _processes(proc: Path) -> Iterator[Process]:
    for program in running_programs(proc):
        try:
            process = _with_socket(program)
        except OSError:
            # Its configuration is gone: only what listens on a socket there is left to be seen.
            continue
        if process is not None:
            yield process


def _with_socket(program: Program) -> Process | None:
    text = program.config.read_text(encoding="utf-8", errors="replace")
    found = _MANAGEMENT.search(text)
    if found is None:
        return None
    return Process(
        pid=program.pid,
        socket=Path(found.group(1)),
        config=program.config,
        started_at=program.started_at,
        config_modified_at=program.config.stat().st_mtime,
        text=text,
    )
