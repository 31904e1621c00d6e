# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_update_policy``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_zone
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.update_policy import render_update_policy


def dns_update_policy(names: Sequence[str], zone: str, controller_key: str = "", challenges: Sequence[str] = ()) -> str:
    """What BIND lets the gateways change in a zone; see the documentation of the filter."""
    try:
        return render_update_policy(names, zone=parse_zone(zone), controller_key=controller_key, challenges=challenges)
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_update_policy: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_update_policy": dns_update_policy}
