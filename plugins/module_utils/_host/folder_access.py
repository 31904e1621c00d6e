# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides on whether a process can look into a folder: who it is, and the modes on the way there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class FolderMode(NamedTuple):
    """What ``stat`` says of a folder."""

    path: str
    mode: int
    user: int
    group: int


def folders_on_the_way(folder: Path, below: Sequence[str] = ()) -> list[FolderMode]:
    """The folders from the root of the file system to one, and some below it; those that are missing are left out."""
    found = []
    for path in (*reversed(folder.parents), folder, *(folder / one for one in below)):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append(FolderMode(str(path), status.st_mode, status.st_uid, status.st_gid))
    return found


def process_status(pid: int, proc: Path = PROC) -> str:
    """What the system says of a process; nothing where it has ended."""
    try:
        return (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
