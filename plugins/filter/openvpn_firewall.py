# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_firewall``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.firewall import render_firewall
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.firewall_settings import parse_firewall


def openvpn_firewall(processes: Sequence[Any], **options: Any) -> str:
    """The nftables table of a gateway; see the documentation of the filter."""
    try:
        return render_firewall(parse_firewall(processes, options))
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_firewall: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_firewall": openvpn_firewall}
