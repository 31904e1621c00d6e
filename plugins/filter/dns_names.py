# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_names``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.fleet import find_names
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name_in_zone, parse_zone


def dns_names(
    gateways: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], zone: str
) -> dict[str, str]:
    """The names of gateways in their zone; see the documentation of the filter."""
    try:
        where = parse_zone(zone) if zone else ""
        found = find_names(gateways, hostvars, given, where)
        return {
            gateway: parse_name_in_zone(name, where, what=f"The name of {gateway}") for gateway, name in found.items()
        }
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_names: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_names": dns_names}
