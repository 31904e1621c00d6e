# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that decide where a host asks names: read together, and changed one by one."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    read_optional,
    sync_folder,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import show_units

SECONDS = 60
READABLE = 0o644


def read_texts(root: Path, patterns: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The contents of the files that fit the shell's patterns below a root, and the targets of those that are links.

    A link that leads nowhere is in the second only.

    :raises FileError: for a file that cannot be read.
    """
    texts: dict[str, str] = {}
    links: dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(root.glob(pattern.lstrip("/"))):
            name = f"/{path.relative_to(root)}"
            if path.is_symlink():
                links[name] = str(path.readlink())
            content = None if path.is_dir() else read_optional(path)
            if content is not None:
                texts[name] = content.decode("utf-8", "replace")
    return texts, links


def find_existing(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Which of some paths there are below a root."""
    return frozenset(path for path in paths if (root / path.lstrip("/")).exists())


@dataclass(frozen=True)
class UnitsInUse:
    """Units that run, with their main processes, and units that start with the system."""

    running: dict[str, int]
    enabled: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All of them, without the ending of services."""
        return frozenset(name.removesuffix(".service") for name in (*self.running, *self.enabled))


def units_in_use(root: Path, names: Iterable[str]) -> UnitsInUse:
    """Which units run, and which start with the system; below another root only the latter can be told.

    :raises CommandError: systemd does not answer.
    """
    wanted = [name if "." in name else f"{name}.service" for name in names]
    if root != Path("/"):
        links = {path.name for path in root.glob("etc/systemd/system/*.wants/*")}
        return UnitsInUse({}, frozenset(name for name in wanted if name in links))
    shown = show_units(wanted, ("Id", "ActiveState", "UnitFileState", "MainPID")).split("\n\n")
    units = [dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line) for paragraph in shown]
    running = [unit for unit in units if unit.get("ActiveState") in ("active", "activating", "reloading")]
    enabled = [unit for unit in units if unit.get("UnitFileState") in ("enabled", "enabled-runtime")]
    return UnitsInUse(
        {unit.get("Id", ""): int(unit.get("MainPID", "0")) for unit in running},
        frozenset(unit.get("Id", "") for unit in enabled),
    )


def listening_sockets(root: Path, *, port: int) -> str:
    """Who listens on a port, as ``ss`` shows it; below another root nobody does.

    :raises CommandError: it does not.
    """
    if root != Path("/"):
        return ""
    argv = ("ss", "-H", "-l", "-n", "-p", "-t", "-u", f"sport = :{port}")
    return run_command(argv, timeout_seconds=SECONDS).output


def replace_text(root: Path, name: str, content: str) -> None:
    """Have a file with this content in the place of whatever had its name, a link included; its folder is made.

    :raises FileError: and what was there stands.
    """
    path = root / name.lstrip("/")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make {path.parent}: {error.strerror}.") from error
    if path.is_symlink():
        # Written beside it first: what a link points to is somebody else's, and so would its owner be.
        beside = path.with_name(f".{path.name}.privatespace")
        write_atomic(beside, content.encode(), mode=READABLE)
        _take_name(beside, path)
        return
    try:
        write_atomic(path, content.encode(), mode=READABLE)
    except FileError as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EBUSY:
            raise
        # A container's engine has mounted it there: its name cannot be given to another file.
        path.write_bytes(content.encode())


def replace_link(root: Path, name: str, target: str) -> None:
    """Have a symbolic link in the place of whatever had its name.

    :raises FileError: and what was there stands.
    """
    path = root / name.lstrip("/")
    beside = path.with_name(f".{path.name}.privatespace")
    try:
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
    except OSError as error:
        raise FileError(f"Cannot link {path}: {error.strerror}.") from error
    _take_name(beside, path)


def _take_name(beside: Path, path: Path) -> None:
    try:
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FileError(f"Cannot replace {path}: {error.strerror}.") from error


def remove_text(root: Path, name: str) -> None:
    """Remove a file, and its folder where that was made for it alone.

    :raises FileError: it is still there.
    """
    path = root / name.lstrip("/")
    try:
        path.unlink(missing_ok=True)
        if path.parent.name.endswith((".network.d", "resolved.conf.d")) and not any(path.parent.iterdir()):
            path.parent.rmdir()
    except OSError as error:
        raise FileError(f"Cannot remove {path}: {error.strerror}.") from error


def reread_files(unit: str) -> None:
    """Have a unit that runs read its files again.

    :raises CommandError: it did not.
    """
    if unit == "systemd-networkd":
        # Its unit has no reload in Debian 12, and a restart takes more away; networkctl would fail where it is stopped.
        if run_command(("systemctl", "is-active", "--quiet", unit), timeout_seconds=SECONDS, check=False).status == 0:
            run_command(("networkctl", "reload"), timeout_seconds=SECONDS)
        return
    run_command(("systemctl", "try-reload-or-restart", "--", unit), timeout_seconds=SECONDS)


def apply_step(root: Path, kind: str, *, path: str, content: str) -> None:
    """Carry out one step of a plan.

    :param kind: ``write``, ``remove`` or ``link`` for a path below the root, ``reload`` for a unit.
    :raises FileError: a file could not be changed.
    :raises CommandError: a unit could not be told.
    """
    if kind == "write":
        replace_text(root, path, content)
    elif kind == "remove":
        remove_text(root, path)
    elif kind == "link":
        replace_link(root, path, content)
    elif root == Path("/"):
        reread_files(path)
