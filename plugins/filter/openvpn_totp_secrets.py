# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_totp_secrets``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.totp import render_totp_secrets


def openvpn_totp_secrets(secrets: Mapping[str, str]) -> str:
    """The file of the secrets; see the documentation of the filter."""
    try:
        return render_totp_secrets(secrets)
    except CollectionError as error:
        # Without a cause: what is chained here is shown, and secrets are never.
        raise AnsibleFilterError(f"openvpn_totp_secrets: {error}") from None


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_totp_secrets": openvpn_totp_secrets}
