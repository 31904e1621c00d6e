# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateways are told once the authority has answered, or has not: whom to cut, to deny and to deny no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import first_line

ISSUED = ("issued", "reissued")


@dataclass(frozen=True)
class Orders:
    """What becomes of a removal, decided from what the authority did.

    :param common_names: Whose sessions end.
    :param serials: Decimal; the CRL that is brought has to list each of them.
    :param is_recorded: Whether the authority has the revocations in its store.
    :param is_signed: Whether there is a CRL that lists them all.
    :param problem: Why one of the two is not so; empty where both are, or nothing had to be.
    :param removed: Common names that have no certificate any more which can be used.
    :param replaced: Common names that have another certificate now.
    :param unknown: Users and devices to remove that never had a certificate.
    :param deny_users: Users who have to be kept out by name, since no CRL does it; ``deny_names`` likewise single
        devices.
    :param deny_serials: For each of them the serials that a CRL has to list before it does.
    :param lift_users: Users that are denied no more; ``lift_names`` likewise single devices.
    :param admitted: Users and devices among them who were removed once, and have a new certificate.
    """

    common_names: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    is_recorded: bool = False
    is_signed: bool = False
    problem: str = ""
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    deny_users: tuple[str, ...] = ()
    deny_names: tuple[str, ...] = ()
    deny_serials: Mapping[str, list[str]] = field(default_factory=dict)
    lift_users: tuple[str, ...] = ()
    lift_names: tuple[str, ...] = ()
    admitted: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """In plain types, for a playbook."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def plan_orders(
    users: Mapping[str, Any] | None,
    crl: Mapping[str, Any] | None,
    *,
    wishes: Mapping[str, Any] | None = None,
    check_mode: bool = False,
) -> Orders:
    """Decide what the gateways are told.

    :param users: The return values of ``pki_users``; ``None`` or empty where it was not called.
    :param crl: The return values of ``pki_crl``, likewise.
    :param wishes: Who was to be removed, with ``users`` and ``common_names``; ``None`` where nobody was named.
    :param check_mode: Nothing was revoked and nothing signed.
    """
    told = users or {}
    rows = list(told.get("revoked") or ())
    revoked = tuple(dict.fromkeys(str(row["common_name"]) for row in rows))
    usable = {str(one["common_name"]) for one in told.get("devices") or ()}
    removed = tuple(name for name in revoked if name not in usable)
    is_recorded = "revoked" in told and not check_mode
    # A CRL that another playbook of the same command signed proves nothing about a removal that failed.
    is_done = wishes is None or ("revoked" in told and _succeeded(users))
    is_signed = is_done and _succeeded(crl) and "number" in (crl or {})
    unknown = _unknown(told, wishes or {}) if "revoked" in told else ()
    denied = _denied(removed, rows, wishes or {}) if is_recorded and not is_signed else {}
    kept_out = tuple(name for name, serials in denied.items() if serials)
    # Who has no certificate that could be used needs not be kept out.
    harmless = (*unknown, *(name for name, serials in denied.items() if not serials and name not in unknown))
    lift_users, lift_names = _lifted(told, wishes or {}, removed, usable) if is_signed else (harmless, harmless)
    return Orders(
        common_names=revoked,
        # In check mode the CRL that would list them is not signed.
        serials=() if check_mode else tuple(str(row["serial"]) for row in rows),
        is_recorded=is_recorded,
        is_signed=is_signed,
        problem=_problem(users, crl, is_asked=wishes is not None),
        removed=removed,
        replaced=tuple(name for name in revoked if name in usable),
        unknown=unknown,
        deny_users=tuple(name for name in kept_out if "@" not in name),
        deny_names=tuple(name for name in kept_out if "@" in name),
        deny_serials={name: denied[name] for name in kept_out},
        lift_users=tuple(name for name in lift_users if "@" not in name),
        lift_names=tuple(name for name in lift_names if "@" in name),
        admitted=_admitted(told, (*lift_users, *lift_names)) if is_signed and wishes is None else (),
    )


def _admitted(told: Mapping[str, Any], lifted: Sequence[str]) -> tuple[str, ...]:
    issued = _issued(told)
    back = {*issued, *(name.partition("@")[0] for name in issued)}
    once = told.get("once_revoked") or ()
    return tuple(name for name in dict.fromkeys(lifted) if name in back and name.partition("@")[0] in once)


def _issued(told: Mapping[str, Any]) -> list[str]:
    return [str(one["common_name"]) for one in told.get("users") or () if one.get("outcome") in ISSUED]


def _succeeded(result: Mapping[str, Any] | None) -> bool:
    return bool(result) and not any((result or {}).get(key) for key in ("failed", "unreachable", "skipped"))


def _denied(
    removed: Sequence[str], rows: Sequence[Mapping[str, Any]], wishes: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Who has to be kept out by name, as they were named, with the serials of what is revoked under that name."""
    users, named = list(wishes.get("users", ())), list(wishes.get("common_names", ()))
    others = [name for name in removed if name not in named and name.partition("@")[0] not in users]
    return {name: [str(row["serial"]) for row in rows if _covers(name, row)] for name in (*users, *named, *others)}


def _covers(name: str, row: Mapping[str, Any]) -> bool:
    return name in (row["common_name"], str(row["common_name"]).partition("@")[0])


def _unknown(told: Mapping[str, Any], wishes: Mapping[str, Any]) -> tuple[str, ...]:
    devices = told.get("users") or ()
    names = {str(one["name"]) for one in devices} | {str(one["common_name"]) for one in devices}
    return tuple(name for name in (*wishes.get("users", ()), *wishes.get("common_names", ())) if name not in names)


def _lifted(
    told: Mapping[str, Any], wishes: Mapping[str, Any], removed: Sequence[str], usable: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom the CRL keeps out from now on, and who has come back.

    Who was given a new certificate has no other that can be used, so that nothing old hides behind the name. A user is
    let in as a whole only where that holds for every device: else a removal that was not finished would be undone.
    """
    issued = _issued(told)
    back = dict.fromkeys(name.partition("@")[0] for name in issued)
    whole = [user for user in back if all(name in issued for name in usable if name.startswith(f"{user}@"))]
    return (*wishes.get("users", ()), *whole), tuple(
        dict.fromkeys([*wishes.get("common_names", ()), *removed, *issued])
    )


def _problem(users: Mapping[str, Any] | None, crl: Mapping[str, Any] | None, *, is_asked: bool) -> str:
    """Why the authority has not done its part."""
    if not users and (is_asked or not crl):
        return "it was not asked (is it left out by --limit?)"
    for result in (users, crl):
        if result and result.get("unreachable"):
            return f"it could not be reached: {first_line(result)}"
        # Whoever issues tells by itself what the token did not sign.
        is_told = result is users and "revoked" in (result or {}) and not is_asked
        if result and result.get("failed") and not is_told:
            return first_line(result)
    return ""
