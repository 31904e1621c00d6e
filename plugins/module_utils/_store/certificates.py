# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the store: intended before they are signed, stored before they are handed out, revoked for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.bulk import insert_many, update_many
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    ABANDONED,
    INTENDED,
    REVOKED,
    SUPERSEDED,
    VALID,
    Authority,
    Certificate,
    Intent,
    Revocation,
    Signed,
    from_epoch,
    to_epoch,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

ROWS_A_QUERY = 500
PROFILES = ("client", "server")
ROW_COLUMNS = ("id", "authority_id", "serial", "common_name", "state", "not_after")
INTENDED_COLUMNS = (
    "authority_id", "serial", "common_name", "name_key", "name", "device", "profile", "state", "not_before",
    "not_after", "public_key_sha256", "intended_at",
)  # fmt: skip


def load_current(session: StoreSession, *, profile: str) -> tuple[Certificate, ...]:
    """All certificates of a profile that are valid or superseded, expired ones too, without their DER."""
    table = session.tables.certificates
    return _load(session, [table.c.profile == profile, table.c.state.in_((VALID, SUPERSEDED))])


def load_history(session: StoreSession, *, profile: str, names: Iterable[str]) -> tuple[Certificate, ...]:
    """All certificates that users or gateways of these names ever had, the oldest first, without their DER."""
    table = session.tables.certificates
    found: list[Certificate] = []
    for chunk in _chunks(sorted(set(names))):
        found.extend(_load(session, [table.c.profile == profile, table.c.name.in_(chunk)]))
    # Asked for the states as well, SQLite would read all certificates of the profile for every chunk.
    return tuple(certificate for certificate in found if certificate.state in (VALID, SUPERSEDED, REVOKED))


def load_certificate(session: StoreSession, serial: int) -> Certificate:
    """One certificate with its DER.

    :raises StateError: the store does not know that serial.
    """
    table = session.tables.certificates
    found = _load(session, [table.c.serial == str(serial)], with_der=True)
    if not found:
        raise StateError(f"The store {session.location.shown} knows no certificate {serial}.")
    return found[0]


def load_all(
    session: StoreSession, *, names: Sequence[str] | None = None, expiring_after: datetime | None = None
) -> tuple[Certificate, ...]:
    """Certificates that were handed out, the oldest first, without their DER.

    :param names: Only those of these users and gateways.
    :param expiring_after: Only those that have not expired by then.
    """
    table = session.tables.certificates
    conditions: list[Any] = [table.c.state.in_((VALID, SUPERSEDED, REVOKED))]
    if names is not None:
        conditions.append(table.c.name.in_(names))
    if expiring_after is not None:
        conditions.append(table.c.not_after > to_epoch(expiring_after))
    return _load(session, conditions)


def count_certificates(session: StoreSession, *, now: datetime) -> dict[str, int]:
    """How many certificates there are in every state; states without any are left out.

    Those that are valid or superseded and have expired count as ``expired``.
    """
    table = session.tables.certificates
    ended = sa.and_(table.c.state.in_((VALID, SUPERSEDED)), table.c.not_after <= to_epoch(now))
    state = sa.case((ended, sa.literal("expired")), else_=table.c.state).label("shown_state")
    rows = session.read(sa.select(state, sa.func.count().label("found")).group_by(state))
    return {row.shown_state: row.found for row in rows}


def _load(session: StoreSession, conditions: Sequence[Any], *, with_der: bool = False) -> tuple[Certificate, ...]:
    table, revocations = session.tables.certificates, session.tables.revocations
    issuers = session.tables.authorities
    columns = [column for column in table.c if with_der or column.name != "certificate"]
    statement = (
        sa.select(*columns, revocations.c.revoked_at, revocations.c.reason, issuers.c.label)
        .select_from(
            table.join(issuers, issuers.c.id == table.c.authority_id).outerjoin(
                revocations, revocations.c.certificate_id == table.c.id
            )
        )
        .where(*conditions)
        .order_by(table.c.id)
    )
    return tuple(_as_certificate(row._mapping) for row in session.read(statement))  # noqa: SLF001 - public in SQLAlchemy


def _as_certificate(row: Any) -> Certificate:
    return Certificate(
        serial=int(row["serial"]),
        common_name=row["common_name"],
        name=row["name"],
        device=row["device"],
        profile=row["profile"],
        state=row["state"],
        not_before=from_epoch(row["not_before"]),
        not_after=from_epoch(row["not_after"]),
        public_key_sha256=row["public_key_sha256"],
        certificate=row.get("certificate") or b"",
        revoked_at=None if row["revoked_at"] is None else from_epoch(row["revoked_at"]),
        reason=row["reason"],
        authority=row["label"],
        delivered=row["delivered_at"] is not None,
    )


def intend_certificates(session: StoreSession, authority: Authority, intents: Sequence[Intent]) -> None:
    """Store serials and names before anything is signed, in one transaction.

    What an earlier run intended and never stored was never handed out: it is marked as abandoned, and its serials
    stay taken.
    """
    now = to_epoch(session.clock())
    with session.transaction() as connection:
        _abandon(session, connection)
        rows = _intended_rows(intents, authority=authority, intended_at=now)
        insert_many(connection, session.tables.certificates, INTENDED_COLUMNS, rows)
        detail = {"serials": [str(intent.serial) for intent in intents]}
        audit.append_events(session, [audit.Event(audit.CERTIFICATES_INTENDED, authority.label, detail)])


