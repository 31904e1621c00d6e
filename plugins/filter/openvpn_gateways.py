# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_gateways``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import parse_listeners


def openvpn_gateways(
    names: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    default_listeners: Sequence[Mapping[str, Any]],
    dns_names: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """How clients reach each gateway; see the documentation of the filter."""
    given = dns_names or {}
    return [_describe(name, hostvars[name], default_listeners, dns_name=given.get(name, "")) for name in names]


def _describe(
    name: str, variables: Mapping[str, Any], default_listeners: Sequence[Mapping[str, Any]], *, dns_name: str
) -> dict[str, Any]:
    try:
        listeners = parse_listeners(variables.get("openvpn_listeners", default_listeners))
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_gateways: {name}: {error}") from error
    return {
        "name": variables.get("openvpn_gateway_name", name),
        # What an administrator wrote for this gateway comes first; an address that may change comes last.
        "address": variables.get("openvpn_public_address") or dns_name or variables.get("ansible_host", name),
        "listeners": [listener.as_dict() for listener in listeners],
        "second_factor": variables.get("openvpn_second_factor", "none") != "none",
    }


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_gateways": openvpn_gateways}
