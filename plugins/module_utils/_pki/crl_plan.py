# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a CRL has to be signed or its files put right: decided from values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import next_this_update

SIGN, WRITE = "sign", "write"


class CrlIdentity(Protocol):
    """What tells one CRL from another."""

    @property
    def number(self) -> int: ...

    @property
    def this_update(self) -> datetime: ...

    @property
    def next_update(self) -> datetime: ...

    @property
    def signed_at(self) -> datetime: ...


class KnownCrl(CrlIdentity, Protocol):
    """A CRL as the store keeps it: without its contents."""

    @property
    def entries(self) -> int: ...

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class FoundFile:
    """A file that a CRL is published in.

    :param name: ``pem`` or ``der``.
    :param is_current: Whether it holds the CRL that was signed last.
    :param mode: Its permission bits; ``None`` where it is missing.
    """

    name: str
    is_current: bool
    mode: int | None


@dataclass(frozen=True)
class CrlDates:
    """The number and the dates of the CRL that is to be signed."""

    number: int
    this_update: datetime
    next_update: datetime
    signed_at: datetime


def plan_crl(
    last: KnownCrl | None,
    *,
    unpublished: int,
    files: tuple[FoundFile, ...],
    now: datetime,
    renewal_days: int,
    mode: int,
    force: bool = False,
) -> Change[str]:
    """Sign when something was revoked since, when it is due or when no file holds the last CRL; else mend the files.

    :param last: The CRL that was signed last.
    :param unpublished: How many revocations no CRL lists yet.
    :param renewal_days: Sign when the last one is valid for fewer days than this.
    :param mode: The permission bits that the files have to have.
    :param force: Sign in any case.
    """
    reasons = _reasons_to_sign(last, unpublished=unpublished, files=files, now=now, renewal_days=renewal_days)
    if force:
        reasons.append("asked for")
    wrong = [file.name for file in files if not file.is_current or file.mode != mode]
    steps = (SIGN,) if reasons else (WRITE,) if wrong else ()
    facts = _facts(last)
    found = {file.name: _shown(file) for file in files}
    before = {**facts, "files": found}
    after = before
    if steps == (SIGN,):
        after = {"number": "the next", "reasons": reasons, "files": _mended(files, mode)}
    elif steps:
        after = {**facts, "files": _mended(files, mode)}
    return Change(before, after, steps, crl_result(last, entries=last.entries if last else None))


def _reasons_to_sign(
    last: KnownCrl | None, *, unpublished: int, files: tuple[FoundFile, ...], now: datetime, renewal_days: int
) -> list[str]:
    if last is None:
        return ["the first"]
    reasons = [f"{unpublished} revoked since"] if unpublished else []
    if last.next_update - now < timedelta(days=renewal_days):
        reasons.append("due")
    if not any(file.is_current for file in files):
        reasons.append("no file holds the last one")
    return reasons


def plan_dates(latest: CrlIdentity | None, *, now: datetime, validity_days: int) -> CrlDates:
    """The number and the dates of the next CRL.

    :param latest: The CRL with the highest number that was ever taken, whether it was signed or not.
    :raises StateError: the clock is behind the CRLs that there are.
    """
    this_update = next_this_update(now, latest.this_update if latest else None)
    if this_update > now:
        raise StateError(
            f"The clock of this host ({now:%Y-%m-%d %H:%M:%S} UTC) is behind the last CRL "
            f"({this_update:%Y-%m-%d %H:%M:%S} UTC).",
            remedy="Set the clock right: gateways refuse everybody when their CRL is from the future.",
        )
    return CrlDates(
        number=latest.number + 1 if latest else 1,
        this_update=this_update,
        next_update=now.replace(microsecond=0) + timedelta(days=validity_days),
        signed_at=now,
    )


def require_newest(latest: CrlIdentity | None, *, number: int, path: str) -> None:
    """Refuse to sign with a store that knows less than a CRL that it signed: the CRL would lose revocations.

    :param latest: The CRL with the highest number that the store knows.
    :param number: That of a CRL of this authority in a file.
    :raises StateError: it is higher than the store's.
    """
    known = latest.number if latest else 0
    if number > known:
        raise StateError(
            f"{path} holds the CRL {number} of this authority, and the store knows of none after {known}: it is older.",
            remedy="Bring back the newest backup of the store. If there is none, revoke anew what the CRL lists and "
            "the store does not, and remove the CRL files.",
        )


def check_renewal(renewal_days: int, *, validity_days: int | None) -> None:
    """Refuse a renewal window in which every CRL would be due at once.

    :param validity_days: For how many days CRLs of the authority are valid, where that is known already.
    :raises InputError: naming the option.
    """
    if renewal_days < 0:
        raise InputError("The option 'renewal_days' is negative.")
    if validity_days is not None and renewal_days >= validity_days:
        raise InputError(
            f"The option 'renewal_days' is {renewal_days}; CRLs of this authority are valid for {validity_days} days.",
            remedy=f"Give 0 to {validity_days - 1}, or set a longer 'crl_validity_days' on the authority.",
        )


def _facts(last: KnownCrl | None) -> Mapping[str, Any]:
    return {"number": last.number, "next_update": last.next_update.isoformat()} if last else {"number": None}


def _shown(file: FoundFile) -> str:
    if file.mode is None:
        return "absent"
    return f"{'current' if file.is_current else 'another content'}, mode {file.mode:04o}"


def _mended(files: tuple[FoundFile, ...], mode: int) -> Mapping[str, str]:
    return {file.name: f"current, mode {mode:04o}" for file in files}


def crl_result(crl: CrlIdentity | None, *, entries: int | None) -> Mapping[str, Any]:
    """What is returned of a CRL: number, dates, and how many certificates it lists."""
    return {
        "number": crl.number if crl else None,
        "this_update": crl.this_update.isoformat() if crl else None,
        "next_update": crl.next_update.isoformat() if crl else None,
        "revoked_count": entries,
        "signed_at": crl.signed_at.timestamp() if crl else None,
    }