def _intended_rows(intents: Sequence[Intent], *, authority: Authority, intended_at: int) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of :data:`INTENDED_COLUMNS`."""
    epoch = lru_cache(maxsize=16)(to_epoch)
    for intent in intents:
        name = intent.common_name
        yield (
            authority.identifier,
            str(intent.serial),
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


def _abandon(session: StoreSession, connection: sa.Connection) -> None:
    table = session.tables.certificates
    intended = sa.and_(table.c.profile.in_(PROFILES), table.c.state == INTENDED)
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
        yield lambda signed: _record(session, connection, signed)


def _record(session: StoreSession, connection: sa.Connection, signed: Sequence[Signed]) -> None:
    table = session.tables.certificates
    superseded = _supersede(session, connection, {item.common_name.casefold() for item in signed})
    statement = (
        sa.update(table)
        .where(table.c.serial == sa.bindparam("of_serial"), table.c.state == sa.bindparam("before"))
        .values(
            state=sa.bindparam("after"),
            certificate=sa.bindparam("der"),
            public_key_sha256=sa.bindparam("key"),
            issued_at=sa.bindparam("at"),
        )
    )
    at = to_epoch(session.clock())
    rows = [(str(item.serial), INTENDED, VALID, item.certificate, item.public_key_sha256, at) for item in signed]
    if update_many(connection, statement, ("of_serial", "before", "after", "der", "key", "at"), rows) != len(rows):
        raise StateError("What was signed is not what was intended: none of it was stored.")
    audit.append_events(session, [*superseded, *_issued_events(signed)])


def _supersede(session: StoreSession, connection: sa.Connection, name_keys: Iterable[str]) -> list[audit.Event]:
    table = session.tables.certificates
    events: list[audit.Event] = []
    for chunk in _chunks(sorted(name_keys)):
        current = sa.and_(table.c.name_key.in_(chunk), table.c.state == VALID)
        rows = connection.execute(sa.select(table.c.serial, table.c.common_name).where(current)).all()
        if rows:
            connection.execute(sa.update(table).where(current).values(state=SUPERSEDED))
        events += [
            audit.Event(audit.CERTIFICATE_SUPERSEDED, row.serial, {"common_name": row.common_name}) for row in rows
        ]
    return events


def _issued_events(signed: Sequence[Signed]) -> Iterator[audit.Event]:
    epoch = lru_cache(maxsize=16)(to_epoch)
    for item in signed:
        detail = {
            "common_name": item.common_name,
            "profile": item.profile,
            "not_after": epoch(item.not_after),
            "sha256": fingerprint(item.certificate),
        }
        yield audit.Event(audit.CERTIFICATE_ISSUED, str(item.serial), detail)


def deliver_certificates(session: StoreSession, serials: Sequence[int]) -> None:
    """Store that certificates are about to leave this process with their keys, in one transaction."""
    if not serials:
        return
    table, now = session.tables.certificates, to_epoch(session.clock())
    texts = [str(serial) for serial in serials]
    statement = (
        sa.update(table).where(table.c.serial == sa.bindparam("of_serial")).values(delivered_at=sa.bindparam("at"))
    )
    with session.transaction() as connection:
        update_many(connection, statement, ("of_serial", "at"), [(serial, now) for serial in texts])
        audit.append_events(
            session, [audit.Event(audit.CERTIFICATES_DELIVERED, str(len(texts)), {"serials": sorted(texts)})]
        )


def revoke_certificates(session: StoreSession, revocations: Sequence[Revocation]) -> None:
    """Store revocations, in one transaction; the next CRL of the authority that issued each owes it.

    :raises StateError: a serial is not that of a certificate which can be revoked; nothing was stored.
    """
    if not revocations:
        return
    table = session.tables.certificates
    with session.transaction() as connection:
        found = _rows_by_serial(session, [str(item.serial) for item in revocations])
        for item in revocations:
            row = found.get(str(item.serial))
            if row is None or row.state not in (VALID, SUPERSEDED):
                raise StateError(
                    f"Certificate {item.serial} cannot be revoked: the store has no valid one of that serial."
                )
        connection.execute(
            sa.insert(session.tables.revocations),
            [_revocation_row(item, found[str(item.serial)]) for item in revocations],
        )
        connection.execute(
            sa.update(table).where(table.c.serial == sa.bindparam("of_serial")).values(state=REVOKED),
            [{"of_serial": str(item.serial)} for item in revocations],
        )
        audit.append_events(session, list(_revoked_events(revocations, found)))


def _revocation_row(revocation: Revocation, certificate: Any) -> dict[str, Any]:
    return {
        "authority_id": certificate.authority_id,
        "certificate_id": certificate.id,
        "revoked_at": to_epoch(revocation.revoked_at),
        "reason": revocation.reason,
        "entry": revocation.entry,
        "not_after": certificate.not_after,
    }


def _revoked_events(revocations: Sequence[Revocation], found: dict[str, Any]) -> Iterator[audit.Event]:
    for item in revocations:
        detail = {
            "common_name": found[str(item.serial)].common_name,
            "reason": item.reason,
            "revoked_at": to_epoch(item.revoked_at),
        }
        yield audit.Event(audit.CERTIFICATE_REVOKED, str(item.serial), detail)


def _rows_by_serial(session: StoreSession, serials: Sequence[str]) -> dict[str, Any]:
    table = session.tables.certificates
    columns = [table.c[name] for name in ROW_COLUMNS]
    found: dict[str, Any] = {}
    for chunk in _chunks(serials):
        rows = session.connection.execute(sa.select(*columns).where(table.c.serial.in_(chunk))).all()
        found.update((row.serial, row) for row in rows)
    return found


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), ROWS_A_QUERY):
        yield values[start : start + ROWS_A_QUERY]
