# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole stores: copied while others may be writing, checked, compared, and put in the place of others.

Every copy is one SQLite file, whichever database it was taken from, so that one kind of backup fits both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, authorities, crls
from ansible_collections.privatespace.gateway.plugins.module_utils._store.engine import (
    connect_sqlite,
    connected,
    make_engine,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, explain, explained
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation, make_file
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import Authority, RevocationList
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import tables
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Trail:
    """How far an audit trail goes.

    :param records: How many records it has.
    :param head: The hash of the newest one.
    """

    records: int
    head: str


def store_facts(session: StoreSession) -> dict[str, Any]:
    """What a store knows, in numbers: kept in the manifest of a backup, and shown of it."""
    known = authorities.load_authorities(session)
    last = {authority.label: crls.last_number(session, authority) for authority in known}
    trail = trail_of(session)
    return {
        "certificates": _count(session, tables().certificates),
        "revocations": _count(session, tables().revocations),
        "suspensions": _count(session, tables().suspensions),
        "gateway_names": _count(session, tables().gateway_names),
        "crl_numbers": {label: crl.number if crl else 0 for label, crl in last.items()},
        "audit_records": trail.records,
        "audit_head": trail.head,
        "authorities": [
            {"label": found.label, "state": found.state, "fingerprint": _fingerprint(found)} for found in known
        ],
    }


def _count(session: StoreSession, table: Any) -> int:
    return int(session.read(sa.select(sa.func.count()).select_from(table))[0][0])


def _fingerprint(authority: Authority) -> str:
    return fingerprint(authority.certificate) if authority.certificate else ""


def trail_of(session: StoreSession) -> Trail:
    """How far the audit trail of a store goes; its hashes are not checked."""
    table = tables().audit
    newest = session.read(sa.select(table.c.sequence, table.c.hash).order_by(table.c.sequence.desc()).limit(1))
    return Trail(newest[0].sequence, newest[0].hash) if newest else Trail(0, audit.BEGINNING)


def record_at(session: StoreSession, sequence: int) -> Any:
    """One record of the audit trail, ``None`` where it is not that long."""
    rows = session.read(sa.select(tables().audit).where(tables().audit.c.sequence == sequence))
    return rows[0] if rows else None


def published_crls(session: StoreSession) -> Iterator[tuple[Authority, RevocationList | None]]:
    """The authorities that sign, each with the CRL that it signed last."""
    for authority in authorities.trusted_authorities(session):
        yield authority, crls.last_crl(session, authority)


def require_sound(session: StoreSession) -> None:
    """Check a whole store: its database and its audit trail.

    :raises StoreError: naming what is wrong first.
    """
    problems = [*session.integrity_problems(), *audit.verify_chain(session).problems]
    if problems:
        raise StoreError(f"The store {session.location.shown} does not agree with itself: {problems[0]}")


def copy_store(session: StoreSession, target: Path) -> None:
    """Copy a whole store, as it is at one moment, into a new SQLite file of mode 0600.

    :raises StoreError: it cannot be read, or the copy cannot be written.
    """
    location = StoreLocation(path=target)
    make_file(location)
    if session.location.path is not None:
        copy_file(session.location, location)
        return
    engine = make_engine(location)
    try:
        with connected(engine, location) as into, explained(location.shown), into.begin():
            tables().metadata.create_all(into)
            with session.preview():
                copy_rows(session.connection, into)
    finally:
        engine.dispose()


def copy_rows(source: sa.Connection, target: sa.Connection, *, without: tuple[str, ...] = ()) -> None:
    """Copy every row of every table, inside transactions that are open on both sides."""
    for table in tables().metadata.sorted_tables:
        if table.name in without:
            continue
        everything = sa.select(table).order_by(*table.primary_key.columns)
        for rows in source.execute(everything.execution_options(yield_per=ROWS_AT_ONCE)).mappings().partitions():
            target.execute(sa.insert(table), [dict(row) for row in rows])


def copy_file(source: StoreLocation, target: StoreLocation) -> None:
    """Copy one SQLite store over another, which has to exist, as one transaction: readers see the old or the new one.

    :raises StoreError: one of them cannot be read or written; the target is as it was.
    """
    with (
        _driver_errors(source),
        closing(connect_sqlite(source)) as origin,
        _driver_errors(target),
        closing(connect_sqlite(target)) as into,
    ):
        origin.backup(into)


def put_aside(path: Path, suffix: str, *, damaged: bool) -> list[str]:
    """Keep what an SQLite store is now beside it, before something else takes its place.

    :param suffix: What is added to its name.
    :param damaged: It cannot be read: its files are moved. Otherwise a copy is made and it stays as it is.
    :returns: The paths of what was kept; none where there is no store.
    :raises StoreError: it cannot be kept.
    """
    if not path.exists():
        return []
    beside = path.with_name(f"{path.name}{suffix}")
    if not damaged:
        make_file(StoreLocation(path=beside))
        copy_file(StoreLocation(path=path), StoreLocation(path=beside))
        seal(beside)
        return [str(beside)]
    # The database last: as long as it is there, a run that broke off here finds it damaged and begins again.
    parts = [part for part in ("-wal", "-shm", "") if path.with_name(f"{path.name}{part}").exists()]
    for part in parts:
        path.with_name(f"{path.name}{part}").rename(f"{beside}{part}")
    return [f"{beside}{part}" for part in parts]


def seal(path: Path) -> None:
    """Leave an SQLite file that nobody has open as one file, without a log beside it.

    :raises StoreError: it cannot be written.
    """
    location = StoreLocation(path=path)
    with _driver_errors(location), closing(sqlite3.connect(str(path))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()


@contextmanager
def _driver_errors(location: StoreLocation) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(location.shown, error) from error


def fill_database(session: StoreSession, source: StoreSession) -> None:
    """Put everything of a store into a database that has its tables and nothing in them, as one transaction.

    :raises StoreError: the database refused; it is as empty as before.
    """
    with session.transaction() as connection:
        copy_rows(source.connection, connection, without=("schema_version",))
        for table in tables().metadata.sorted_tables:
            if "id" in table.c and connection.dialect.name == "postgresql":
                sequence = sa.func.pg_get_serial_sequence(table.name, "id")
                connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(table.c.id))).select_from(table))


def require_same(session: StoreSession, facts: Mapping[str, Any]) -> None:
    """Check that a store knows exactly what a manifest says.

    :raises StoreError: naming the first difference.
    """
    found = store_facts(session)
    for name, told in facts.items():
        if found.get(name) != told:
            raise StoreError(
                f"The store {session.location.shown} is not the one that the manifest tells of: {name} differs.",
                remedy="Take another backup.",
            )
