# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenVPN processes of this host, as ``/proc`` shows them, and the management sockets they serve."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
SOCKET_FOLDER = Path("/run/openvpn-server")
_MANAGEMENT = re.compile(r"^\s*management\s+(/\S+)\s+unix\s*$", re.MULTILINE)
# The field of /proc/PID/stat that counts clock ticks from boot to start, counted after the command's ")".
_START_FIELD = 19


@dataclass(frozen=True)
class Process:
    """A running OpenVPN with a management socket.

    :param started_at: Seconds since 1970-01-01 UTC.
    :param config_modified_at: When its configuration file was last written, same unit.
    """

    pid: int
    socket: Path
    config: Path
    started_at: float
    config_modified_at: float

    @property
    def stale(self) -> bool:
        """Whether the configuration file is newer than the process that read it."""
        return self.config_modified_at > self.started_at


def running_processes(proc: Path = PROC) -> dict[Path, Process]:
    """The OpenVPN processes in this PID namespace, by management socket."""
    return {process.socket: process for process in _processes(proc)}


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
    namespace = (proc / "self" / "ns" / "pid").readlink()
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                process = _read_process(folder) if (folder / "ns" / "pid").readlink() == namespace else None
            except (OSError, ValueError):
                # It ended while we looked, or is none of ours to look at.
                continue
            if process is not None:
                yield process


def _read_process(folder: Path) -> Process | None:
    arguments = folder.joinpath("cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    config = _config_argument(arguments)
    if config is None:
        return None
    # The path is relative to the folder in which the unit starts the program.
    path = (folder / "cwd").readlink() / config
    found = _MANAGEMENT.search(path.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        return None
    return Process(
        pid=int(folder.name),
        socket=Path(found.group(1)),
        config=path,
        started_at=_started_at(folder),
        config_modified_at=path.stat().st_mtime,
    )


def _config_argument(arguments: Sequence[str]) -> str | None:
    words: list[str] = [word for word in arguments if word]
    if not words or Path(words[0]).name != "openvpn":
        return None
    if "--config" in words[:-1]:
        return words[words.index("--config") + 1]
    return words[1] if len(words) == 2 and not words[1].startswith("-") else None


def _started_at(folder: Path) -> float:
    fields = folder.joinpath("stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted_at + int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
