# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open store: one connection, one transaction a change, and the lock that lets one run change it at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store.engine import (
    SNAPSHOT,
    WRITING,
    connected,
    make_engine,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import (
    StoreError,
    StoreMissingError,
    explain,
    explained,
    lost,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import (
    StoreLocation,
    make_file,
    make_folder,
    missing,
    parse_location,
    require_private,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.migrations import (
    bring_up_to_date,
    found_version,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import SCHEMA_VERSION, Tables, tables

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

FileLock = Callable[..., AbstractContextManager[None]]
POLL_SECONDS = 0.05
RUN_LOCK = 0x70736777  # "psgw": the lock that all runs against one PostgreSQL database share


@dataclass(frozen=True)
class Origin:
    """Who is changing the store, as the audit trail tells it.

    :param actor: The person or account that started the run.
    :param job: The job that it belongs to (for example that of an automation controller); may be empty.
    """

    actor: str
    job: str = ""


class StoreSession:
    """A connection to a store. Not for several threads.

    :param clock: The current time in UTC, for the audit trail.
    :ivar row_ids: The rows of the certificates that this session intended last: number and written serial by serial.
    """

    def __init__(
        self, connection: sa.Connection, *, location: StoreLocation, origin: Origin, clock: Callable[[], datetime]
    ) -> None:
        self.connection = connection
        self.location = location
        self.origin = origin
        self.clock = clock
        self.row_ids: dict[int, tuple[int, str]] = {}
        # Held, because asking a connection that broke for it would connect anew.
        self._info = connection.info

    @property
    def tables(self) -> Tables:
        """The tables of the store."""
        return tables()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit what the block wrote as one change, or roll all of it back; inside of another one, as part of that.

        :raises StoreError: the database refused; nothing of the block was kept.
        """
        self._require_connection()
        if self._info.get(WRITING):
            yield self.connection
            return
        self._info[WRITING] = True
        try:
            with explained(self.location.shown), self.connection.begin():
                yield self.connection
        finally:
            self._info[WRITING] = False

    @contextmanager
    def preview(self) -> Iterator[None]:
        """Show the store as it is at one moment, for the block; nothing is kept of what happens in there.

        A layout of an earlier version is brought up to date for the time of the block only.

        :raises StoreError: the database refused.
        """
        self._require_connection()
        info = self._info
        with explained(self.location.shown):
            info[WRITING] = _version(self.connection) != SCHEMA_VERSION
            info[SNAPSHOT] = True
            try:
                transaction = self.connection.begin()
                try:
                    if info[WRITING]:
                        bring_up_to_date(self.connection, found_version(self.connection))
                    yield
                finally:
                    transaction.rollback()
            finally:
                info[WRITING] = info[SNAPSHOT] = False

    def read(self, statement: Any, *, plain: bool = False) -> Any:
        """All rows of a query, in the transaction that is open or in one of its own.

        :param plain: As tuples of the driver, which take a third of the time where they are many.
        :raises StoreError: the database refused it.
        """
        self._require_connection()
        with explained(self.location.shown):
            result = self.connection.execute(statement)
            rows = self._plain_rows(result) if plain else result.all()
            if not (self._info.get(WRITING) or self._info.get(SNAPSHOT)):
                self.connection.rollback()
            return rows

    def _plain_rows(self, result: Any) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = result.cursor.fetchall()
        except self.connection.dialect.loaded_dbapi.Error as error:
            raise explain(self.location.shown, error) from error
        finally:
            result.close()
        return rows

    def _require_connection(self) -> None:
        """Go no further on a connection that broke: the lock of the run was lost with it."""
        if self.connection.invalidated:
            raise lost(self.location.shown)

    def integrity_problems(self) -> list[str]:
        """What the database itself finds wrong with its file; PostgreSQL is not asked."""
        if self.connection.dialect.name != "sqlite":
            return []
        found = [row[0] for row in self.read(sa.text("PRAGMA integrity_check(5)"))]
        found += [
            f"{row[0]} refers to a missing row of {row[2]}" for row in self.read(sa.text("PRAGMA foreign_key_check"))
        ]
        return [f"The database: {problem}." for problem in found if problem != "ok"]


@contextmanager
def open_store(
    location: StoreLocation,
    *,
    origin: Origin,
    clock: Callable[[], datetime],
    create: bool = False,
    dry_run: bool = False,
) -> Iterator[StoreSession]:
    """Open a store for the block.

    A layout of an earlier version is brought up to date first, in one transaction.

    :param create: Make the store where there is none.
    :param dry_run: Change nothing, and see the store as it is at one moment.
    :raises StoreMissingError: there is none.
    :raises StoreError: it is damaged, not private, of a newer version, or cannot be opened.
    """
    if create:
        make_folder(location)
        make_file(location)
    require_private(location)
    engine = make_engine(location)
    try:
        with connected(engine, location) as connection, ExitStack() as stack:
            session = StoreSession(connection, location=location, origin=origin, clock=clock)
            _require_known_layout(connection, location, create=create)
            if dry_run:
                stack.enter_context(session.preview())
            else:
                _migrate(session)
            yield session
    finally:
        engine.dispose()


def _version(connection: sa.Connection) -> int | None:
    version = found_version(connection)
    connection.rollback()
    return version


def _require_known_layout(connection: sa.Connection, location: StoreLocation, *, create: bool) -> None:
    with explained(location.shown):
        version = _version(connection)
    if version is None and not create:
        raise missing(location)
    if version is not None and version > SCHEMA_VERSION:
        raise StoreError(
            f"The store {location.shown} has layout {version}; this collection knows {SCHEMA_VERSION} at most.",
            remedy="Use the version of the collection that wrote it, or a later one.",
        )


def _migrate(session: StoreSession) -> None:
    with explained(session.location.shown):
        current = _version(session.connection) == SCHEMA_VERSION
    if not current:
        with session.transaction() as connection:
            bring_up_to_date(connection, found_version(connection))


@contextmanager
def authority_lock(
    location: StoreLocation, *, wait_seconds: float, file_lock: FileLock, create: bool = False
) -> Iterator[None]:
    """Let one run at a time change what this store keeps; reading needs no lock.

    :param wait_seconds: How long to wait for another run.
    :param file_lock: Called as ``file_lock(path, wait_seconds=…, what=…)``; the host layer provides it.
    :param create: Make the folder of the store where it is missing.
    :raises BusyError: another run held the lock all that time.
    :raises StoreMissingError: there is no store to lock.
    """
    if location.lock_path is None:
        with _run_lock(location, wait_seconds=wait_seconds):
            yield
        return
    if create:
        make_folder(location)
    else:
        require_private(location)
    with file_lock(location.lock_path, wait_seconds=wait_seconds, what=f"The store {location.shown}"):
        yield


@contextmanager
def open_for_run(
    store: str,
    *,
    actor: str,
    job: str,
    wait_seconds: float,
    clock: Callable[[], datetime],
    file_lock: FileLock,
    dry_run: bool = False,
) -> Iterator[StoreSession | None]:
    """Open an existing store for one run, under its lock.

    :param store: A path or a URL; see ``parse_location``.
    :param dry_run: Only look: without the lock, and ``None`` where there is no store yet.
    :raises StoreMissingError: there is no store, and the run is a real one.
    """
    location, origin = parse_location(store), Origin(actor, job)
    with ExitStack() as stack:
        if dry_run:
            yield _looked_at(stack, location, origin=origin, clock=clock)
        elif location.lock_path is None:
            session = stack.enter_context(open_store(location, origin=origin, clock=clock))
            _wait_for_run_lock(session.connection, location, wait_seconds=wait_seconds)
            yield session
        else:
            stack.enter_context(authority_lock(location, wait_seconds=wait_seconds, file_lock=file_lock))
            yield stack.enter_context(open_store(location, origin=origin, clock=clock))


def _looked_at(
    stack: ExitStack, location: StoreLocation, *, origin: Origin, clock: Callable[[], datetime]
) -> StoreSession | None:
    if location.is_missing():
        return None
    try:
        return stack.enter_context(open_store(location, origin=origin, clock=clock, dry_run=True))
    except StoreMissingError:
        return None


@contextmanager
def _run_lock(location: StoreLocation, *, wait_seconds: float) -> Iterator[None]:
    engine = make_engine(location)
    try:
        with connected(engine, location) as connection:
            _wait_for_run_lock(connection, location, wait_seconds=wait_seconds)
            yield
    finally:
        engine.dispose()


def _wait_for_run_lock(connection: sa.Connection, location: StoreLocation, *, wait_seconds: float) -> None:
    """Take the lock that ends with the connection: a run that dies, or is cut off, holds nothing."""
    deadline = time.monotonic() + wait_seconds
    while not _take_run_lock(connection, location):
        if time.monotonic() >= deadline:
            raise BusyError(
                f"The store {location.shown} is in use by another run, and was still in use after {wait_seconds:g} s.",
                remedy="Wait for that run to end and start this one again; nothing was changed.",
            )
        time.sleep(POLL_SECONDS)


def _take_run_lock(connection: sa.Connection, location: StoreLocation) -> bool:
    with explained(location.shown):
        taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(RUN_LOCK))).scalar_one()
        connection.commit()
        return bool(taken)
