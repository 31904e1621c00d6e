# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a CRL that no store knows of has to be signed or its files put right: decided from values alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import CrlDates, plan_dates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.extensions import find_extension
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    CrlFacts,
    Reason,
    Revocation,
    crl_to_pem,
    load_crl,
    verify_crl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import is_pss

try:
    from cryptography import x509
except ImportError:
    x509 = missing_library("cryptography")

SIGN, WRITE = "sign", "write"
MOST_SHOWN = 20


@dataclass(frozen=True)
class FoundCrl:
    """The CRL that is there already, verified.

    :param revocations: Its entries by their serials; one whose reason RFC 5280 does not give to complete CRLs is
        ``None``.
    :param pss: Whether its signature is one of RSA-PSS.
    """

    der: bytes
    facts: CrlFacts
    revocations: Mapping[int, Revocation | None]
    pss: bool

    @property
    def number(self) -> int:
        """The CRL number; 0 where it has none."""
        return self.facts.number or 0


@dataclass(frozen=True)
class CrlFile:
    """A file that the CRL is to be in.

    :param option: The option that names it.
    :param der: The DER of what it holds; empty where it is missing.
    :param mode: Its permission bits; ``None`` where it is missing.
    """

    option: str
    der: bytes = b""
    mode: int | None = None


@dataclass(frozen=True)
class WantedCrl:
    """A CRL as an administrator asks for it; the options are checked.

    :param revocations: By their serials.
    :param number: The CRL number, where one is given.
    :param mode: The permission bits of its files.
    """

    revocations: Mapping[int, Revocation]
    validity_days: int
    renewal_days: int
    mode: int
    number: int | None = None
    pss: bool = False
    allow_removal: bool = False
    force: bool = False


def read_found(der: bytes, issuer_certificate: Any, *, what: str) -> FoundCrl:
    """The CRL that is there already.

    :param what: Where it is, for messages.
    :raises StateError: it is none of this issuer, so that it is not replaced.
    """
    try:
        verify_crl(der, issuer_certificate)
        crl, facts = x509.load_der_x509_crl(der), load_crl(der)
        revocations = {revoked.serial_number: _revocation(revoked) for revoked in crl}
    except (CollectionError, ValueError) as error:
        message = error.message if isinstance(error, CollectionError) else "It is damaged."
        raise StateError(
            f"{what} holds something else than a CRL of '{certificates.common_name_of(issuer_certificate)}': {message}",
            remedy="It is not replaced, since revocations could be lost. Correct the path or the issuer; or remove it, "
            "and give a 'number' above that of the last CRL.",
        ) from error
    return FoundCrl(der, facts, revocations, is_pss(crl))


def _revocation(revoked: Any) -> Revocation | None:
    reason, invalidity = find_extension(revoked, "CRLReason"), find_extension(revoked, "InvalidityDate")
    try:
        parsed = Reason.UNSPECIFIED if reason is None else Reason(reason.reason.value)
    except ValueError:
        return None
    since = None if invalidity is None else certificates.utc_moment(invalidity, "invalidity_date")
    return Revocation(revoked.serial_number, certificates.utc_moment(revoked, "revocation_date"), parsed, since)


def newest(found: Iterable[FoundCrl]) -> FoundCrl | None:
    """The CRL with the highest number among those in the files; ``None`` where there is none."""
    return max(found, key=lambda crl: (crl.number, crl.facts.this_update), default=None)


def plan_crl(wanted: WantedCrl, found: FoundCrl | None, *, files: tuple[CrlFile, ...], now: datetime) -> Change[str]:
    """Sign when the list differs, the CRL is due or is not as wanted; else only put the files right.

    :param found: The newest CRL that is there.
    :raises StateError: a revocation would be lost, or the CRL number would not rise.
    """
    if found is not None and not wanted.allow_removal:
        _require_kept(wanted, found)
    reasons = _reasons(wanted, found, now=now)
    before, names = _shown(found, files), [file.option for file in files]
    if reasons:
        plan_number(wanted, found)
        after = {
            "number": "the next" if wanted.number is None else wanted.number,
            "next_update": f"{wanted.validity_days} days from now",
            "revoked_count": len(wanted.revocations),
            "reasons": reasons,
            **_differences(wanted, found),
            "files": _mended(names, wanted.mode),
        }
        return Change(before, after, (SIGN,), crl_result(None, b""))
    wrong = [file for file in files if found is None or file.der != found.der or file.mode != wanted.mode]
    after = {**before, "files": _mended(names, wanted.mode)}
    return Change(before, after if wrong else before, (WRITE,) if wrong else (), _result_of(found))


def _require_kept(wanted: WantedCrl, found: FoundCrl) -> None:
    lost = [serial for serial in found.revocations if serial not in wanted.revocations]
    if lost:
        raise StateError(
            f"The CRL {found.number} lists {len(lost)} certificates that 'revocations' does not: {_some(lost)}.",
            remedy="Without its entry a certificate is accepted again. Put it back into the list; or, if it has "
            "expired or is to be accepted again, set 'allow_removal: true'.",
        )


