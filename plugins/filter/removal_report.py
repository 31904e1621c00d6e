# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``removal_report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import removal_text
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_orders import Orders
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import build_removal_report

Answers = Mapping[str, Mapping[str, Any]]
# Where the authority has nothing to do, as when users are disabled.
NOTHING_ORDERED = Orders(is_signed=True).as_dict()


def removal_report(
    gateways: Answers,
    *,
    started: float,
    authority: str,
    crl: Mapping[str, Any] | None = None,
    revoked: Sequence[str] = (),
    heading: str = "",
    denials: Answers | None = None,
    kept: Answers | None = None,
    orders: Mapping[str, Any] | None = None,
    wishes: Mapping[str, Any] | None = None,
    inventory: Sequence[str] = (),
    forks: int = 0,
) -> dict[str, Any]:
    """Bring the answers of all gateways onto one clock; see the documentation of the filter."""
    if crl is None and not heading and orders is None:
        raise AnsibleFilterError("removal_report: neither a CRL nor a heading was given")
    try:
        told, named = orders or NOTHING_ORDERED, wishes or {"subjects": [], "reason": ""}
        report = build_removal_report(
            started=float(started),
            **_signature(crl),
            authority=authority,
            gateways=gateways,
            denials=denials,
            kept=kept,
            by_name=not told["is_signed"],
        )
        first = heading or removal_text.render_heading(told, named["subjects"])
        lines = removal_text.render_removal_report(report, revoked=revoked, heading=first)
        owed = removal_text.render_owed(report, told, authority=authority, subjects=named["subjects"])
        missing = [name for name, _reason in report.missing]
        commands = removal_text.render_commands(
            told, subjects=named["subjects"], reason=named["reason"], inventory=inventory, missing=missing
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"removal_report: the results of the removal are not complete: {error!r}") from error
    finish = commands if orders is not None and (missing or not told["is_signed"]) else []
    return {
        "lines": [
            *lines,
            *owed,
            *(f"TO FINISH: {command}" for command in finish),
            *removal_text.render_hint(len(gateways), forks=forks),
        ],
        "missing": missing,
        "denying": list(report.denying),
        "owed": owed,
        "commands": finish,
        "failure": removal_text.render_failure(report, owed, finish),
        "start_to_cut": report.start_to_cut,
        "signed_to_cut": report.signed_to_cut,
        "start_to_proof": report.start_to_proof,
        "moments": [{"seconds": m.seconds, "host": m.host, "text": m.text} for m in report.moments],
    }


def _signature(crl: Mapping[str, Any] | None) -> dict[str, Any]:
    """Of the CRL that this run has signed, if it has."""
    if not crl or not crl.get("changed") or crl.get("signed_at") is None:
        return {"signed_at": None, "crl_number": 0}
    return {"signed_at": float(crl["signed_at"]), "crl_number": int(crl["number"])}


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"removal_report": removal_report}
