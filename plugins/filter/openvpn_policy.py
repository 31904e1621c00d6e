# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_policy``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import parse_policy
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process


def openvpn_policy(processes: Sequence[Any], **options: Any) -> dict[str, Any]:
    """What the groups and users of a gateway mean for its processes; see the documentation of the filter."""
    try:
        policy = parse_policy(options, processes=[parse_process(one) for one in processes])
        networks = policy.client_networks()
        return {"client_networks": {name: [str(one) for one in found] for name, found in networks.items()}}
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_policy: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_policy": openvpn_policy}
