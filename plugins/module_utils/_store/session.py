# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open store: one connection, one transaction a change, and the lock that lets one run change it at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable
from urllib.parse import quote

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, explain, explained
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
WRITING = "writing"  # key of Connection.info: the transaction that begins is going to write
POLL_SECONDS = 0.05
BUSY_MILLISECONDS = 10_000
ADVISORY_LOCK = 0x70736777  # "psgw": the lock that all runs against one PostgreSQL database share


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
    """

    def __init__(
        self, connection: sa.Connection, *, location: StoreLocation, origin: Origin, clock: Callable[[], datetime]
    ) -> None:
        self.connection = connection
        self.location = location
        self.origin = origin
        self.clock = clock

    @property
    def tables(self) -> Tables:
        """The tables of the store."""
        return tables()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit what the block wrote as one change, or roll all of it back.

        :raises StoreError: the database refused; nothing of the block was kept.
        """
        self.connection.info[WRITING] = True
        try:
            with explained(self.location.shown), self.connection.begin():
                yield self.connection
        finally:
            self.connection.info[WRITING] = False

    def read(self, statement: Any) -> Any:
        """All rows of a query, in the transaction that is open or in one of its own.

        :raises StoreError: the database refused it.
        """
        with explained(self.location.shown):
            rows = self.connection.execute(statement).all()
            if not self.connection.info.get(WRITING):
                self.connection.rollback()
            return rows

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
    location: StoreLocation, *, origin: Origin, clock: Callable[[], datetime], create: bool = False
) -> Iterator[StoreSession]:
    """Open a store for the block.

    A layout of an earlier version is brought up to date first, in one transaction.

    :param create: Make the store where there is none.
    :raises StoreMissingError: there is none.
    :raises StoreError: it is damaged, not private, of a newer version, or cannot be opened.
    """
    if create:
        make_folder(location)
        make_file(location)
    require_private(location)
    engine = _engine(location)
    try:
        with _connected(engine, location) as connection:
            _prepare(connection, location, create=create)
            yield StoreSession(connection, location=location, origin=origin, clock=clock)
    finally:
        engine.dispose()


@contextmanager
def _connected(engine: sa.Engine, location: StoreLocation) -> Iterator[sa.Connection]:
    try:
        connection = engine.connect()
    except sqlite3.Error as error:
        raise explain(location.shown, error) from error
    except sa.exc.SQLAlchemyError as error:
        raise explain(location.shown, error) from error
    try:
        yield connection
    finally:
        connection.close()


def _prepare(connection: sa.Connection, location: StoreLocation, *, create: bool) -> None:
    with explained(location.shown):
        version = found_version(connection)
        connection.rollback()
        if version is None and not create:
            raise missing(location)
        if version is not None and version > SCHEMA_VERSION:
            raise StoreError(
                f"The store {location.shown} has layout {version}; this collection knows {SCHEMA_VERSION} at most.",
                remedy="Use the version of the collection that wrote it, or a later one.",
            )
        if version != SCHEMA_VERSION:
            connection.info[WRITING] = True
            with connection.begin():
                bring_up_to_date(connection, found_version(connection))
            connection.info[WRITING] = False


def _engine(location: StoreLocation) -> sa.Engine:
    if location.path is None:
        return sa.create_engine(location.url, poolclass=sa.pool.NullPool)
    uri = f"file:{quote(str(location.path))}?mode=rw"
    engine = sa.create_engine(
        "sqlite://", creator=lambda: _connect_sqlite(uri), poolclass=sa.pool.NullPool, hide_parameters=True
    )
    sa.event.listen(engine, "begin", _begin)
    return engine


def _connect_sqlite(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        for pragma in (
            f"busy_timeout = {BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin(connection: sa.Connection) -> None:
    """Begin for real, where the driver would wait for the first write and then fail if what it read had changed."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get(WRITING) else "BEGIN")


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
    what = f"The store {location.shown}"
    if location.lock_path is None:
        with _advisory_lock(location, wait_seconds=wait_seconds, what=what):
            yield
        return
    if create:
        make_folder(location)
    else:
        require_private(location)
    with file_lock(location.lock_path, wait_seconds=wait_seconds, what=what):
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
    if dry_run and location.is_missing():
        yield None
    elif dry_run:
        with open_store(location, origin=origin, clock=clock) as session:
            yield session
    else:
        with (
            authority_lock(location, wait_seconds=wait_seconds, file_lock=file_lock),
            open_store(location, origin=origin, clock=clock) as session,
        ):
            yield session


@contextmanager
def _advisory_lock(location: StoreLocation, *, wait_seconds: float, what: str) -> Iterator[None]:
    engine = _engine(location)
    try:
        with _connected(engine, location) as connection, explained(location.shown):
            _wait_for_advisory_lock(connection, wait_seconds=wait_seconds, what=what)
            yield
    finally:
        engine.dispose()


def _wait_for_advisory_lock(connection: sa.Connection, *, wait_seconds: float, what: str) -> None:
    deadline = time.monotonic() + wait_seconds
    while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK))).scalar_one():
        connection.rollback()
        if time.monotonic() >= deadline:
            raise BusyError(
                f"{what} is in use by another run, and was still in use after {wait_seconds:g} s.",
                remedy="Wait for that run to end and start this one again; nothing was changed.",
            )
        time.sleep(POLL_SECONDS)
    connection.commit()
