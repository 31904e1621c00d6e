# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``lockdown_report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.lockdown import report_lockdown


def lockdown_report(
    gateways: Mapping[str, Mapping[str, Any]],
    *,
    wishes: Mapping[str, Any],
    started: float,
    inventory: Sequence[str] = (),
) -> dict[str, Any]:
    """What has become of a lockdown; see the documentation of the filter."""
    try:
        connected = {name: one["connected"] for name, one in gateways.items() if one.get("connected") is not None}
        return report_lockdown(
            gateways, wishes=wishes, started=float(started), connected=connected, inventory=inventory
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"lockdown_report: the answers of the gateways are not complete: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"lockdown_report": lockdown_report}
