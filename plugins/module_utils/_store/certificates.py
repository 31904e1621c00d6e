# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the store: intended before they are signed, stored before they are handed out, revoked for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    REVOKED,
    SUPERSEDED,
    VALID,
    Certificate,
    Revocation,
    from_epoch,
    to_epoch,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

ROWS_A_QUERY = 500
ROW_COLUMNS = ("id", "authority_id", "serial", "common_name", "state", "not_after")


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


def revoke_certificates(session: StoreSession, revocations: Sequence[Revocation]) -> None:
    """Store revocations, in one transaction; the next CRL of the authority that issued each owes it.

    :raises StateError: a serial is not that of a certificate which can be revoked; nothing was stored.
    """
    if not revocations:
        return
    table = session.tables.certificates
    with session.transaction() as connection:
        found = rows_by_serial(session, [str(item.serial) for item in revocations])
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


def rows_by_serial(session: StoreSession, serials: Sequence[str]) -> dict[str, Any]:
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
