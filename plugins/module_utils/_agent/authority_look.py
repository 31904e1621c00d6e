# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fresh the CRL is on this authority, without its token: store, file, timer and web server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.authority_places import read_state
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import show_units
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import ask_http
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_freshness import (
    IssuerFreshness,
    Links,
    judge_freshness,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import split_crls
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import load_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_settings import KeeperSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    CrlFacts,
    load_crl,
    verify_crl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook, IssuerBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run

TIMER, SERVER = "privatespace-crl.timer", "privatespace-publish.service"
_PROPERTIES = ("Id", "ActiveState", "NextElapseUSecRealtime")
_SERVER_SECONDS = 5.0


def look(settings: KeeperSettings) -> dict[str, Any]:
    """Everything that is known, and what of it is a problem.

    :raises CollectionError: store or state cannot be read.
    """
    now, state = utc_now(), read_state(settings)
    crls = _published(Path(settings.published_path))
    issuers = _issuers(settings, crls)
    units = _units(settings)
    links = Links(
        published_path=settings.published_path,
        first_end=_first_end([load_crl(der) for der in crls]),
        timer_hours=settings.timer_hours,
        units={name: facts.get("ActiveState", "") for name, facts in units.items()},
        server_problem=_ask_server(settings.endpoint),
    )
    problems = judge_freshness(issuers, links, state, now=now, warning_days=settings.warning_days)
    return {
        "problem": " ".join(problems),
        "problems": problems,
        "warnings": list(state.warnings),
        "issuers": [issuer.as_dict(now=now) for issuer in issuers],
        "first_end": links.first_end,
        "published_path": settings.published_path if settings.public_folder else "",
        "endpoint": settings.endpoint,
        "timer": _timer(settings, units),
        "last_run": {
            "checked_at": state.checked_at or None,
            "signed_at": state.signed_at or None,
            "problem": state.problem,
            "problem_since": state.problem_since or None,
        },
    }


def _issuers(settings: KeeperSettings, crls: Sequence[bytes]) -> list[IssuerFreshness]:
    with open_for_run(
        settings.store, actor="", job="", wait_seconds=0, clock=utc_now, file_lock=exclusive_lock, dry_run=True
    ) as session:
        books = AuthorityBook(session, settings.hsm_key_label).issuers()
        if not books:
            raise StateError(f"The store {settings.store} has no authority yet.", remedy="Run the playbook site.")
        return [_issuer(book, crls) for book in books]


def _issuer(book: IssuerBook, crls: Sequence[bytes]) -> IssuerFreshness:
    last, certificate = book.last_crl(), load_der(book.authority.certificate)
    given = next((load_crl(der) for der in crls if _is_by(der, certificate)), None)
    return IssuerFreshness(
        key_label=book.authority.label,
        issuer=certificate.subject.rfc4514_string(),
        number=last.number if last else None,
        next_update=last.next_update if last else None,
        revoked_count=last.entries if last else None,
        unpublished=book.count_unpublished(),
        published_number=given.number if given else None,
        published_next_update=given.next_update if given else None,
    )


def _is_by(der: bytes, certificate: Any) -> bool:
    try:
        verify_crl(der, certificate)
    except CollectionError:
        return False
    return True


def _published(path: Path) -> tuple[bytes, ...]:
    """The CRLs that are given away; none of a file that is damaged."""
    try:
        found = split_crls(read_optional(path) or b"")
        for der in found:
            load_crl(der)
    except InputError:
        return ()
    return found


def _first_end(crls: Sequence[CrlFacts]) -> dict[str, Any] | None:
    ends: list[tuple[datetime, str]] = [(crl.next_update, crl.issuer) for crl in crls if crl.next_update is not None]
    first = min(ends, default=None)
    return {"issuer": first[1], "next_update": first[0].isoformat()} if first else None


def _units(settings: KeeperSettings) -> dict[str, dict[str, str]]:
    """What systemd says of the units that should be there; nothing on a host without systemd."""
    names = [*([TIMER] if settings.timer_hours else []), *([SERVER] if settings.endpoint else [])]
    shown = show_units(names, _PROPERTIES)
    paragraphs = [dict(line.partition("=")[::2] for line in part.splitlines()) for part in shown.split("\n\n")]
    return {name: facts for name in names for facts in paragraphs if facts.get("Id") == name}


def _timer(settings: KeeperSettings, units: dict[str, dict[str, str]]) -> dict[str, Any]:
    facts = units.get(TIMER, {})
    return {
        "wanted": bool(settings.timer_hours),
        "active": facts.get("ActiveState") == "active",
        "next": facts.get("NextElapseUSecRealtime", ""),
    }


def _ask_server(url: str) -> str:
    """What is wrong with the web server; empty where it gives the CRL away, or there is to be none."""
    if not url:
        return ""
    try:
        status, _body = ask_http("HEAD", url, seconds=_SERVER_SECONDS)
    except CollectionError as error:
        return f"{url} does not give the CRL away: {error}."
    return "" if status == 200 else f"{url} does not give the CRL away: HTTP status {status}."
