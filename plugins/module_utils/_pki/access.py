# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect for now: disabling and enabling users and devices, whose certificates stay as they are.

A device may not connect while it is disabled, or while its user is. A removal ends both, so that a name which is
given again begins enabled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import (
    Device,
    Suspended,
    describe_access,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import listed
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import (
    ALREADY_REVOKED,
    GONE,
    REVOKED,
    SIGNED,
    Decision,
    Known,
    SetAccess,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import Wanted, WantedAccess

REMOVED = "removed"


class KnownSuspension(Protocol):
    """A suspension as the store keeps it; ``lifted_at`` is ``None`` while it is in force."""

    @property
    def suspended(self) -> Suspended: ...

    @property
    def reason(self) -> str: ...

    @property
    def lifted_at(self) -> Any: ...


@dataclass(frozen=True)
class AccessPlan:
    """What changes, what a diff shows of it, and what gateways have to know once everything is done."""

    steps: tuple[SetAccess, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)


def in_force(suspensions: Iterable[KnownSuspension]) -> dict[Suspended, str]:
    """Who is disabled, and why."""
    return {each.suspended: each.reason for each in suspensions if each.lifted_at is None}


def plan_access(
    wanted: Wanted,
    decisions: Sequence[Decision],
    *,
    known: Sequence[Known],
    suspensions: Sequence[KnownSuspension],
    usable: Iterable[Device],
    missing_ok: bool = False,
) -> AccessPlan:
    """Compare who is to be disabled with who is.

    :param decisions: What becomes of certificates in the same run.
    :param known: Every certificate of the users that are named.
    :param usable: The devices of all users that have a certificate which can be used, before the run.
    :param missing_ok: Pass over users and devices that have no certificate.
    :raises StateError: a user or a device has none; names all of them.
    """
    disabled = in_force(suspensions)
    after = set(usable) - _removed(decisions) | _issued(decisions)
    wishes = _standing(wanted.access, decisions, known, missing_ok=missing_ok)
    steps = [SetAccess(wish.suspended, wish.disabled, wish.reason) for wish in wishes if _differs(wish, disabled)] + [
        SetAccess(each, disabled=False, why=REMOVED) for each in _lifted(wanted, decisions, disabled, after)
    ]
    stays = disabled.keys() - {step.suspended for step in steps} | {step.suspended for step in steps if step.disabled}
    users = wanted.users | {decision.user for decision in decisions}
    once = any(step.disabled for step in steps) or any(each.suspended.user in users for each in suspensions)
    return AccessPlan(
        steps=tuple(steps),
        before=_access({step.suspended.subject: disabled.get(step.suspended) for step in steps}),
        after=_access({step.suspended.subject: step.why if step.disabled else None for step in steps}),
        result={**describe_access(after, stays), "once_disabled": once},
    )


def _access(reasons: Mapping[str, str | None]) -> dict[str, Any]:
    return {"access": {subject: _shown(reason) for subject, reason in reasons.items()}} if reasons else {}


def _shown(reason: str | None) -> str:
    if reason is None:
        return "enabled"
    return f"disabled: {reason}" if reason else "disabled"


def _differs(wish: WantedAccess, disabled: Mapping[Suspended, str]) -> bool:
    if not wish.disabled or wish.suspended not in disabled:
        return wish.disabled != (wish.suspended in disabled)
    return bool(wish.reason) and wish.reason != disabled[wish.suspended]


def _standing(
    wishes: Sequence[WantedAccess], decisions: Sequence[Decision], known: Sequence[Known], *, missing_ok: bool
) -> list[WantedAccess]:
    """The wishes about users and devices that have a certificate, or get one in this run."""
    have = {(each.name, each.device) for each in known if each.state != GONE}
    have |= {(each.user, each.device) for each in decisions if each.outcome in SIGNED}
    there = {Suspended(user, device) for user, device in have} | {Suspended(user) for user, _device in have}
    unknown = [wish.suspended.subject for wish in wishes if wish.suspended not in there]
    if unknown and not missing_ok:
        raise StateError(
            f"There is no certificate of {listed(unknown)} that was not revoked.",
            remedy="Correct the name, or leave it out. Nothing was changed.",
        )
    return [wish for wish in wishes if wish.suspended in there]


def _removed(decisions: Iterable[Decision]) -> set[Device]:
    return {_device(each) for each in decisions if each.outcome in (REVOKED, ALREADY_REVOKED)}


def _issued(decisions: Iterable[Decision]) -> set[Device]:
    return {_device(each) for each in decisions if each.outcome in SIGNED}


def _device(decision: Decision) -> Device:
    return Device(decision.common_name, decision.user, decision.device)


def _lifted(
    wanted: Wanted, decisions: Sequence[Decision], disabled: Mapping[Suspended, str], after: Iterable[Device]
) -> list[Suspended]:
    """What ends with a removal: that of the device, and all of a user who has no device any more."""
    removed = _removed(decisions)
    gone = {each.user for each in removed} - {each.user for each in after} | {each.name for each in wanted.absent_users}
    devices = {Suspended(each.user, each.device) for each in removed}
    return sorted(each for each in disabled if each in devices or each.user in gone)
