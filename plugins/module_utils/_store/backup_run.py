# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that makes a backup: one archive of the store and its files, checked before it takes its name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, Callable, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._core.version import VERSION
from ansible_collections.privatespace.gateway.plugins.module_utils._store import archive, audit, backup
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import SCHEMA_VERSION
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_store,
)

BACKUP, REMOVE = "backup", "remove"
MODE = 0o600
NO_CA_KEY = (
    "The backup holds no key of a certification authority: those are in the token. Back up the token by its maker's "
    "means; without it nothing can be issued and nobody can be revoked after a restore."
)
SERVER_KEY = (
    "The backup holds the tls-crypt-v2 server key. Keep it secret: whoever has that key gets as far as the TLS "
    "handshake of every gateway."
)
_ARCHIVE = re.compile(r"privatespace-authority-\d{8}T\d{6}\.\d{6}Z\.tar\.gz")


class Replacing(Protocol):
    """Writes a file whole or not at all; its stream can be read back inside the block."""

    def __call__(self, path: Path, *, mode: int) -> AbstractContextManager[IO[bytes]]: ...


@dataclass(frozen=True)
class HostFiles:
    """Files of the host.

    :param read: The content of a file, ``None`` where it is missing.
    :param mode: Its permission bits, ``None`` where it is missing.
    """

    read: Callable[[Path], bytes | None]
    mode: Callable[[Path], int | None]
    replacing: Replacing


def archive_name(moment: datetime) -> str:
    """The name of an archive: names sort as their times do."""
    return f"privatespace-authority-{moment.astimezone(timezone.utc):%Y%m%dT%H%M%S.%f}Z.tar.gz"


def plan_removal(names: Sequence[str], *, keep: int) -> tuple[str, ...]:
    """Which archives of a folder are removed once a new one is there, the oldest first; other files are left alone.

    :param keep: How many stay, the new one counted; 0 for all.
    """
    found = sorted(name for name in names if _ARCHIVE.fullmatch(name))
    return tuple(found[: max(0, len(found) + 1 - keep)]) if keep else ()


@dataclass(frozen=True)
class BackupRun:
    """Make one backup, and remove those that are too many.

    :param options: Those of ``pki_backup``.
    """

    options: Mapping[str, Any]
    location: StoreLocation
    origin: Origin
    clock: Callable[[], datetime]
    host: HostFiles

    def decide(self) -> Change[str]:
        """Look at the store, the files and the folder; nothing is written.

        :raises InputError: a file is missing, or an option cannot be accepted.
        :raises StoreError: the store is missing, damaged or cannot be read.
        """
        if self.options["keep"] < 0:
            raise InputError("The option 'keep' is negative.", remedy="Give 0 to keep every backup.")
        files = self._read_files()
        with open_store(self.location, origin=self.origin, clock=self.clock, dry_run=True) as session:
            facts = backup.store_facts(session)
        folder = self._folder()
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        removed = plan_removal(names, keep=self.options["keep"])
        found = [name for name in names if _ARCHIVE.fullmatch(name)]
        steps = (BACKUP, *[REMOVE for _name in removed])
        return Change(
            {"archives": found},
            {"archives": [*found[len(removed) :], "a new one"]},
            steps,
            {
                "path": "",
                "sha256": "",
                "size": 0,
                "removed": [str(folder / name) for name in removed],
                "manifest": {"facts": facts},
                "notices": notices(files),
            },
        )

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Copy, check, write the archive, read it back, and only then remove old ones."""
        folder = self._folder()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=str(folder), prefix=".backup-") as work:
                result = self._make(folder / archive_name(self.clock()), Path(work))
            for path in change.result["removed"]:
                Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"Cannot write a backup into {folder}: {error.strerror}.") from error
        return result

    def _make(self, path: Path, work: Path) -> Mapping[str, Any]:
        # The files first: the next CRL mends a file that is older than the store, and nothing mends one that is newer.
        files = self._read_files()
        with open_store(self.location, origin=self.origin, clock=self.clock) as session:
            # Told before the copy is made, so that the copy and the store which it comes from know the same.
            record(session, audit.BACKUP_BEGUN, path.name, {"files": sorted(files)})
            backup.copy_store(session, work / archive.STORE)
        manifest = self._manifest(work / archive.STORE, files)
        with self.host.replacing(path, mode=MODE) as stream:
            archive.write_archive(stream, manifest, store=work / archive.STORE, files=files)
            stream.flush()
            (work / archive.STORE).unlink()
            archive.unpack_archive(Path(stream.name), work)
        whole = archive.describe_file(path)
        return {
            "path": str(path),
            "sha256": whole.sha256,
            "size": whole.size,
            "manifest": manifest.shown(),
            "notices": notices(files),
        }

    def _manifest(self, store: Path, files: Mapping[str, bytes]) -> archive.Manifest:
        """Check the copy, and describe it.

        :raises StoreError: the copy does not agree with itself.
        """
        with open_store(StoreLocation(path=store), origin=self.origin, clock=self.clock) as copy:
            backup.require_sound(copy)
            facts = backup.store_facts(copy)
        backup.seal(store)
        members = {archive.STORE: archive.describe_file(store)}
        for name, content in files.items():
            path = Path(self.options["files"][name])
            mode = self.host.mode(path) or MODE
            members[f"{archive.FILES}{name}"] = archive.Member(len(content), fingerprint(content), mode, str(path))
        created = self.clock().astimezone(timezone.utc).isoformat()
        return archive.Manifest(created, VERSION, SCHEMA_VERSION, facts, members)

    def _read_files(self) -> dict[str, bytes]:
        wanted = self.options["files"]
        archive.check_file_names(iter(wanted))
        files = {name: self.host.read(Path(path)) for name, path in wanted.items()}
        for name, content in files.items():
            if content is None:
                raise InputError(
                    f"There is no file {wanted[name]} to back up.", remedy=f"Correct or leave out 'files.{name}'."
                )
        return {name: content for name, content in files.items() if content is not None}

    def _folder(self) -> Path:
        return Path(self.options["folder"])


def notices(files: Mapping[str, bytes]) -> list[str]:
    """What whoever keeps an archive has to know about it."""
    told = [NO_CA_KEY]
    if any(archive.SERVER_KEY_MARK in content for content in files.values()):
        told.append(SERVER_KEY)
    return told


def record(session: StoreSession, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Add one record to the audit trail, as a change of its own."""
    with session.transaction():
        audit.append_events(session, [audit.Event(action, subject, detail)])
