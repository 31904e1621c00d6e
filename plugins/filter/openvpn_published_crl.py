# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_published_crl``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_address import published_url


def openvpn_published_crl(addresses: Sequence[str], *, authority: str, port: Any = 80, same_host: bool = False) -> str:
    """Where a gateway finds the CRL of its authority; see the documentation of the filter."""
    if isinstance(addresses, str):
        raise AnsibleFilterError("openvpn_published_crl: pki_publish_addresses is no list.")
    try:
        return published_url(addresses, authority=str(authority), port=int(port), is_same_host=bool(same_host))
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"openvpn_published_crl: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_published_crl": openvpn_published_crl}
