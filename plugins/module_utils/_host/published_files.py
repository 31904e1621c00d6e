# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large files for others to fetch: mapped instead of read, written in pieces, and taken away again."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Union

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, replacing, sync_folder

# Sliced, indexed, searched and hashed like bytes.
Mapped = Union[bytes, mmap.mmap]
PUBLIC_FOLDER_MODE = 0o755


def map_optional(path: Path) -> Mapped | None:
    """The content of a regular file without a copy of it in memory, or ``None`` where there is none.

    It stays what it is when the file is replaced, as all of ours are; a file is never written in place.

    :raises FileError: for anything else than a missing file (permissions, a folder in its place).
    """
    try:
        with path.open("rb") as stream:
            is_empty = not stream.seek(0, 2)
            return b"" if is_empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}.") from error


def write_pieces(path: Path, pieces: Iterable[bytes | memoryview], *, mode: int) -> None:
    """Replace a file with the concatenation of some pieces; the promises are those of ``write_atomic``.

    :raises FileError: and the old file stands.
    """
    with replacing(path, mode=mode) as stream:
        stream.writelines(pieces)


def publish_pieces(path: Path, pieces: Iterable[bytes | memoryview], *, mode: int) -> None:
    """Like :func:`write_pieces`, for a file that a web server gives away; its folder is made where it is missing.

    Its time is later than that of the file before by a second or more: web servers tell files apart by size and time in
    whole seconds, and whoever asks whether there is a newer one would else be told that there is none.

    :raises FileError: and the old file stands.
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(PUBLIC_FOLDER_MODE)
        before = int(path.stat().st_mtime) if path.exists() else 0
    except OSError as error:
        raise FileError(f"Cannot have the folder {path.parent}: {error.strerror}.") from error
    with replacing(path, mode=mode) as stream:
        stream.writelines(pieces)
        stream.flush()
        now = os.fstat(stream.fileno()).st_mtime
        if int(now) <= before:
            os.utime(stream.fileno(), (now, before + 1))


def remove_file(path: Path) -> None:
    """Remove a file, for good; one that is missing is fine.

    :raises FileError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise FileError(f"Cannot remove {path}: {error.strerror}.") from error
