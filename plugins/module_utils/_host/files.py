# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the host: read whole, replaced atomically, never half-written."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError


class FileError(CollectionError):
    """A file could not be read or written; the old content stands."""


def read_optional(path: Path) -> bytes | None:
    """The content of a regular file, or ``None`` where there is none.

    :raises FileError: for anything else than a missing file (permissions, a folder in its place).
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}.") from error


def write_atomic(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new one.

    The content is written to a temporary file in the same folder, flushed to the disk and renamed;
    the folder is flushed too. An existing file keeps its owner.

    :param mode: Permission bits, for example ``0o600``.
    :raises FileError: and the old file stands.
    """
    with replacing(path, mode=mode) as stream:
        stream.write(content)


@contextmanager
def replacing(path: Path, *, mode: int) -> Iterator[IO[bytes]]:
    """A stream for the new content of a file, which takes the file's name once the block has ended well.

    It can be read back inside the block. The promises are those of :func:`write_atomic`.

    :raises FileError: and the old file stands.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=str(path.parent), prefix=f".{path.name}.")
        os.close(descriptor)
        try:
            with Path(name).open("r+b") as stream:
                _take_over_owner(path, stream.fileno())
                os.fchmod(stream.fileno(), mode)
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise FileError(
            f"Cannot write {path}: {error.strerror}.", remedy="The previous content is still in place."
        ) from error


def _take_over_owner(path: Path, descriptor: int) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    if (old.st_uid, old.st_gid) != (os.getuid(), os.getgid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)


def require_writable(path: Path) -> None:
    """Check before work is done for a file that it could be written: a certificate that nobody can keep is not signed.

    :raises FileError: its folder is missing or cannot be written, or the path is that of a folder.
    """
    folder = path.parent
    problem = ""
    if path.is_dir():
        problem = "it is a folder"
    elif not folder.is_dir():
        problem = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"the folder {folder} cannot be written by this user, or is on a read-only file system"
    if problem:
        raise FileError(f"Cannot write {path}: {problem}.", remedy="Nothing was changed.")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a power cut."""
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_mode(path: Path) -> int | None:
    """The permission bits of a file, or ``None`` where there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


@contextmanager
def private_umask() -> Iterator[None]:
    """Files that a library makes by itself inside this block are readable by their owner only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
