# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a store is: a file of SQLite, or a database by its URL; and how private that place is."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, StoreMissingError

SQLITE_URL = "sqlite:///"
DATABASE_SCHEMES = ("postgresql", "postgresql+psycopg")
FILE_MODE = 0o600
FOLDER_MODE = 0o700
RUN_FOLDER = Path("/run/lock")


@dataclass(frozen=True)
class StoreLocation:
    """One of the two is set.

    :param path: The file of an SQLite store, absolute.
    :param url: The URL of another database, without a password.
    """

    path: Path | None = None
    url: str = ""

    @property
    def shown(self) -> str:
        """The location as errors name it."""
        return str(self.path) if self.path else self.url

    @property
    def lock_path(self) -> Path | None:
        """The lock file beside an SQLite store; ``None`` where the database itself has locks."""
        return self.path.with_name(f"{self.path.name}.lock") if self.path else None

    @property
    def progress_path(self) -> Path:
        """The file in which a long run tells this host how far it is: beside an SQLite store."""
        if self.path:
            return self.path.with_name("progress.json")
        return RUN_FOLDER / f"privatespace-progress-{hashlib.sha256(self.url.encode()).hexdigest()[:16]}.json"

    def is_missing(self) -> bool:
        """Whether there is certainly no store: its file does not exist. A database by URL has to be asked."""
        return self.path is not None and not self.path.exists()


def parse_location(value: str) -> StoreLocation:
    """Read the option ``store``: an absolute path, ``sqlite:////absolute/path``, or the URL of a database.

    :raises InputError: for anything else, and for a URL that holds a password.
    """
    require_single_line(value, what="The option 'store'")
    if "://" not in value:
        return _file(value)
    if value.startswith(SQLITE_URL):
        return _file(value[len(SQLITE_URL) :])
    return _database(value)


def _file(path: str) -> StoreLocation:
    if not path.startswith("/") or path.endswith("/"):
        raise InputError(f"'{shown(path)}' is not the absolute path of a store.", remedy="It must begin with '/'.")
    return StoreLocation(path=Path(os.path.normpath(path)))


def _database(value: str) -> StoreLocation:
    scheme, _separator, rest = value.partition("://")
    if scheme not in DATABASE_SCHEMES:
        raise InputError(
            f"There is no kind of store '{shown(scheme)}'.",
            remedy="Give a path, or a URL that begins postgresql+psycopg://.",
        )
    credentials = rest.rpartition("@")[0]
    if ":" in credentials or "password=" in rest:
        raise InputError(
            "The URL of the store holds a password.",
            remedy="Ansible logs options: put the password into the password file of the database client (~/.pgpass).",
        )
    return StoreLocation(url=value)


def make_folder(location: StoreLocation) -> None:
    """Make the folder of an SQLite store, for its owner only, where it is missing.

    :raises StoreError: it cannot be made, or others can enter the one that exists.
    """
    if location.path is None:
        return
    folder = location.path.parent
    try:
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise StoreError(f"Cannot make the folder {folder} of the store: {error.strerror}.") from error
    _require_private(folder, allowed=FOLDER_MODE)


def make_file(location: StoreLocation) -> None:
    """Make the empty file of an SQLite store with mode 0600, and flush its folder; leave one that exists.

    :raises StoreError: it cannot be made.
    """
    if location.path is None:
        return
    try:
        descriptor = os.open(str(location.path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        os.fsync(descriptor)
        os.close(descriptor)
        folder = os.open(str(location.path.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise StoreError(f"Cannot make the store {location.shown}: {error.strerror}.") from error


def require_private(location: StoreLocation) -> None:
    """Refuse an SQLite store that is missing, or that others than its owner can reach.

    :raises StoreMissingError: there is none.
    :raises StoreError: others can read it or enter its folder.
    """
    if location.path is None:
        return
    if location.is_missing():
        raise missing(location)
    _require_private(location.path.parent, allowed=FOLDER_MODE)
    _require_private(location.path, allowed=FILE_MODE)


def missing(location: StoreLocation) -> StoreMissingError:
    """The error for a store that has to exist and does not."""
    return StoreMissingError(
        f"There is no store at {location.shown}.",
        remedy="Set up the authority first (module privatespace.gateway.pki_authority), or correct the option 'store'.",
    )


def _require_private(path: Path, *, allowed: int) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise StoreError(f"Cannot look at {path}: {error.strerror}.") from error
    if mode & ~allowed & 0o077:
        raise StoreError(
            f"{path} can be reached by others (mode {mode:04o}).",
            remedy=f"Keep the store apart from other files, and run: chmod {allowed:04o} {path}",
        )
