# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs in the store: their numbers, their dates, and what the next one owes.

An entry is owed until it has been in a CRL that was signed after its certificate expired (RFC 5280, section 3.3).
The next CRL is made from all that is owed, or from the last CRL and what no CRL has listed yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    INTENDED,
    SIGNED,
    Authority,
    Owed,
    RevocationList,
    from_epoch,
    from_epoch_microseconds,
    to_epoch,
    to_epoch_microseconds,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

Piece = Union[bytes, memoryview]
ROWS_AT_ONCE = 5_000


class CrlIntent(Protocol):
    """What is stored before a CRL is signed; the fields are those of ``RevocationList``."""

    @property
    def number(self) -> int: ...

    @property
    def this_update(self) -> datetime: ...

    @property
    def next_update(self) -> datetime: ...

    @property
    def signed_at(self) -> datetime: ...


def last_crl(session: StoreSession, authority: Authority) -> RevocationList | None:
    """The CRL that was signed last, or ``None``."""
    table = session.tables.crls
    return _newest(session, sa.and_(table.c.authority_id == authority.identifier, table.c.state == SIGNED))


def last_number(session: StoreSession, authority: Authority) -> RevocationList | None:
    """The CRL with the highest number, signed or only intended, or ``None``: numbers and dates go on from here."""
    return _newest(session, session.tables.crls.c.authority_id == authority.identifier)


def _newest(session: StoreSession, condition: Any) -> RevocationList | None:
    table = session.tables.crls
    rows = session.read(sa.select(table).where(condition).order_by(table.c.number.desc()).limit(1))
    return _as_crl(rows[0]) if rows else None


def count_unpublished(session: StoreSession, authority: Authority, *, through: int | None = None) -> int:
    """How many revocations no CRL has listed yet.

    :param through: Only those up to this row.
    """
    table = session.tables.revocations
    statement = sa.select(sa.func.count()).where(
        table.c.authority_id == authority.identifier, table.c.first_crl_number.is_(None)
    )
    if through is not None:
        statement = statement.where(table.c.id <= through)
    count: int = session.read(statement)[0][0]
    return count


def count_revocations(session: StoreSession, authority: Authority) -> int:
    """How many certificates of an authority were ever revoked.

    All of them are counted without a look at any, and those of other authorities taken off, of which there are few.
    """
    table, authorities = session.tables.revocations, session.tables.authorities
    everything = sa.select(sa.func.count()).select_from(table)
    labels = session.read(sa.select(authorities.c.id).where(authorities.c.id != authority.identifier))
    count: int = session.read(everything)[0][0]
    for row in labels:
        count -= session.read(everything.where(table.c.authority_id == row.id))[0][0]
    return count


def load_owed(session: StoreSession, authority: Authority) -> Owed:
    """The entries that the next CRL has to list, as they are encoded, in the order of their revocation."""
    table = session.tables.revocations
    published = last_crl(session, authority)
    owed: Any = table.c.first_crl_number.is_(None)
    if published is not None:
        owed = sa.or_(owed, table.c.not_after >= to_epoch(published.this_update))
    # The sum keeps the database off its index: nearly every row is wanted, in the order of the table.
    return _load(session, authority, sa.and_(table.c.authority_id + 0 == authority.identifier, owed))


def load_unpublished(session: StoreSession, authority: Authority) -> Owed:
    """The entries that no CRL has listed yet, to be added to those of the last CRL."""
    table = session.tables.revocations
    return _load(
        session, authority, sa.and_(table.c.authority_id == authority.identifier, table.c.first_crl_number.is_(None))
    )


def _load(session: StoreSession, authority: Authority, condition: Any) -> Owed:
    """Read entries as plain tuples, and never all of the rows at once."""
    table = session.tables.revocations
    statement = sa.select(table.c.id, table.c.entry).where(condition).order_by(table.c.id).limit(ROWS_AT_ONCE)
    entries: list[bytes] = []
    count = through = 0
    while rows := session.read(statement.where(table.c.id > through), plain=True):
        entries.append(b"".join([row[1] for row in rows]))
        count, through = count + len(rows), rows[-1][0]
    return Owed(tuple(entries), count, through, count_unpublished(session, authority, through=through))


