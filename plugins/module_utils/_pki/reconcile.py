# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to issue, to renew, to revoke and to keep: decided from values alone.

A common name has at most one *current* certificate. A renewed certificate becomes superseded: the device may use
it until it expires, which is within the renewal window, so that nobody is locked out between the renewal and the
arrival of the new profile. Reissuing a device or removing it revokes everything that is usable under its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import Wanted, WantedDevice

ISSUED, RENEWED, REISSUED, KEPT = "issued", "renewed", "reissued", "kept"
REVOKED, ALREADY_REVOKED = "revoked", "already_revoked"
OUTCOMES = (ISSUED, RENEWED, REISSUED, KEPT, REVOKED, ALREADY_REVOKED)
REASON_REMOVED = "cessationOfOperation"
REASON_REISSUED = "superseded"
CURRENT, OLD, GONE = "valid", "superseded", "revoked"
MOST_NAMES = 20


class Known(Protocol):
    """A certificate that was issued before, as the store keeps it.

    ``state`` is ``valid`` (the current one of its name), ``superseded`` or ``revoked``;
    ``public_key_sha256`` is that of the SubjectPublicKeyInfo in hexadecimal.
    """

    @property
    def serial(self) -> int: ...

    @property
    def common_name(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def not_after(self) -> datetime: ...

    @property
    def public_key_sha256(self) -> str: ...


@dataclass(frozen=True)
class Issue:
    """Sign a certificate.

    :param outcome: ``issued``, ``renewed`` or ``reissued``.
    :param csr: PEM of the CSR to take the key from; ``None`` where a key is to be made.
    """

    user: str
    device: str
    common_name: str
    outcome: str
    csr: str | None = None


@dataclass(frozen=True)
class Revoke:
    """Revoke a certificate, for a CRLReason of RFC 5280 in its written form."""

    serial: int
    common_name: str
    reason: str


Step = Union[Issue, Revoke]


@dataclass(frozen=True)
class Decision:
    """What becomes of one device.

    :param certificate: The certificate that the result shows: the one kept, revoked or replaced.
    :param revoked: Certificates under its name that are revoked and have not expired, after the steps.
    """

    user: str
    device: str
    common_name: str
    outcome: str
    steps: tuple[Step, ...] = ()
    certificate: Known | None = None
    revoked: tuple[Known, ...] = ()


def plan_users(
    wanted: Wanted,
    known: Sequence[Known],
    *,
    now: datetime,
    renewal_days: int,
    purge: bool = False,
    missing_ok: bool = False,
) -> Change[Step]:
    """Compare the users that are wanted with the certificates that there are.

    :param known: Every certificate of the users that are named, and with ``purge`` every usable one of all users.
    :param purge: Revoke what is usable and not wanted.
    :param missing_ok: Pass over users and devices to remove that never had a certificate.
    :raises StateError: a user or device to remove never had a certificate; names all of them.
    """
    by_name = _by_common_name(known)
    decisions = [
        plan_device(device, by_name.get(_key(device.common_name), ()), now=now, renewal_days=renewal_days)
        for device in _named(wanted, known)
    ]
    unknown = _unknown(wanted, decisions, known)
    if unknown and not missing_ok:
        raise StateError(
            f"There never was a certificate for {_listed(unknown)}.",
            remedy="Correct the name, or leave it out. Nothing was changed.",
        )
    decisions = [decision for decision in decisions if decision.common_name not in unknown]
    if purge:
        decisions += _purged(decisions, by_name, now=now)
    return _change(decisions)


def plan_certificate(wanted: WantedDevice, known: Sequence[Known], *, now: datetime, renewal_days: int) -> Change[Step]:
    """Compare one certificate that is wanted with those that there are under its common name, the oldest first."""
    return _change([plan_device(wanted, known, now=now, renewal_days=renewal_days)])


def plan_device(wanted: WantedDevice, known: Sequence[Known], *, now: datetime, renewal_days: int) -> Decision:
    """Decide on one device.

    :param known: The certificates under its common name, the oldest first.
    """
    if not wanted.present:
        return _remove(wanted, known, now=now)
    usable = [certificate for certificate in known if _is_usable(certificate, now)]
    current = next((certificate for certificate in reversed(known) if certificate.state == CURRENT), None)
    if usable and (wanted.reissue or _has_other_key(wanted, current)):
        revoke = tuple(Revoke(each.serial, wanted.common_name, REASON_REISSUED) for each in usable)
        return _issue(wanted, REISSUED, before=revoke, replaced=usable[-1], revoked=tuple(usable))
    if current is None:
        return _issue(wanted, ISSUED)
    if current.not_after - now < timedelta(days=renewal_days):
        return _issue(wanted, RENEWED, replaced=current)
    return Decision(wanted.user, wanted.device, wanted.common_name, KEPT, certificate=current)


def _issue(
    wanted: WantedDevice,
    outcome: str,
    *,
    before: tuple[Step, ...] = (),
    replaced: Known | None = None,
    revoked: tuple[Known, ...] = (),
) -> Decision:
    step = Issue(wanted.user, wanted.device, wanted.common_name, outcome, wanted.csr)
    return Decision(wanted.user, wanted.device, wanted.common_name, outcome, (*before, step), replaced, revoked)


def _remove(wanted: WantedDevice, known: Sequence[Known], *, now: datetime) -> Decision:
    usable = [certificate for certificate in known if _is_usable(certificate, now)]
    gone = [certificate for certificate in known if certificate.state == GONE and certificate.not_after > now]
    steps = tuple(Revoke(each.serial, wanted.common_name, REASON_REMOVED) for each in usable)
    shown = (usable or list(known))[-1:]
    return Decision(
        wanted.user,
        wanted.device,
        wanted.common_name,
        REVOKED if usable else ALREADY_REVOKED,
        steps,
        certificate=shown[0] if shown else None,
        revoked=tuple(gone + usable),
    )


def _has_other_key(wanted: WantedDevice, current: Known | None) -> bool:
    return bool(wanted.csr_key_sha256) and current is not None and current.public_key_sha256 != wanted.csr_key_sha256


def _is_usable(certificate: Known, now: datetime) -> bool:
    return certificate.state in (CURRENT, OLD) and certificate.not_after > now


def _key(common_name: str) -> str:
    return common_name.casefold()


def _by_common_name(known: Iterable[Known]) -> dict[str, list[Known]]:
    groups: dict[str, list[Known]] = {}
    for certificate in known:
        groups.setdefault(_key(certificate.common_name), []).append(certificate)
    return groups


def _named(wanted: Wanted, known: Sequence[Known]) -> list[WantedDevice]:
    """The devices that are named, and those that users to remove ever had."""
    absent = set(wanted.absent_users)
    theirs = {
        certificate.common_name: WantedDevice(
            certificate.name, certificate.device, certificate.common_name, present=False
        )
        for certificate in known
        if certificate.name in absent
    }
    return [*wanted.devices, *sorted(theirs.values(), key=lambda device: device.common_name)]


def _unknown(wanted: Wanted, decisions: Sequence[Decision], known: Sequence[Known]) -> list[str]:
    ever = {certificate.name for certificate in known}
    users = [user for user in wanted.absent_users if user not in ever]
    devices = [
        decision.common_name
        for decision in decisions
        if decision.outcome == ALREADY_REVOKED and decision.certificate is None
    ]
    return [*users, *devices]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


def _purged(
    decisions: Sequence[Decision], by_name: Mapping[str, Sequence[Known]], *, now: datetime
) -> Iterable[Decision]:
    decided = {_key(decision.common_name) for decision in decisions}
    for name in sorted(by_name.keys() - decided):
        first = by_name[name][0]
        unwanted = WantedDevice(first.name, first.device, first.common_name, present=False)
        decision = _remove(unwanted, by_name[name], now=now)
        if decision.steps:
            yield decision


def _change(decisions: Sequence[Decision]) -> Change[Step]:
    changed = [decision for decision in decisions if decision.steps]
    return Change(
        before={decision.common_name: _facts_before(decision) for decision in changed},
        after={decision.common_name: _facts_after(decision) for decision in changed},
        steps=tuple(step for decision in decisions for step in decision.steps),
        result={
            "users": [_user_result(decision) for decision in decisions],
            "counts": count_outcomes(decision.outcome for decision in decisions),
            "revoked": [
                {"common_name": certificate.common_name, "serial": str(certificate.serial)}
                for decision in decisions
                for certificate in decision.revoked
            ],
            "deliveries": [],
        },
    )


def count_outcomes(outcomes: Iterable[str]) -> dict[str, int]:
    """How often each outcome occurs; all of them are named."""
    counts = dict.fromkeys(OUTCOMES, 0)
    for outcome in outcomes:
        counts[outcome] += 1
    return counts


def _user_result(decision: Decision) -> dict[str, Any]:
    shown = None if decision.outcome in (ISSUED, RENEWED, REISSUED) else decision.certificate
    return {
        "name": decision.user,
        "device": decision.device,
        "common_name": decision.common_name,
        "outcome": decision.outcome,
        "serial": str(shown.serial) if shown else None,
        "not_after": shown.not_after.isoformat() if shown else None,
    }


def _facts_before(decision: Decision) -> Mapping[str, Any]:
    if decision.certificate is None:
        return {"state": "absent"}
    return {
        "state": decision.certificate.state,
        "serial": str(decision.certificate.serial),
        "not_after": decision.certificate.not_after.isoformat(),
    }


def _facts_after(decision: Decision) -> Mapping[str, Any]:
    if decision.outcome == REVOKED:
        return {**_facts_before(decision), "state": GONE}
    return {"state": CURRENT, "outcome": decision.outcome}
