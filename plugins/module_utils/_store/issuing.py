# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How certificates come into the store: intended before they are signed, stored before they are handed out.

A batch passes over its rows three times, and finds them by their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.bulk import insert_many, prepared, update_many
from ansible_collections.privatespace.gateway.plugins.module_utils._store.certificates import rows_by_serial
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    ABANDONED,
    INTENDED,
    SUPERSEDED,
    VALID,
    Authority,
    Intent,
    Signed,
    to_epoch,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

PROFILES = ("client", "server")
INTENDED_COLUMNS = (
    "authority_id", "serial", "common_name", "name_key", "name", "device", "profile", "state", "not_before",
    "not_after", "public_key_sha256", "intended_at",
)  # fmt: skip


def intend_certificates(session: StoreSession, authority: Authority, intents: Sequence[Intent]) -> None:
    """Store serials and names before anything is signed, in one transaction.

    What an earlier run intended and never stored was never handed out: it is marked as abandoned, and its serials
    stay taken.
    """
    now = to_epoch(session.clock())
    with session.transaction() as connection:
        _abandon(session, connection)
        serials = [str(intent.serial) for intent in intents]
        rows = _intended_rows(intents, serials, authority=authority, intended_at=now)
        insert_many(connection, session.tables.certificates, INTENDED_COLUMNS, rows)
        detail = {"serials": serials}
        audit.append_events(session, [audit.Event(audit.CERTIFICATES_INTENDED, authority.label, detail)])
        table = session.tables.certificates
        found = dict(session.read(sa.select(table.c.serial, table.c.id).where(_intended(table)), plain=True))
    session.row_ids = {intent.serial: (found[serial], serial) for intent, serial in zip(intents, serials)}