def intend_crl(session: StoreSession, authority: Authority, crl: CrlIntent) -> None:
    """Take a CRL's number before it is signed, so that no other CRL can ever bear it."""
    with session.transaction() as connection:
        connection.execute(
            sa.insert(session.tables.crls).values(
                authority_id=authority.identifier,
                number=crl.number,
                state=INTENDED,
                this_update=to_epoch(crl.this_update),
                next_update=to_epoch(crl.next_update),
                signed_at_us=to_epoch_microseconds(crl.signed_at),
                entries=0,
                sha256="",
            )
        )
        detail = {"authority": authority.label, "this_update": to_epoch(crl.this_update)}
        audit.append_events(session, [audit.Event(audit.CRL_INTENDED, str(crl.number), detail)])


def record_crl(
    session: StoreSession,
    authority: Authority,
    crl: CrlIntent,
    *,
    der: bytes | Sequence[Piece],
    owed: Owed,
    spliced: int = 0,
) -> None:
    """Store that a CRL was signed and which entries it lists; it may be published once this has returned.

    :param der: The CRL, whole or in parts.
    :param owed: What it lists; with ``spliced`` only what it lists more than the CRL before.
    :param spliced: How many entries it has taken over from that one.
    :raises StateError: revocations have changed since ``owed`` was read; nothing was stored.
    """
    digest, entries = _sha256(der), spliced + owed.count
    crls = session.tables.crls
    with session.transaction() as connection:
        _publish(connection, session.tables.revocations, authority, crl.number, owed)
        omitted = _count_omitted(session, authority, entries, spliced=spliced)
        connection.execute(
            sa.update(crls)
            .where(crls.c.authority_id == authority.identifier, crls.c.number == crl.number)
            .values(
                state=SIGNED,
                entries=entries,
                sha256=digest,
                omitted=omitted,
                signed_at_us=to_epoch_microseconds(crl.signed_at),
            )
        )
        detail = {"authority": authority.label, "entries": entries, "sha256": digest}
        audit.append_events(session, [audit.Event(audit.CRL_SIGNED, str(crl.number), detail)])


def _count_omitted(session: StoreSession, authority: Authority, entries: int, *, spliced: int) -> int:
    """How many revoked certificates are not listed any more: no others than before where entries were taken over."""
    last = last_crl(session, authority) if spliced else None
    if last is not None:
        return last.omitted
    return count_revocations(session, authority) - entries - count_unpublished(session, authority)


def _publish(connection: sa.Connection, table: sa.Table, authority: Authority, number: int, owed: Owed) -> None:
    """Mark exactly what was read as listed."""
    listed = connection.execute(
        sa.update(table)
        .where(
            table.c.authority_id == authority.identifier,
            table.c.first_crl_number.is_(None),
            table.c.id <= owed.through,
        )
        .values(first_crl_number=number)
    ).rowcount
    if listed != owed.unpublished:
        raise StateError(
            f"{owed.unpublished} revocations were new when the CRL {number} was signed, and there are {listed} now.",
            remedy="Another program changed the store in the middle of this run; start the run again.",
        )


def _sha256(der: bytes | Sequence[Piece]) -> str:
    digest = hashlib.sha256()
    for part in (der,) if isinstance(der, bytes) else der:
        digest.update(part)
    return digest.hexdigest()


def _as_crl(row: Any) -> RevocationList:
    return RevocationList(
        number=row.number,
        state=row.state,
        this_update=from_epoch(row.this_update),
        next_update=from_epoch(row.next_update),
        signed_at=from_epoch_microseconds(row.signed_at_us),
        entries=row.entries,
        sha256=row.sha256,
        omitted=row.omitted,
    )
