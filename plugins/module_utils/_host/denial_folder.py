# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of small files, each an entry that stands or falls by being there, changed by one program at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    sync_folder,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock

FILE_MODE, FOLDER_MODE = 0o644, 0o755
LOCK_NAME, LOCK_SECONDS = ".lock", 5.0

Contents = Mapping[str, bytes]
# From what is there to what has to be written, or with ``None`` removed.
Plan = Callable[[Contents], Mapping[str, "bytes | None"]]


def read_entries(folder: Path, folders: Sequence[str]) -> dict[str, bytes]:
    """The contents of the regular files in a folder and in some folders below it, by path below the first.

    A folder that is missing has no entries, and one whose name begins with a dot is none. An entry that cannot be read
    is there nevertheless, and empty.

    :raises FileError: something else stands where a folder should be, or a folder cannot be read.
    """
    found: dict[str, bytes] = {}
    for below in ("", *folders):
        for name in _names(folder / below):
            path = f"{below}/{name}" if below else name
            content = _content(folder / path)
            if content is not None:
                found[path] = content
    return found


def change_entries(folder: Path, folders: Sequence[str], plan: Plan) -> dict[str, bytes]:
    """Change what is there, decided on what is there, while no other program does the same.

    Every entry is written whole or not at all, and is on the disk when this returns, as is the lack of a removed one.
    Folders that are there come to be such as everybody can look into.

    :param plan: Decides; it is asked once the lock is held.
    :returns: What is there now.
    :raises FileError: an entry could not be written or removed; others may have been.
    :raises BusyError: another program holds the lock and does not give it back.
    """
    _make_folder(folder)
    with exclusive_lock(folder / LOCK_NAME, wait_seconds=LOCK_SECONDS, what=f"The folder {folder}"):
        for below in folders:
            if (folder / below).is_dir():
                _make_folder(folder / below)
        found = read_entries(folder, folders)
        for path, content in plan(found).items():
            if content is None:
                found.pop(path, None)
                _remove(folder / path)
            else:
                found[path] = content
                for parent in reversed(Path(path).parents[:-1]):
                    _make_folder(folder / parent)
                write_atomic(folder / path, content, mode=FILE_MODE)
        return found


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(
            f"Cannot read {folder}: {error.strerror}.", remedy="It is a folder of root's, mode 0755; mend it."
        ) from error


def _content(path: Path) -> bytes | None:
    """What a regular file holds; nothing, but not ``None``, where it cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        return b""


def _make_folder(folder: Path) -> None:
    """Have a folder that everybody can look into, also where a crash or a restored backup has left another one."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) != FOLDER_MODE:
            folder.chmod(FOLDER_MODE)
            sync_folder(folder.parent)
    except OSError as error:
        raise FileError(f"Cannot make the folder {folder}: {error.strerror}.") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"Cannot remove {path}: {error.strerror}.") from error
