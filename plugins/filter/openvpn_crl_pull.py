# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_crl_pull``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_address import require_elsewhere
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull_settings import parse_settings


def openvpn_crl_pull(settings: Mapping[str, Any], *, same_host: bool = False) -> dict[str, Any]:
    """What the program on a gateway needs to follow the CRL, checked; see the documentation of the filter."""
    try:
        urls = parse_settings(settings).urls
        if not same_host:
            require_elsewhere(urls)
        return dict(settings)
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_crl_pull: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_crl_pull": openvpn_crl_pull}
