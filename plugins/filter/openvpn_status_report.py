# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_status_report``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status_report import render_status_report


def openvpn_status_report(document: Mapping[str, Any]) -> list[str]:
    """The state of all gateways for a terminal; see the documentation of the filter."""
    try:
        return render_status_report(document)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"openvpn_status_report: this is not the document of a status: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_status_report": openvpn_status_report}
