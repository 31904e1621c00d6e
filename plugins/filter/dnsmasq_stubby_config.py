# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dnsmasq_stubby_config``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.stubby_config import render_stubby


def dnsmasq_stubby_config(settings: Mapping[str, Any]) -> str:
    """The configuration of stubby on a gateway; see the documentation of the filter."""
    try:
        return render_stubby(settings)
    except CollectionError as error:
        raise AnsibleFilterError(f"dnsmasq_stubby_config: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dnsmasq_stubby_config": dnsmasq_stubby_config}
