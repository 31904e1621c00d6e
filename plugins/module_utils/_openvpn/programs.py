# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every OpenVPN of this host, as ``/proc`` shows it: what it was started on, by which unit, and what it listens on."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
# What Debian's units are started in; a process that shut itself into a folder shows that folder instead.
UNIT_FOLDERS = {
    "openvpn": Path("/etc/openvpn"),
    "openvpn-server": Path("/etc/openvpn/server"),
    "openvpn-client": Path("/etc/openvpn/client"),
}
_SERVICE = re.compile(r"^0::.*/([^/\n]+\.service)$|^\d+:name=systemd:.*/([^/\n]+\.service)$", re.MULTILINE)
# Fields of /proc/PID/stat, counted after the command's ")": the parent, and clock ticks from boot to start.
_PARENT_FIELD = 1
_START_FIELD = 19
_LISTENING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
_UNIX_LISTENING = 0x10000


@dataclass(frozen=True)
class Program:
    """A running OpenVPN with a configuration file.

    :param config: The file that it was started on, which need not exist any more; its folder is resolved.
    :param unit: The service in whose control group it runs, empty where it is none's.
    :param started_at: Seconds since 1970-01-01 UTC.
    :param parent: The process that started it. A server with ``port-share`` has a child that looks like itself.
    """

    pid: int
    config: Path
    unit: str = ""
    started_at: float = 0.0
    parent: int = 0


@dataclass(frozen=True)
class Bound:
    """What a process listens on.

    :param ports: ``udp 1194``, ``tcp 443`` and the like, sorted, each once.
    :param sockets: Unix sockets with a path.
    """

    ports: tuple[str, ...] = ()
    sockets: tuple[Path, ...] = ()


def running_programs(proc: Path = PROC) -> tuple[Program, ...]:
    """Every OpenVPN in this PID namespace that was started on a configuration file, by number."""
    return tuple(sorted(_programs(proc), key=lambda one: one.pid))


def resolve_folder(path: Path) -> Path:
    """The same path without ``..`` and with its folder resolved; what it names itself may be a link, or missing."""
    plain = Path(os.path.normpath(path))
    return plain.parent.resolve() / plain.name


def bound_sockets(pid: int, proc: Path = PROC) -> Bound:
    """What a process listens on; nothing where it ended meanwhile."""
    folder = proc / str(pid)
    try:
        links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
        inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
        ports = {port for table in _LISTENING for port in _ports(folder / "net" / table, inodes)}
        return Bound(tuple(sorted(ports)), tuple(_unix_paths(folder / "net" / "unix", inodes)))
    except OSError:
        return Bound()


def _programs(proc: Path) -> Iterator[Program]:
    namespace = (proc / "self" / "ns" / "pid").readlink()
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                program = _read_program(folder) if (folder / "ns" / "pid").readlink() == namespace else None
            except (OSError, ValueError, IndexError):
                # It ended while we looked, or is none of ours to look at.
                continue
            if program is not None:
                yield program


def _read_program(folder: Path) -> Program | None:
    arguments = folder.joinpath("cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    config = _config_argument(arguments)
    if config is None:
        return None
    unit = _service(folder)
    # The path is relative to the folder in which the unit starts the program.
    home = UNIT_FOLDERS.get(unit.partition("@")[0]) or (folder / "cwd").readlink()
    fields = folder.joinpath("stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    parent, started_at = int(fields[_PARENT_FIELD]), _seconds_at(int(fields[_START_FIELD]))
    return Program(int(folder.name), resolve_folder(home / config), unit, started_at, parent)


def _config_argument(arguments: Sequence[str]) -> str | None:
    words: list[str] = [word for word in arguments if word]
    if not words or Path(words[0]).name != "openvpn":
        return None
    if "--config" in words[:-1]:
        return words[words.index("--config") + 1]
    return words[1] if len(words) == 2 and not words[1].startswith("-") else None


def _service(folder: Path) -> str:
    try:
        text = folder.joinpath("cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = _SERVICE.search(text)
    return (found.group(1) or found.group(2)) if found else ""


def _seconds_at(ticks: int) -> float:
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted_at + ticks / os.sysconf("SC_CLK_TCK")


def _rows(table: Path) -> Iterator[list[str]]:
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except FileNotFoundError:
        # A kernel without IPv6 has no tables for it.
        return
    for line in lines:
        yield line.split()


def _ports(table: Path, inodes: set[str]) -> Iterator[str]:
    for row in _rows(table):
        if row[3] == _LISTENING[table.name] and row[9] in inodes:
            yield f"{table.name[:3]} {int(row[1].rpartition(':')[2], 16)}"


def _unix_paths(table: Path, inodes: set[str]) -> Iterator[Path]:
    for row in _rows(table):
        if len(row) > 7 and row[6] in inodes and int(row[3], 16) & _UNIX_LISTENING and row[7].startswith("/"):
            yield Path(row[7])
