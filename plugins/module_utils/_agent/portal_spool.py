# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of one-time links: root writes into it, the service gives away and erases.

The folder belongs to the service, and root trusts nothing in it: no symbolic link is followed, no pipe is waited for.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, sync_folder
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.links import (
    Entry,
    Link,
    parse_entry,
    parse_link,
    render_link,
)

FILE_MODE, FOLDER_MODE = 0o600, 0o700
# A link has far less; what has more is none.
MOST_BYTES, MOST_PARTS = 1024 * 1024, 4
# What is not written within this time never will be.
UNFINISHED_SECONDS = 600
_UNFINISHED = ".new-"
_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Kept:
    """A link in the folder.

    :param touched: When its file was last changed.
    """

    entry: Entry
    link: Link
    touched: float


@dataclass(frozen=True)
class Spool:
    """The folder."""

    folder: Path

    def read(self, entry: Entry) -> Kept | None:
        """A link, or nothing where it is not there.

        :raises StateError: what is there is no link.
        :raises FileError: it cannot be read.
        """
        try:
            descriptor = os.open(self.folder / entry.name, _TO_READ)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StateError(f"In {self.folder} a symbolic link has the name of a file.") from error
            raise FileError(f"Cannot read a link in {self.folder}: {error.strerror}.") from error
        try:
            facts = os.fstat(descriptor)
            content = _read_whole(descriptor) if stat.S_ISREG(facts.st_mode) else b""
        except OSError as error:
            raise FileError(f"Cannot read a link in {self.folder}: {error.strerror}.") from error
        finally:
            os.close(descriptor)
        return Kept(entry, parse_link(content, link_id=entry.id), facts.st_mtime)

    def claim(self, entry: Entry, claim: str, *, now: float) -> Entry | None:
        """Take a waiting link for a claim, so that it survives a power cut; nothing where somebody else was faster.

        :raises FileError: the disk refuses; the link still waits, or is this claim's.
        """
        taken = Entry(entry.id, claim)
        try:
            descriptor = os.open(self.folder / entry.name, _TO_READ)
            try:
                # From now on the time of the file is that of the claim.
                os.utime(descriptor, (now, now))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            (self.folder / entry.name).rename(self.folder / taken.name)
            sync_folder(self.folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileError(f"Cannot claim a link in {self.folder}: {error.strerror}.") from error
        return taken

    def erase(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error.

        :raises FileError: one of them cannot be removed.
        """
        gone = [self.folder / name for name in names]
        if not gone:
            return
        try:
            for path in gone:
                path.unlink(missing_ok=True)
            sync_folder(self.folder)
        except OSError as error:
            raise FileError(f"Cannot erase a link in {self.folder}: {error.strerror}.") from error

    def entries(self) -> list[Entry]:
        """Whatever has the name of a link.

        :raises FileError: the folder cannot be read.
        """
        return sorted(
            (entry for entry in map(parse_entry, self._names()) if entry), key=lambda entry: (entry.id, entry.claim)
        )

    def links(self) -> Iterator[Kept]:
        """All links that can be read; what is no link, or cannot be read, is passed over."""
        for entry in self.entries():
            try:
                kept = self.read(entry)
            except (StateError, FileError):
                continue
            if kept is not None:
                yield kept

    def unfinished(self, *, now: float) -> list[str]:
        """Names of files that somebody began to write and will not finish."""
        begun = [name for name in self._names() if name.startswith(_UNFINISHED)]
        return sorted(name for name in begun if self.age(name, now=now) > UNFINISHED_SECONDS)

    def age(self, name: str, *, now: float) -> float:
        """Seconds since a file was last changed; 0 where that cannot be told."""
        try:
            return now - (self.folder / name).lstat().st_mtime
        except OSError:
            return 0.0

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self.folder.iterdir()]
        except OSError as error:
            raise FileError(f"Cannot read {self.folder}: {error.strerror}.") from error


def _read_whole(descriptor: int) -> bytes:
    parts: list[bytes] = []
    while (part := os.read(descriptor, MOST_BYTES)) and len(parts) < MOST_PARTS:
        parts.append(part)
    return b"".join(parts)


def add_links(spool: Spool, links: Iterable[Link]) -> None:
    """Put links into the folder, all of them or none; they belong to the owner of the folder.

    :raises FileError: the disk refuses, and none of them is there.
    """
    written: dict[Path, Path] = {}
    placed: list[str] = []
    try:
        try:
            owner = spool.folder.lstat()
            for link in links:
                written[_write_aside(spool.folder, render_link(link), owner)] = spool.folder / Entry(link.id).name
            _place(written, placed)
            sync_folder(spool.folder)
        except OSError:
            spool.erase(placed)
            raise
        finally:
            for aside in written:
                aside.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f"Cannot write links into {spool.folder}: {error.strerror}.", remedy="None was made there."
        ) from error


def _place(written: Mapping[Path, Path], placed: list[str]) -> None:
    for aside, path in written.items():
        placed.append(path.name)
        aside.replace(path)


def _write_aside(folder: Path, content: bytes, owner: os.stat_result) -> Path:
    descriptor, name = tempfile.mkstemp(dir=str(folder), prefix=_UNFINISHED)
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(stream.fileno(), FILE_MODE)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def require_spool(folder: Path, *, room: int) -> Spool:
    """The folder, if links can be put there.

    :param room: How many bytes are going to be written.
    :raises StateError: there is no such folder, others may read it, or the disk is full.
    """
    try:
        facts = folder.lstat()
        free = shutil.disk_usage(folder).free if stat.S_ISDIR(facts.st_mode) else 0
    except FileNotFoundError:
        raise StateError(
            f"This gateway gives out no links: there is no folder {folder}.",
            remedy="Set portal_enabled for it and run the playbook site.",
        ) from None
    if not stat.S_ISDIR(facts.st_mode) or stat.S_IMODE(facts.st_mode) != FOLDER_MODE:
        raise StateError(
            f"{folder} is not a folder for its owner alone (mode 0700).", remedy="The playbook site puts it right."
        )
    if free <= room:
        raise StateError(
            f"The disk of {folder} is full: {free} bytes are free, and {room} are needed.",
            remedy="Make room on the gateway.",
        )
    return Spool(folder)
