# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_status``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status_document import build_status


def openvpn_status(
    gateways: Mapping[str, Mapping[str, Any]],
    now: float,
    authority: Mapping[str, Any] | None = None,
    *,
    freshness: Mapping[str, Any] | None = None,
    problem: str = "",
) -> dict[str, Any]:
    """The state of all gateways for a program; see the documentation of the filter."""
    try:
        return build_status(gateways, authority=authority, now=float(now), freshness=freshness, problem=str(problem))
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"openvpn_status: an answer of a gateway is not complete: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_status": openvpn_status}
