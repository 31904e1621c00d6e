# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two databases that a store can lie in, made to behave alike.

In both, a transaction that is going to write begins by waiting for the others that write (ten seconds at most), so
that what it reads stays true until it commits: SQLite by ``BEGIN IMMEDIATE``, PostgreSQL by an advisory lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import explain
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

# Keys of Connection.info: what the transaction that begins is for.
WRITING = "writing"
SNAPSHOT = "snapshot"
BUSY_MILLISECONDS = 10_000
PAGES_BEFORE_CHECKPOINT = 16_384
CONNECT_SECONDS = 10
WRITE_LOCK = 0x70736778  # "psgx": the lock of the one transaction that writes to a PostgreSQL database


def make_engine(location: StoreLocation) -> sa.Engine:
    """An engine whose connections are opened when they are needed and closed after use.

    :raises InputError: the URL cannot be read.
    :raises MissingLibraryError: the driver of PostgreSQL is not installed.
    """
    if location.path is None:
        return _postgresql(location)
    engine = sa.create_engine(
        "sqlite://", creator=lambda: connect_sqlite(location), poolclass=sa.pool.NullPool, hide_parameters=True
    )
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(location: StoreLocation) -> sa.Engine:
    try:
        url = sa.make_url(location.url).set(drivername="postgresql+psycopg")
    except (ValueError, sa.exc.ArgumentError) as error:
        raise InputError(f"The URL of the store cannot be read: '{location.shown}'.") from error
    defaults = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
    try:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, hide_parameters=True, connect_args=defaults)
    except ImportError:
        missing_library("psycopg[binary]")()
    sa.event.listen(engine, "begin", _begin_postgresql)
    return engine


@contextmanager
def connected(engine: sa.Engine, location: StoreLocation) -> Iterator[sa.Connection]:
    """A connection for the block.

    :raises StoreError: the database cannot be reached, or is none.
    """
    try:
        connection = engine.connect()
    except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
        raise explain(location.shown, error) from error
    try:
        yield connection
    finally:
        connection.close()


def connect_sqlite(location: StoreLocation) -> sqlite3.Connection:
    """A connection of the driver to the file of a store, which has to exist, as durable as SQLite can be."""
    connection = sqlite3.connect(f"file:{quote(str(location.path))}?mode=rw", uri=True, isolation_level=None)
    try:
        for pragma in (
            f"busy_timeout = {BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"wal_autocheckpoint = {PAGES_BEFORE_CHECKPOINT}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin for real, where the driver would wait for the first write and then fail if what it read had changed."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get(WRITING) else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.info.get(WRITING):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_MILLISECONDS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
    elif connection.info.get(SNAPSHOT):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
