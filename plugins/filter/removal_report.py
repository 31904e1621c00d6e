# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``removal_report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import (
    build_removal_report,
    render_removal_report,
)


def removal_report(
    gateways: Mapping[str, Mapping[str, Any]],
    *,
    started: float,
    authority: str,
    crl: Mapping[str, Any] | None = None,
    revoked: Sequence[str] = (),
    heading: str = "",
) -> dict[str, Any]:
    """Bring the answers of all gateways onto one clock; see the documentation of the filter."""
    if crl is None and not heading:
        raise AnsibleFilterError("removal_report: neither a CRL nor a heading was given")
    try:
        signed = crl.get("signed_at") if crl and crl.get("changed") else None
        report = build_removal_report(
            started=float(started),
            signed_at=None if signed is None else float(signed),
            crl_number=0 if crl is None else int(crl["number"]),
            authority=authority,
            gateways=gateways,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"removal_report: the results of the removal are not complete: {error!r}") from error
    lines: list[str] = render_removal_report(report, revoked=revoked, heading=heading)
    return {
        "lines": lines,
        "missing": [name for name, _reason in report.missing],
        "start_to_cut": report.start_to_cut,
        "signed_to_cut": report.signed_to_cut,
        "moments": [{"seconds": m.seconds, "host": m.host, "text": m.text} for m in report.moments],
    }


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"removal_report": removal_report}
