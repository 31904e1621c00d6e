# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``removal_orders``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_orders import plan_orders

Result = Mapping[str, Any]


def removal_orders(
    users: Result | None, crl: Result | None = None, *, wishes: Result | None = None, check_mode: bool = False
) -> dict[str, Any]:
    """What gateways are told once the authority has answered; see the documentation of the filter."""
    try:
        return plan_orders(users, crl, wishes=wishes, check_mode=check_mode).as_dict()
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"removal_orders: these are not the results of the authority: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"removal_orders": removal_orders}
