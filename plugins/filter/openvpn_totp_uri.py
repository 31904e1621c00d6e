# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_totp_uri``."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.totp_uri import render_totp_uri


def openvpn_totp_uri(user: str, issuer: str, secret: str) -> str:
    """The link that an authenticator app reads; see the documentation of the filter."""
    try:
        return render_totp_uri(user, issuer=issuer, secret=secret)
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_totp_uri: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_totp_uri": openvpn_totp_uri}