def _intended_rows(
    intents: Sequence[Intent], serials: Sequence[str], *, authority: Authority, intended_at: int
) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of :data:`INTENDED_COLUMNS`."""
    epoch = lru_cache(maxsize=16)(to_epoch)
    for intent, serial in zip(intents, serials):
        name = intent.common_name
        yield (
            authority.identifier,
            serial,
            name,
            name.casefold(),
            intent.name,
            intent.device,
            intent.profile,
            INTENDED,
            epoch(intent.not_before),
            epoch(intent.not_after),
            "",
            intended_at,
        )


def _intended(table: sa.FromClause) -> Any:
    """What was intended and not stored: the profiles stand there for the index."""
    return sa.and_(table.c.profile.in_(PROFILES), table.c.state == INTENDED)


def _abandon(session: StoreSession, connection: sa.Connection) -> None:
    table = session.tables.certificates
    intended = _intended(table)
    left = connection.execute(sa.select(table.c.serial, table.c.common_name).where(intended)).all()
    if left:
        connection.execute(sa.update(table).where(intended).values(state=ABANDONED))
    audit.append_events(
        session,
        [audit.Event(audit.CERTIFICATE_ABANDONED, row.serial, {"common_name": row.common_name}) for row in left],
    )


def record_certificates(session: StoreSession, signed: Sequence[Signed]) -> None:
    """Store signed certificates, in one transaction; they may be handed out once this has returned."""
    with recording_certificates(session) as record:
        record(signed)


@contextmanager
def recording_certificates(session: StoreSession) -> Iterator[Callable[[Sequence[Signed]], None]]:
    """Store signed certificates part by part in one transaction, which the end of the block commits.

    Each becomes the valid certificate of its common name; the one before it becomes superseded.
    """
    with session.transaction() as connection:
        replaced, statement = _replaced(session), prepared(connection, _record_statement(session.tables.certificates))

        def record(signed: Sequence[Signed]) -> None:
            superseded = _supersede(session, connection, replaced, signed)
            serials = _record(session, connection, statement, signed)
            audit.append_events(session, [*superseded, *_issued_events(signed, serials)])

        yield record


def _record_statement(table: sa.Table) -> Any:
    return (
        sa.update(table)
        .where(
            table.c.id == sa.bindparam("row"),
            table.c.serial == sa.bindparam("of_serial"),
            table.c.state == sa.bindparam("before"),
        )
        .values(
            state=sa.bindparam("after"),
            certificate=sa.bindparam("der"),
            public_key_sha256=sa.bindparam("key"),
            issued_at=sa.bindparam("at"),
        )
    )


def _record(session: StoreSession, connection: sa.Connection, statement: Any, signed: Sequence[Signed]) -> list[str]:
    """Store certificates in their rows; their serials as they are written."""
    at = to_epoch(session.clock())
    places = _places(session, [item.serial for item in signed])
    rows = [
        (VALID, item.certificate, item.public_key_sha256, at, number, serial, INTENDED)
        for item, (number, serial) in zip(signed, places)
    ]
    names = ("after", "der", "key", "at", "row", "of_serial", "before")
    if len(rows) != len(signed) or update_many(connection, statement, names, rows) != len(rows):
        raise StateError("What was signed is not what was intended: none of it was stored.")
    return [serial for _number, serial in places]


def _replaced(session: StoreSession) -> dict[str, Any]:
    """The valid certificates of the names that certificates are intended for, by these names."""
    new, old = session.tables.certificates.alias("new"), session.tables.certificates.alias("old")
    # The state stands there as it is, for the index that holds valid certificates only.
    same = sa.and_(old.c.name_key == new.c.name_key, old.c.state == sa.literal_column(f"'{VALID}'"))
    columns = (old.c.id, old.c.serial, old.c.common_name, old.c.name_key)
    rows = session.read(sa.select(*columns).select_from(new.join(old, same)).where(_intended(new)))
    return {row.name_key: row for row in rows}


def _supersede(
    session: StoreSession, connection: sa.Connection, replaced: dict[str, Any], signed: Sequence[Signed]
) -> list[audit.Event]:
    """Make room for certificates; whoever is replaced once is not replaced again."""
    if not replaced:
        return []
    names = {item.common_name.casefold() for item in signed}
    rows = sorted((replaced.pop(name) for name in names & replaced.keys()), key=lambda row: row.id)
    table = session.tables.certificates
    statement = sa.update(table).where(table.c.id == sa.bindparam("row")).values(state=sa.bindparam("after"))
    update_many(connection, prepared(connection, statement), ("after", "row"), [(SUPERSEDED, row.id) for row in rows])
    return [audit.Event(audit.CERTIFICATE_SUPERSEDED, row.serial, {"common_name": row.common_name}) for row in rows]


def _issued_events(signed: Sequence[Signed], serials: Sequence[str]) -> Iterator[audit.Event]:
    epoch = lru_cache(maxsize=16)(to_epoch)
    for item, serial in zip(signed, serials):
        detail = {
            "common_name": item.common_name,
            "profile": item.profile,
            "not_after": epoch(item.not_after),
            "sha256": fingerprint(item.certificate),
        }
        yield audit.Event(audit.CERTIFICATE_ISSUED, serial, detail)


def deliver_certificates(session: StoreSession, serials: Sequence[int]) -> None:
    """Store that certificates have left this process with their keys, in one transaction."""
    if not serials:
        return
    table, now = session.tables.certificates, to_epoch(session.clock())
    statement = (
        sa.update(table)
        .where(table.c.id.between(sa.bindparam("first"), sa.bindparam("last")))
        .values(delivered_at=sa.bindparam("at"))
    )
    with session.transaction() as connection:
        places = _places(session, serials)
        rows = [(now, first, last) for first, last in _ranges(number for number, _serial in places)]
        if update_many(connection, prepared(connection, statement), ("at", "first", "last"), rows) != len(serials):
            raise StateError("What is to be handed out is not what was stored: nothing leaves this process.")
        texts = sorted(serial for _number, serial in places)
        audit.append_events(session, [audit.Event(audit.CERTIFICATES_DELIVERED, str(len(texts)), {"serials": texts})])


def _places(session: StoreSession, serials: Sequence[int]) -> list[tuple[int, str]]:
    """Numbers of rows and written serials, without those that the store does not know.

    It is asked only for what this session has not just intended.
    """
    known = session.row_ids
    left = [str(serial) for serial in serials if serial not in known]
    if left:
        found = rows_by_serial(session, left)
        known = {**known, **{int(serial): (row.id, serial) for serial, row in found.items()}}
    return [known[serial] for serial in serials if serial in known]


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Numbers as ranges without a gap: first and last."""
    ordered = sorted(numbers)
    first = ordered[0] if ordered else 0
    for number, following in zip(ordered, [*ordered[1:], None]):
        if following != number + 1:
            yield first, number
            first = following or 0
