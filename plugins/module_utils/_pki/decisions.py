# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of devices: the steps to take, and what a result tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Suspended

ISSUED, RENEWED, REISSUED, KEPT = "issued", "renewed", "reissued", "kept"
REVOKED, ALREADY_REVOKED, FAILED = "revoked", "already_revoked", "failed"
OUTCOMES = (ISSUED, RENEWED, REISSUED, KEPT, REVOKED, ALREADY_REVOKED, FAILED)
SIGNED = (ISSUED, RENEWED, REISSUED)
CURRENT, OLD, GONE = "valid", "superseded", "revoked"


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

    @property
    def authority(self) -> str: ...

    @property
    def delivered(self) -> bool: ...


@dataclass(frozen=True)
class Issue:
    """Sign a certificate.

    :param outcome: ``issued``, ``renewed`` or ``reissued``.
    :param csr: PEM of the CSR to take the key from; ``None`` where a key is to be made.
    :param pkcs12_password: As for the device that is wanted.
    """

    user: str
    device: str
    common_name: str
    outcome: str
    csr: str | None = None
    pkcs12_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Revoke:
    """Revoke a certificate, for a CRLReason of RFC 5280 in its written form.

    :param invalidity_date: Since when its key must be taken to have been in wrong hands.
    """

    serial: int
    common_name: str
    reason: str
    invalidity_date: datetime | None = None


@dataclass(frozen=True)
class SetAccess:
    """Disable or enable a user or a device.

    :param why: What an administrator said about it, or what else led to it.
    """

    suspended: Suspended
    disabled: bool
    why: str = ""


Step = Union[Issue, Revoke, SetAccess]


@dataclass(frozen=True)
class Decision:
    """What becomes of one device.

    :param certificate: The certificate that the result shows: the one kept, revoked or replaced.
    :param revoked: Certificates under its name that somebody may hold, revoked and not expired, after the steps.
    :param note: What is unusual about it.
    """

    user: str
    device: str
    common_name: str
    outcome: str
    steps: tuple[Step, ...] = ()
    certificate: Known | None = None
    revoked: tuple[Known, ...] = ()
    note: str = ""


def change_of(decisions: Sequence[Decision]) -> Change[Step]:
    """The change that carries out decisions, with what its result tells of each device."""
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
    shown = None if decision.outcome in SIGNED else decision.certificate
    return {
        "name": decision.user,
        "device": decision.device,
        "common_name": decision.common_name,
        "outcome": decision.outcome,
        "serial": str(shown.serial) if shown else None,
        "not_after": shown.not_after.isoformat() if shown else None,
        "note": decision.note,
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
