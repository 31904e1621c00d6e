# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs in the store: their numbers, their dates, and what the next one owes.

An entry is owed until it has been in a CRL that was signed after its certificate expired (RFC 5280, section 3.3).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
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


def count_unpublished(session: StoreSession, authority: Authority) -> int:
    """How many revocations no CRL has listed yet."""
    table = session.tables.revocations
    statement = sa.select(sa.func.count()).where(
        table.c.authority_id == authority.identifier, table.c.first_crl_number.is_(None)
    )
    count: int = session.read(statement)[0][0]
    return count


def load_owed(session: StoreSession, authority: Authority) -> Owed:
    """The entries that the next CRL has to list, as they are encoded, in the order of their revocation."""
    table = session.tables.revocations
    published = last_crl(session, authority)
    owed: Any = table.c.first_crl_number.is_(None)
    if published is not None:
        owed = sa.or_(owed, table.c.not_after >= to_epoch(published.this_update))
    rows = session.read(
        sa.select(table.c.id, table.c.entry, table.c.first_crl_number)
        .where(table.c.authority_id == authority.identifier, owed)
        .order_by(table.c.id)
    )
    return Owed(
        entries=tuple(row.entry for row in rows),
        through=rows[-1].id if rows else 0,
        unpublished=sum(1 for row in rows if row.first_crl_number is None),
    )


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


def record_crl(session: StoreSession, authority: Authority, crl: CrlIntent, *, der: bytes, owed: Owed) -> None:
    """Store that a CRL was signed and which entries it lists; it may be published once this has returned."""
    crls, revocations = session.tables.crls, session.tables.revocations
    with session.transaction() as connection:
        connection.execute(
            sa.update(crls)
            .where(crls.c.authority_id == authority.identifier, crls.c.number == crl.number)
            .values(
                state=SIGNED,
                entries=len(owed.entries),
                sha256=fingerprint(der),
                signed_at_us=to_epoch_microseconds(crl.signed_at),
            )
        )
        connection.execute(
            sa.update(revocations)
            .where(
                revocations.c.authority_id == authority.identifier,
                revocations.c.first_crl_number.is_(None),
                revocations.c.id <= owed.through,
            )
            .values(first_crl_number=crl.number)
        )
        detail = {"authority": authority.label, "entries": len(owed.entries), "sha256": fingerprint(der)}
        audit.append_events(session, [audit.Event(audit.CRL_SIGNED, str(crl.number), detail)])


def _as_crl(row: Any) -> RevocationList:
    return RevocationList(
        number=row.number,
        state=row.state,
        this_update=from_epoch(row.this_update),
        next_update=from_epoch(row.next_update),
        signed_at=from_epoch_microseconds(row.signed_at_us),
        entries=row.entries,
        sha256=row.sha256,
    )
