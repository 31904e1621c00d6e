# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_listeners``."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import parse_listeners, share_port
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import plan_processes


def openvpn_listeners(
    listeners: Any, cores: int = 1, port_share: str = "", shared_port: int = 443
) -> list[dict[str, Any]]:
    """The processes behind the listeners, checked and complete; see the documentation of the filter."""
    try:
        wanted = parse_listeners(share_port(listeners, port_share=port_share, port=shared_port))
        return [process.as_dict() for process in plan_processes(wanted, int(cores))]
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_listeners: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_listeners": openvpn_listeners}
