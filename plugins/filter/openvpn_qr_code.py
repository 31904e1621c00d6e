# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_qr_code``."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.qr_code import render_qr_code


def openvpn_qr_code(text: str, kind: str = "png") -> str:
    """A QR code of a text; see the documentation of the filter."""
    try:
        return render_qr_code(text, kind=kind)
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_qr_code: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_qr_code": openvpn_qr_code}
