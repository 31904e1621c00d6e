# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dnsmasq_hosts``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_config import render_hosts
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_settings import parse_resolver


def dnsmasq_hosts(settings: Mapping[str, Any]) -> str:
    """The names that a gateway answers itself; see the documentation of the filter."""
    try:
        return render_hosts(parse_resolver(settings))
    except CollectionError as error:
        raise AnsibleFilterError(f"dnsmasq_hosts: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dnsmasq_hosts": dnsmasq_hosts}
