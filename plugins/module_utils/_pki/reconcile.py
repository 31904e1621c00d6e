# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to issue, to renew, to revoke and to keep: decided from values alone.

A common name has at most one *current* certificate. A renewed certificate becomes superseded: the device may use
it until it expires, so that nobody is locked out between the renewal and the arrival of the new profile. Reissuing a
device or removing it revokes everything that is usable under its name.

A certificate whose key was made here and that is not known to have left the process which signed it may have lost its
key for good. It is never kept: it is revoked, and the device gets a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import listed
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import (
    ALREADY_REVOKED,
    CURRENT,
    GONE,
    ISSUED,
    KEPT,
    OLD,
    REISSUED,
    RENEWED,
    REVOKED,
    Decision,
    Issue,
    Known,
    Revoke,
    Step,
    change_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import (
    AbsentUser,
    Wanted,
    WantedDevice,
)

REASON_REMOVED = "cessationOfOperation"
REASON_REISSUED = "superseded"
LOST = "The run that signed the certificate before it ended before it was known to be delivered: that one was revoked."


@dataclass(frozen=True)
class Policy:
    """By what a certificate is judged.

    :param renewal_days: One with fewer days left is renewed.
    :param issuer: One of another authority is renewed; empty where it does not matter who issued it.
    :param deliveries: A new key leaves this host once, with its certificate; what never left is of no use. Not so where
        the key never was here and every run returns the certificate.
    :param moves: What replaces a certificate of another authority revokes it, too, so that the other one can retire.
        For gateways, which always have the newest one, and nobody asks whether theirs was revoked.
    """

    now: datetime
    renewal_days: int
    issuer: str = ""
    deliveries: bool = True
    moves: bool = False


def plan_users(
    wanted: Wanted, known: Sequence[Known], policy: Policy, *, purge: bool = False, missing_ok: bool = False
) -> Change[Step]:
    """The change that carries out what :func:`decide_users` decides."""
    return change_of(decide_users(wanted, known, policy, purge=purge, missing_ok=missing_ok))


def decide_users(
    wanted: Wanted, known: Sequence[Known], policy: Policy, *, purge: bool = False, missing_ok: bool = False
) -> list[Decision]:
    """Compare the users that are wanted with the certificates that there are.

    :param known: Every certificate of the users that are named, and with ``purge`` every usable one of all users.
    :param purge: Revoke what is usable and not wanted.
    :param missing_ok: Pass over users and devices to remove that never had a certificate.
    :raises StateError: a user or device to remove never had a certificate; names all of them.
    """
    by_name = _by_common_name(known)
    decisions = [
        plan_device(device, by_name.get(_key(device.common_name), ()), policy) for device in _named(wanted, known)
    ]
    unknown = _unknown(wanted, decisions, known)
    if unknown and not missing_ok:
        raise StateError(
            f"There never was a certificate for {listed(unknown)}.",
            remedy="Correct the name, or leave it out. Nothing was changed.",
        )
    left_out = set(unknown)
    decisions = [decision for decision in decisions if decision.common_name not in left_out]
    if purge:
        decisions += _purged(decisions, by_name, now=policy.now)
    return decisions


def plan_certificate(wanted: WantedDevice, known: Sequence[Known], policy: Policy) -> Change[Step]:
    """Compare one certificate that is wanted with those that there are under its common name, the oldest first."""
    return change_of([plan_device(wanted, known, policy)])


def plan_device(wanted: WantedDevice, known: Sequence[Known], policy: Policy) -> Decision:
    """Decide on one device.

    :param known: The certificates under its common name, the oldest first.
    """
    if not wanted.present:
        return _remove(wanted, known, now=policy.now)
    usable = [certificate for certificate in known if _is_usable(certificate, policy.now)]
    current = next((certificate for certificate in reversed(known) if certificate.state == CURRENT), None)
    if usable and (wanted.reissue or _has_other_key(wanted, current)):
        return _issue(wanted, REISSUED, revoke=usable, replaced=usable[-1])
    if current is None:
        return _issue(wanted, ISSUED)
    if policy.deliveries and not current.delivered and not wanted.csr and _is_usable(current, policy.now):
        lost = [certificate for certificate in usable if not certificate.delivered]
        return _issue(wanted, REISSUED, revoke=lost, replaced=current, note=LOST)
    if _is_due(current, policy):
        left_behind = [each for each in usable if policy.moves and each.authority != policy.issuer]
        return _issue(wanted, RENEWED, revoke=left_behind, replaced=current)
    return Decision(wanted.user, wanted.device, wanted.common_name, KEPT, certificate=current)


def _is_due(current: Known, policy: Policy) -> bool:
    """Whether a certificate needs a successor beside it."""
    return (
        current.not_after - policy.now < timedelta(days=policy.renewal_days)
        or bool(policy.issuer and current.authority != policy.issuer)
        or (policy.deliveries and not current.delivered)
    )


def _issue(
    wanted: WantedDevice,
    outcome: str,
    *,
    revoke: Sequence[Known] = (),
    replaced: Known | None = None,
    note: str = "",
) -> Decision:
    steps = _revocations(revoke, wanted, REASON_REISSUED)
    issue = Issue(wanted.user, wanted.device, wanted.common_name, outcome, wanted.csr, wanted.pkcs12_password)
    return Decision(
        wanted.user,
        wanted.device,
        wanted.common_name,
        outcome,
        (*steps, issue),
        certificate=replaced,
        revoked=tuple(revoke),
        note=note,
    )


def _revocations(certificates: Iterable[Known], wanted: WantedDevice, reason: str) -> tuple[Step, ...]:
    why = wanted.reason or reason
    return tuple(Revoke(each.serial, wanted.common_name, why, wanted.invalidity_date) for each in certificates)


def _remove(wanted: WantedDevice, known: Sequence[Known], *, now: datetime) -> Decision:
    usable = [certificate for certificate in known if _is_usable(certificate, now)]
    gone = [certificate for certificate in known if certificate.state == GONE and certificate.not_after > now]
    shown = (usable or list(known))[-1:]
    return Decision(
        wanted.user,
        wanted.device,
        wanted.common_name,
        REVOKED if usable else ALREADY_REVOKED,
        _revocations(usable, wanted, REASON_REMOVED),
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
    absent = {user.name: user for user in wanted.absent_users}
    theirs = {
        certificate.common_name: _gone(certificate, absent[certificate.name])
        for certificate in known
        if certificate.name in absent
    }
    return [*wanted.devices, *sorted(theirs.values(), key=lambda device: device.common_name)]


def _gone(certificate: Known, user: AbsentUser) -> WantedDevice:
    return WantedDevice(
        certificate.name,
        certificate.device,
        certificate.common_name,
        present=False,
        reason=user.reason,
        invalidity_date=user.invalidity_date,
    )


def _unknown(wanted: Wanted, decisions: Sequence[Decision], known: Sequence[Known]) -> list[str]:
    ever = {certificate.name for certificate in known}
    users = [user.name for user in wanted.absent_users if user.name not in ever]
    devices = [
        decision.common_name
        for decision in decisions
        if decision.outcome == ALREADY_REVOKED and decision.certificate is None
    ]
    return [*users, *devices]


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
