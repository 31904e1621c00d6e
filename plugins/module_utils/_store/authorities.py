# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities in the store: one after the other, each of which may take over from the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    ACTIVE,
    INTENDED,
    REQUESTED,
    RETIRED,
    RETIRING,
    STANDBY,
    SUPERSEDED,
    TRUSTED,
    VALID,
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
    """The authority whose key has that label, in whatever state."""
    return next((authority for authority in load_authorities(session) if authority.label == label), None)


def trusted_authorities(session: StoreSession) -> tuple[Authority, ...]:
    """Those whose certificates have to be trusted and whose CRLs are kept fresh: the active one first."""
    found = [authority for authority in load_authorities(session) if authority.state in TRUSTED]
    return tuple(sorted(found, key=lambda authority: TRUSTED.index(authority.state)))


def successor_of(authorities: Sequence[Authority], label: str) -> Authority | None:
    """The authority of that label, or the one that has taken over from it, and so on."""
    found = next((authority for authority in authorities if authority.label == label), None)
    while found is not None and found.state in (RETIRING, RETIRED):
        heirs = [other for other in authorities if other.replaces == found.label and other.state in (*TRUSTED, RETIRED)]
        found = heirs[-1] if heirs else None
    return found


def active_authority(session: StoreSession, label: str) -> Authority:
    """The authority that issues: the one whose key has that label, or its successor.

    :raises StateError: there is none.
    """
    known = load_authorities(session)
    authority = successor_of(known, label)
    if authority is None or authority.state != ACTIVE:
        shown = ", ".join(f"'{other.label}'" for other in known if other.state == ACTIVE) or "none"
        raise StateError(
            f"The store {session.location.shown} has no active authority with the key label '{label}' "
            f"(it has {shown}).",
            remedy="Set it up first (module privatespace.gateway.pki_authority), or correct 'hsm_key_label'.",
        )
    return authority


def count_usable(session: StoreSession, authority: Authority, *, now: datetime, profile: str | None = None) -> int:
    """How many certificates of an authority are neither revoked nor expired.

    :param profile: Only those of this profile.
    """
    table = session.tables.certificates
    conditions = [
        table.c.authority_id == authority.identifier,
        table.c.state.in_((VALID, SUPERSEDED)),
        table.c.not_after > to_epoch(now),
    ]
    if profile is not None:
        conditions.append(table.c.profile == profile)
    count: int = session.read(sa.select(sa.func.count()).select_from(table).where(*conditions))[0][0]
    return count


def intend_authority(
    session: StoreSession,
    *,
    label: str,
    common_name: str,
    algorithm: str,
    crl_validity_days: int,
    replaces: str = "",
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Store that an authority is going to be made, before its key is; the same intention again is kept."""
    table = session.tables.authorities
    with session.transaction() as connection:
        values: dict[str, Any] = {
            "common_name": common_name,
            "algorithm": algorithm,
            "crl_validity_days": crl_validity_days,
            "replaces": replaces or None,
            "settings": json.dumps(dict(settings or {}), sort_keys=True),
        }
        mine = sa.select(table.c.id).where(table.c.label == label)
        if connection.execute(mine).first() is None:
            values.update({"label": label, "state": INTENDED, "created_at": to_epoch(session.clock())})
            connection.execute(sa.insert(table).values(values))
        else:
            connection.execute(sa.update(table).where(table.c.label == label, table.c.state == INTENDED).values(values))
        detail = {"common_name": common_name, "algorithm": algorithm, "replaces": replaces}
        audit.append_events(session, [audit.Event(audit.AUTHORITY_INTENDED, label, detail)])


def request_authority(session: StoreSession, label: str, *, csr: str) -> None:
    """Store the CSR (PEM) of an intended authority, which waits for its certificate from then on."""
    detail = {"sha256": fingerprint(csr.encode())}
    values = {"state": REQUESTED, "csr": csr}
    _update(session, label, values, audit.AUTHORITY_REQUESTED, detail, only_from=(INTENDED,))


def activate_authority(
    session: StoreSession,
    label: str,
    *,
    certificate: bytes,
    not_after: datetime,
    chain: str = "",
    chain_crls: str = "",
    standby: bool = False,
) -> None:
    """Store the certificate of an authority (DER): it signs CRLs from then on, and issues unless it stands by.

    :param chain: PEM of the certificates above it; ``chain_crls`` PEM of their CRLs.
    """
    values = {
        "state": STANDBY if standby else ACTIVE,
        "certificate": certificate,
        "not_after": to_epoch(not_after),
        "chain": chain,
        "chain_crls": chain_crls,
    }
    detail = {"sha256": fingerprint(certificate), "not_after": to_epoch(not_after), "standby": standby}
    _update(session, label, values, audit.AUTHORITY_ACTIVATED, detail, only_from=(INTENDED, REQUESTED))


def take_over(session: StoreSession, label: str) -> None:
    """Let an authority that stands by issue from now on, and the one that it replaces retire."""
    table = session.tables.authorities
    with session.transaction() as connection:
        replaced = connection.execute(sa.select(table.c.replaces).where(table.c.label == label)).scalar_one()
        for name, state in ((replaced, RETIRING), (label, ACTIVE)):
            connection.execute(sa.update(table).where(table.c.label == name).values(state=state))
        audit.append_events(session, [audit.Event(audit.AUTHORITY_TOOK_OVER, label, {"from": replaced})])


def retire_authority(session: StoreSession, label: str) -> None:
    """Store that nobody has to trust an authority any more."""
    _update(session, label, {"state": RETIRED}, audit.AUTHORITY_RETIRED, {})


def change_crl_validity(session: StoreSession, authority: Authority, days: int) -> None:
    """Store how long the CRLs of an authority are valid from now on."""
    detail = {"crl_validity_days": days, "before": authority.crl_validity_days}
    _update(session, authority.label, {"crl_validity_days": days}, audit.AUTHORITY_CHANGED, detail)


def change_settings(session: StoreSession, label: str, settings: Mapping[str, Any]) -> None:
    """Store what the certificates of an authority hold from now on."""
    text = json.dumps(dict(settings), sort_keys=True)
    _update(session, label, {"settings": text}, audit.AUTHORITY_CHANGED, {"settings": dict(settings)})


def change_chain_crls(session: StoreSession, label: str, chain_crls: str) -> None:
    """Store the CRLs (PEM) of the authorities above one."""
    detail = {"chain_crls_sha256": fingerprint(chain_crls.encode())}
    _update(session, label, {"chain_crls": chain_crls}, audit.AUTHORITY_CHANGED, detail)


def _update(
    session: StoreSession,
    label: str,
    values: Mapping[str, Any],
    action: str,
    detail: Mapping[str, Any],
    *,
    only_from: Sequence[str] = (),
) -> None:
    """Change a row, where its state allows it: an authority that has its certificate never gets another one."""
    table = session.tables.authorities
    condition = table.c.label == label
    if only_from:
        condition = sa.and_(condition, table.c.state.in_(only_from))
    with session.transaction() as connection:
        if connection.execute(sa.update(table).where(condition).values(**values)).rowcount:
            audit.append_events(session, [audit.Event(action, label, detail)])


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
        replaces=row.replaces or "",
        csr=row.csr,
        chain=row.chain,
        chain_crls=row.chain_crls,
        settings=json.loads(row.settings),
    )
