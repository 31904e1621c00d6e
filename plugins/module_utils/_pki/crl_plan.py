# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CRLs have to be signed and which of their files put right: decided from values alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import next_this_update

SIGN, WRITE, REMOVE = "sign", "write", "remove"
FIRST, DUE, LOST, FORCED = "the first", "due", "no file holds the last one", "asked for"


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

    @property
    def omitted(self) -> int: ...


@dataclass(frozen=True)
class FoundFile:
    """A file that a CRL is published in.

    :param is_current: Whether it holds the CRL that was signed last; ``None`` where nobody looked, because it is
        replaced anyway.
    :param mode: Its permission bits; ``None`` where it is missing.
    """

    path: str
    is_current: bool | None
    mode: int | None


@dataclass(frozen=True)
class FoundCopy:
    """A file for everybody, made from another one.

    :param source: The path of the file that it is a copy of; empty where it is made from the store.
    """

    file: FoundFile
    source: str = ""


@dataclass(frozen=True)
class FoundIssuer:
    """What was found of the CRLs of one issuer.

    :param label: Of its key.
    :param last: The CRL that was signed last.
    :param unpublished: How many revocations no CRL lists yet.
    :param is_held: Whether a file holds the last CRL, be it that of another.
    :param renewal_days: A CRL is due when it is valid for fewer days than this.
    """

    label: str
    last: KnownCrl | None
    unpublished: int
    is_held: bool
    renewal_days: int
    file: FoundFile


@dataclass(frozen=True)
class Step:
    """One thing to do.

    :param action: ``sign``, ``write`` or ``remove``.
    :param subject: The label of an issuer, or the path of a file.
    :param is_splice: Sign the last CRL with some entries more, instead of all entries from the store.
    """

    action: str
    subject: str
    is_splice: bool = False


@dataclass(frozen=True)
class CrlDates:
    """The number and the dates of the CRL that is to be signed."""

    number: int
    this_update: datetime
    next_update: datetime
    signed_at: datetime


def reasons_to_sign(issuer: FoundIssuer, *, now: datetime, force: bool) -> tuple[str, ...]:
    """Why an issuer has to sign a new CRL; nothing where it has not.

    :param force: Sign in any case.
    """
    if issuer.last is None:
        return (FIRST,)
    reasons = {
        f"{issuer.unpublished} revoked since": issuer.unpublished > 0,
        DUE: issuer.last.next_update - now < timedelta(days=issuer.renewal_days),
        LOST: not issuer.is_held,
        FORCED: force,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def is_splice(reasons: Collection[str]) -> bool:
    """Whether the last CRL and what was revoked since make the new one; every other CRL is built from the store."""
    return bool(reasons) and not {FIRST, DUE, LOST, FORCED} & set(reasons)


def plan_crls(
    issuers: Sequence[FoundIssuer],
    *,
    bundle: FoundFile,
    leftovers: Sequence[str],
    now: datetime,
    mode: int,
    force: bool = False,
    copies: Sequence[FoundCopy] = (),
) -> Change[Step]:
    """Sign for each issuer that needs it, put the files right, and remove those of issuers that are gone.

    :param bundle: The file that holds the CRLs of all.
    :param copies: Files for everybody, in the order in which they are written; each follows its source.
    :param leftovers: Paths of files of authorities that nobody has to trust any more.
    :param mode: The permission bits that the files have to have.
    """
    reasons = {issuer.label: reasons_to_sign(issuer, now=now, force=force) for issuer in issuers}
    signs = [Step(SIGN, label, is_splice(why)) for label, why in reasons.items() if why]
    files = [*(issuer.file for issuer in issuers), bundle]
    replaced = {issuer.file.path for issuer in issuers if reasons[issuer.label]} | ({bundle.path} if signs else set())
    wrong = [file.path for file in files if file.path in replaced or not file.is_current or file.mode != mode]
    wrong += [
        copy.file.path for copy in copies if copy.source in wrong or not copy.file.is_current or copy.file.mode != mode
    ]
    files += [copy.file for copy in copies]
    before = {
        "issuers": {issuer.label: _facts(issuer.last) for issuer in issuers},
        "files": {**{file.path: _shown(file) for file in files}, **dict.fromkeys(leftovers, "of no issuer any more")},
    }
    after = {
        "issuers": {issuer.label: _planned(issuer, reasons[issuer.label]) for issuer in issuers},
        "files": {
            **{file.path: f"current, mode {mode:04o}" if file.path in wrong else _shown(file) for file in files},
            **dict.fromkeys(leftovers, "absent"),
        },
    }
    steps = (*signs, *(Step(WRITE, path) for path in wrong), *(Step(REMOVE, path) for path in leftovers))
    return Change(before, after if steps else before, steps)


def _planned(issuer: FoundIssuer, reasons: tuple[str, ...]) -> Mapping[str, Any]:
    if not reasons:
        return _facts(issuer.last)
    how = "the last CRL and what was revoked since" if is_splice(reasons) else "everything from the store"
    return {"number": "the next", "reasons": list(reasons), "entries": how}


def why_not_to_splice(last: KnownCrl, *, number: int, has_entries: bool, new: tuple[int, int], revocations: int) -> str:
    """What speaks against taking over the entries of the last CRL; empty where nothing does.

    :param number: The number in the file that holds it; ``has_entries``: whether that lists anything.
    :param new: How many entries are new: counted in what was read, and by the store.
    :param revocations: How many certificates were ever revoked, says the store.
    """
    if number != last.number or has_entries != (last.entries > 0):
        return f"its file is not the CRL {last.number} with {last.entries} entries"
    if new[0] != new[1]:
        return f"{new[1]} entries are new, and {new[0]} can be read"
    listed, expected = last.entries + new[1], revocations - last.omitted
    return "" if listed == expected else f"it would list {listed} certificates, and the store has {expected}"


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
    content = {None: "to be replaced", True: "current", False: "another content"}[file.is_current]
    return f"{content}, mode {file.mode:04o}"


def crl_result(crl: CrlIdentity | None, *, entries: int | None) -> Mapping[str, Any]:
    """What is returned of a CRL: number, dates, and how many certificates it lists."""
    return {
        "number": crl.number if crl else None,
        "this_update": crl.this_update.isoformat() if crl else None,
        "next_update": crl.next_update.isoformat() if crl else None,
        "revoked_count": entries,
        "signed_at": crl.signed_at.timestamp() if crl else None,
    }


@dataclass(frozen=True)
class Published:
    """The newest CRL of an issuer, ours or one above, as results tell of it.

    :param issuer: The name of the issuer.
    :param facts: What :func:`crl_result` gives, and for ours where it is; ``None`` for one above.
    """

    issuer: str
    next_update: datetime | None
    facts: Mapping[str, Any] | None = None


def run_result(crls: Sequence[Published]) -> Mapping[str, Any]:
    """What is returned of all CRLs: those of the active issuer, which comes first, by themselves too."""
    ours = [crl.facts for crl in crls if crl.facts is not None]
    active = ours[0] if ours else crl_result(None, entries=None)
    ends = [(crl.next_update, crl.issuer) for crl in crls if crl.next_update is not None]
    first = min(ends, default=None)
    names = ("number", "this_update", "revoked_count", "signed_at")
    return {
        **{name: active[name] for name in names},
        "next_update": first[0].isoformat() if first else None,
        "expires_first": {"issuer": first[1], "next_update": first[0].isoformat()} if first else None,
        "issuers": [{name: value for name, value in facts.items() if name != "signed_at"} for facts in ours],
    }
