# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small files that root writes and one other user reads: found, replaced and removed together."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, sync_folder

FILE_MODE, FOLDER_MODE = 0o640, 0o750
# From this many on, flushing every disk once is faster than flushing each file.
FEW_FILES = 32


@dataclass(frozen=True)
class Reader:
    """The user who reads the files.

    :param groups: All groups that the user is in; the first one is the group of the files.
    """

    name: str
    uid: int
    groups: tuple[int, ...]

    @property
    def gid(self) -> int:
        """The group that the files belong to."""
        return self.groups[0]


@dataclass(frozen=True)
class FoundFolder:
    """A folder as it is.

    :param contents: By name; every file that is not a folder, also one whose name begins with a dot.
    :param astray: Names of those with another owner, group or mode than they need, or that are no regular files.
    :param fit: Whether the folder itself has the right ones.
    """

    contents: Mapping[str, bytes]
    astray: frozenset[str]
    fit: bool


def find_reader(name: str, *, may_be_missing: bool) -> Reader:
    """The user that a service runs as.

    :param may_be_missing: In check mode the user may not have been made yet; nothing belongs to it then.
    :raises InputError: there is no such user.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        if may_be_missing:
            return Reader(name, -1, (-1,))
        raise InputError(f"There is no user '{name}' on this host.", remedy="The role openvpn makes it.") from None
    return Reader(name, user.pw_uid, (user.pw_gid, *os.getgrouplist(name, user.pw_gid)))


def find_folders(root: Path, reader: Reader) -> dict[str, FoundFolder]:
    """The folders directly below another, each with its files; none where there is no such folder.

    :raises FileError: one of them cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        return {entry.name: _find_folder(Path(entry.path), reader) for entry in folders}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileError(f"Cannot read {error.filename or root}: {error.strerror}.") from error


def is_fit_folder(path: Path, reader: Reader) -> bool:
    """Whether a folder is there with the owner, group and mode that it needs."""
    try:
        return _is_fit(path.lstat(), FOLDER_MODE, reader)
    except FileNotFoundError:
        return False


def make_fit_folder(path: Path, reader: Reader) -> None:
    """Make a folder that root writes and the reader reads, or mend its owner, group and mode.

    :raises FileError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        os.chown(str(path), 0, reader.gid)
        path.chmod(FOLDER_MODE)
    except OSError as error:
        raise FileError(f"Cannot make the folder {path}: {error.strerror}.") from error


def replace_files(folder: Path, contents: Mapping[str, bytes], reader: Reader) -> None:
    """Replace many files; after a crash, a power cut included, each of them is the old one or the new one.

    All new contents are on the disk before the first file changes its name.

    :raises FileError: naming the folder; files that have not been replaced stand.
    """
    written: list[tuple[Path, Path]] = []
    try:
        try:
            for name, content in contents.items():
                written.append(
                    (_write_aside(folder, name, content, reader, flush=len(contents) < FEW_FILES), folder / name)
                )
            if len(contents) >= FEW_FILES:
                os.sync()
            for aside, path in written:
                aside.replace(path)
        finally:
            for aside, _path in written:
                aside.unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise FileError(
            f"Cannot write into {folder}: {error.strerror}.", remedy="Each file there is the old one or the new one."
        ) from error


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files; those that are gone already are no error.

    :raises FileError: one of them cannot be removed.
    """
    try:
        for name in names:
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise FileError(f"Cannot remove {error.filename or folder}: {error.strerror}.") from error


def require_reachable(folder: Path, reader: Reader) -> None:
    """Look whether the reader gets as far as into a folder; it opens none that it cannot pass through.

    :raises FileError: naming the folder that stops it.
    """
    for path in (folder, *folder.parents):
        facts = path.stat()
        if facts.st_uid == reader.uid:
            bit = stat.S_IXUSR
        else:
            bit = stat.S_IXGRP if facts.st_gid in reader.groups else stat.S_IXOTH
        if not facts.st_mode & bit and reader.uid != 0:
            raise FileError(
                f"The user '{reader.name}' cannot pass through {path} (mode {stat.S_IMODE(facts.st_mode):04o}), and "
                "OpenVPN takes a file that it cannot read for one that is missing.",
                remedy=f"Run: chmod o+x {path}",
            )


def _find_folder(path: Path, reader: Reader) -> FoundFolder:
    contents: dict[str, bytes] = {}
    astray: list[str] = []
    descriptor = os.open(str(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in [entry.name for entry in os.scandir(descriptor)]:
            content, fit = _find_file(name, descriptor, reader)
            if content is not None:
                contents[name] = content
            if not fit:
                astray.append(name)
        fit = _is_fit(os.fstat(descriptor), FOLDER_MODE, reader)
    finally:
        os.close(descriptor)
    return FoundFolder(contents, frozenset(astray), fit)


def _find_file(name: str, folder: int, reader: Reader) -> tuple[bytes | None, bool]:
    """The content of a file and whether it is as it should be; ``None`` for a folder. A pipe is not waited for."""
    facts = os.lstat(name, dir_fd=folder)
    if stat.S_ISDIR(facts.st_mode):
        return None, True
    if not stat.S_ISREG(facts.st_mode):
        return b"", False
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        parts = []
        while part := os.read(descriptor, max(facts.st_size + 1, 4096)):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts), _is_fit(facts, FILE_MODE, reader)


def _is_fit(facts: os.stat_result, mode: int, reader: Reader) -> bool:
    return (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (0, reader.gid, mode)


def _write_aside(folder: Path, name: str, content: bytes, reader: Reader, *, flush: bool) -> Path:
    descriptor, aside = tempfile.mkstemp(dir=str(folder), prefix=f".{name}.")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchown(stream.fileno(), 0, reader.gid)
        os.fchmod(stream.fileno(), FILE_MODE)
        if flush:
            os.fsync(stream.fileno())
    return Path(aside)