def _reasons(wanted: WantedCrl, found: FoundCrl | None, *, now: datetime) -> list[str]:
    if found is None:
        return ["the first"]
    reasons = ["another list"] if found.revocations != wanted.revocations else []
    end = found.facts.next_update
    if end is None or end - now < timedelta(days=wanted.renewal_days):
        reasons.append("due")
    if found.facts.number is None or not found.facts.authority_key_identifier:
        reasons.append("it has no number or no key identifier")
    if wanted.number is not None and wanted.number != found.number:
        reasons.append("another number")
    if found.pss is not wanted.pss:
        reasons.append("another signature algorithm")
    return [*reasons, "asked for"] if wanted.force else reasons


def plan_number(wanted: WantedCrl, found: FoundCrl | None) -> int:
    """The number of the next CRL.

    :raises StateError: the number that is given is not above that of the CRL before.
    """
    last = found.number if found is not None else 0
    if wanted.number is None:
        return last + 1
    if found is not None and wanted.number <= last:
        raise StateError(
            f"The CRL number {wanted.number} was asked for, and the CRL before has {last}: a new one has to be higher.",
            remedy="Leave out 'number' for the next one, or give a higher one.",
        )
    return wanted.number


def plan_next(wanted: WantedCrl, found: FoundCrl | None, *, now: datetime) -> CrlDates:
    """The number and the dates of the next CRL; its thisUpdate is backdated, and later than that of the one before.

    :raises StateError: the clock is behind the CRL before, or the number would not rise.
    """
    number = plan_number(wanted, found)
    last = None
    if found is not None:
        this_update = found.facts.this_update
        last = CrlDates(found.number, this_update, found.facts.next_update or this_update, this_update)
    dates = plan_dates(last, now=now, validity_days=wanted.validity_days)
    return CrlDates(number, dates.this_update, dates.next_update, dates.signed_at)


def _differences(wanted: WantedCrl, found: FoundCrl | None) -> Mapping[str, str]:
    old: Mapping[int, Revocation | None] = found.revocations if found is not None else {}
    new = wanted.revocations
    kinds = {
        "added": [serial for serial in new if serial not in old],
        "removed": [serial for serial in old if serial not in new],
        "altered": [serial for serial in new if serial in old and old[serial] != new[serial]],
    }
    return {kind: _some(serials) for kind, serials in kinds.items() if serials}


def _some(serials: list[int]) -> str:
    """Serials as text, at most twenty of them."""
    more = f" and {len(serials) - MOST_SHOWN} more" if len(serials) > MOST_SHOWN else ""
    return ", ".join(str(serial) for serial in sorted(serials)[:MOST_SHOWN]) + more


def _shown(found: FoundCrl | None, files: tuple[CrlFile, ...]) -> Mapping[str, Any]:
    end = found.facts.next_update if found is not None else None
    return {
        "number": found.facts.number if found is not None else None,
        "next_update": end.isoformat() if end is not None else None,
        "revoked_count": len(found.revocations) if found is not None else 0,
        "files": {file.option: _state(file, found) for file in files},
    }


def _state(file: CrlFile, found: FoundCrl | None) -> str:
    if file.mode is None:
        return "absent"
    current = found is not None and file.der == found.der
    return f"{'current' if current else 'another content'}, mode {file.mode:04o}"


def _mended(names: list[str], mode: int) -> Mapping[str, str]:
    return dict.fromkeys(names, f"current, mode {mode:04o}")


def _result_of(found: FoundCrl | None) -> Mapping[str, Any]:
    return crl_result(found.facts, found.der) if found is not None else crl_result(None, b"")


def crl_result(facts: CrlFacts | None, der: bytes) -> Mapping[str, Any]:
    """What is returned of a CRL; empty values for one that check mode would have signed."""
    if facts is None:
        names = ("number", "this_update", "next_update", "revoked_count", "fingerprint", "issuer")
        return {"crl": "", **dict.fromkeys(names)}
    return {
        "crl": crl_to_pem(der).decode("ascii"),
        "number": facts.number,
        "this_update": facts.this_update.isoformat(),
        "next_update": facts.next_update.isoformat() if facts.next_update else None,
        "revoked_count": facts.revoked_count,
        "fingerprint": facts.fingerprint,
        "issuer": facts.issuer,
    }


def require_unique(given: Iterable[tuple[int, int]]) -> None:
    """Refuse a list in which a certificate stands twice, since nothing tells which entry is meant.

    :param given: Pairs of a position, counted from 1, and a serial.
    :raises InputError: naming the serial and both positions.
    """
    first: dict[int, int] = {}
    for position, serial in given:
        before = first.setdefault(serial, position)
        if before != position:
            raise InputError(
                f"The serial {serial} stands twice in 'revocations', as entries {before} and {position}.",
                remedy="Leave one of them.",
            )
