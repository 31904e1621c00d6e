# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities in the store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    ACTIVE,
    INTENDED,
    Authority,
    from_epoch,
    to_epoch,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")


def load_authorities(session: StoreSession) -> tuple[Authority, ...]:
    """All authorities of the store, the oldest first."""
    table = session.tables.authorities
    return tuple(_as_authority(row) for row in session.read(sa.select(table).order_by(table.c.id)))


def find_authority(session: StoreSession, label: str) -> Authority | None:
    """The authority whose key has that label, active or only intended."""
    return next((authority for authority in load_authorities(session) if authority.label == label), None)


def active_authority(session: StoreSession, label: str) -> Authority:
    """The authority whose key has that label, able to sign.

    :raises StateError: there is none.
    """
    authority = find_authority(session, label)
    if authority is None or authority.state != ACTIVE:
        known = ", ".join(f"'{other.label}'" for other in load_authorities(session) if other.state == ACTIVE) or "none"
        raise StateError(
            f"The store {session.location.shown} has no authority with the key label '{label}' (it has {known}).",
            remedy="Set it up first (module privatespace.gateway.pki_authority), or correct 'hsm_key_label'.",
        )
    return authority


def intend_authority(
    session: StoreSession, *, label: str, common_name: str, algorithm: str, crl_validity_days: int
) -> None:
    """Store that an authority is going to be made, before its key is; the same intention again is kept."""
    table = session.tables.authorities
    with session.transaction() as connection:
        values: dict[str, Any] = {
            "common_name": common_name,
            "algorithm": algorithm,
            "crl_validity_days": crl_validity_days,
        }
        mine = sa.select(table.c.id).where(table.c.label == label)
        if connection.execute(mine).first() is None:
            values.update({"label": label, "state": INTENDED, "created_at": to_epoch(session.clock())})
            connection.execute(sa.insert(table).values(values))
        else:
            connection.execute(sa.update(table).where(table.c.label == label, table.c.state == INTENDED).values(values))
        audit.append_events(
            session,
            [audit.Event(audit.AUTHORITY_INTENDED, label, {"common_name": common_name, "algorithm": algorithm})],
        )


def activate_authority(session: StoreSession, label: str, *, certificate: bytes, not_after: datetime) -> None:
    """Store the certificate of an intended authority (DER), which makes it able to sign."""
    table = session.tables.authorities
    with session.transaction() as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.label == label, table.c.state == INTENDED)
            .values(state=ACTIVE, certificate=certificate, not_after=to_epoch(not_after))
        )
        detail = {"sha256": fingerprint(certificate), "not_after": to_epoch(not_after)}
        audit.append_events(session, [audit.Event(audit.AUTHORITY_ACTIVATED, label, detail)])


def change_crl_validity(session: StoreSession, authority: Authority, days: int) -> None:
    """Store how long the CRLs of an authority are valid from now on."""
    table = session.tables.authorities
    with session.transaction() as connection:
        connection.execute(sa.update(table).where(table.c.id == authority.identifier).values(crl_validity_days=days))
        detail = {"crl_validity_days": days, "before": authority.crl_validity_days}
        audit.append_events(session, [audit.Event(audit.AUTHORITY_CHANGED, authority.label, detail)])


def _as_authority(row: Any) -> Authority:
    return Authority(
        identifier=row.id,
        label=row.label,
        common_name=row.common_name,
        algorithm=row.algorithm,
        state=row.state,
        crl_validity_days=row.crl_validity_days,
        certificate=row.certificate or b"",
        not_after=None if row.not_after is None else from_epoch(row.not_after),
    )
