# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``removal_check``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_check import build_check

Answers = Mapping[str, Mapping[str, Any]]


def removal_check(
    gateways: Answers, *, denials: Answers | None = None, orders: Mapping[str, Any] | None = None, authority: str = ""
) -> dict[str, Any]:
    """What a removal or a lockdown would do; see the documentation of the filter."""
    try:
        return build_check(gateways, denials=denials, orders=orders, authority=authority)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"removal_check: the answers of the gateways are not complete: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"removal_check": removal_check}
