# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the store tells about an authority, as plain values."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import describe_access
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import (
    audit,
    authorities,
    certificates,
    crls,
    gateway_names,
    suspensions,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    ABANDONED,
    INTENDED,
    REVOKED,
    SUPERSEDED,
    TRUSTED,
    VALID,
    Authority,
    Certificate,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

EXPIRED = "expired"
STATES = (VALID, SUPERSEDED, REVOKED, EXPIRED, INTENDED, ABANDONED)
PROFILES = ("client", "server")
DAY = timedelta(days=1)


def summarise(
    session: StoreSession | None,
    *,
    label: str,
    now: datetime,
    names: Sequence[str] | None = None,
    include_expired: bool = False,
    check_audit: bool = True,
) -> dict[str, Any]:
    """What the module ``pki_info`` returns.

    :param session: ``None`` where there is no store.
    :param label: The label of the authority's key.
    :param names: Show only the certificates of these users and gateways.
    """
    counts = dict.fromkeys(STATES, 0)
    if session is None:
        empty: dict[str, Any] = {"authority": None, "authorities": [], "crl": None, "certificates": [], "audit": None}
        access = {"suspensions": [], **describe_access((), ())}
        return {"store_exists": False, "counts": counts, **empty, **access, "gateway_names": {}}
    known = authorities.load_authorities(session)
    authority = authorities.successor_of(known, label) or authorities.find_authority(session, label)
    listed = certificates.load_all(session, names=names, expiring_after=None if include_expired else now)
    return {
        "store_exists": True,
        "authority": _authority_facts(authority, now) if authority else None,
        "authorities": [_succession_facts(session, each, now) for each in known],
        "crl": _crl_facts(session, authority, now) if authority else None,
        "certificates": [_certificate_facts(certificate, now) for certificate in listed],
        "counts": {**counts, **certificates.count_certificates(session, now=now)},
        "audit": _audit_facts(session) if check_audit else None,
        **_access_facts(session, now),
        "gateway_names": {
            each.gateway: {"label": each.label, "since": each.since.isoformat()}
            for each in gateway_names.load_names(session)
            if each.released_at is None
        },
    }


def _access_facts(session: StoreSession, now: datetime) -> dict[str, Any]:
    """Every device that can be used, and who is disabled since when and why."""
    in_force = [each for each in suspensions.load_suspensions(session) if each.lifted_at is None]
    shown = [
        {
            "user": each.suspended.user,
            "device": each.suspended.device,
            "since": each.since.isoformat(),
            "reason": each.reason,
        }
        for each in in_force
    ]
    devices = suspensions.load_usable_devices(session, now=now)
    return {"suspensions": shown, **describe_access(devices, [each.suspended for each in in_force])}


def _authority_facts(authority: Authority, now: datetime) -> dict[str, Any]:
    der = authority.certificate
    return {
        "key_label": authority.label,
        "common_name": authority.common_name,
        "algorithm": authority.algorithm,
        "state": authority.state,
        "certificate": ssl.DER_cert_to_PEM_cert(der) if der else "",
        "fingerprint": fingerprint(der) if der else "",
        "not_after": authority.not_after.isoformat() if authority.not_after else None,
        "days_left": _days(authority.not_after, now) if authority.not_after else None,
        "crl_validity_days": authority.crl_validity_days,
    }


def _succession_facts(session: StoreSession, authority: Authority, now: datetime) -> dict[str, Any]:
    """One of several authorities: its state, who depends on it, and its CRL where one has to be kept fresh."""
    trusted = authority.state in TRUSTED
    return {
        **_authority_facts(authority, now),
        "replaces": authority.replaces,
        "chain": authority.chain,
        "settings": dict(authority.settings),
        "usable": {
            profile: authorities.count_usable(session, authority, now=now, profile=profile) for profile in PROFILES
        },
        "crl": _crl_facts(session, authority, now) if trusted else None,
    }


def _crl_facts(session: StoreSession, authority: Authority, now: datetime) -> dict[str, Any] | None:
    last = crls.last_crl(session, authority)
    if last is None:
        return None
    return {
        "number": last.number,
        "this_update": last.this_update.isoformat(),
        "next_update": last.next_update.isoformat(),
        "days_left": _days(last.next_update, now),
        "signed_at": last.signed_at.timestamp(),
        "revoked_count": last.entries,
        "unpublished": crls.count_unpublished(session, authority),
        "sha256": last.sha256,
    }


def _certificate_facts(certificate: Certificate, now: datetime) -> dict[str, Any]:
    expired = certificate.state in (VALID, SUPERSEDED) and certificate.not_after <= now
    return {
        "serial": str(certificate.serial),
        "common_name": certificate.common_name,
        "name": certificate.name,
        "device": certificate.device,
        "profile": certificate.profile,
        "state": EXPIRED if expired else certificate.state,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "days_left": _days(certificate.not_after, now),
        "revoked_at": certificate.revoked_at.isoformat() if certificate.revoked_at else None,
        "reason": certificate.reason,
    }


def _audit_facts(session: StoreSession) -> dict[str, Any]:
    chain = audit.verify_chain(session)
    problems = [*session.integrity_problems(), *chain.problems]
    return {"valid": not problems, "records": chain.records, "head": chain.head, "problems": problems}


def _days(moment: datetime, now: datetime) -> float:
    return round((moment - now) / DAY, 2)
