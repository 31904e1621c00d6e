# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_kernel_settings``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.kernel_settings import (
    parse_assignments,
    parse_kernel_settings,
    plan_kernel_settings,
)


def openvpn_kernel_settings(settings: Mapping[str, Any], current: str = "", written: str = "") -> dict[str, Any]:
    """What is to be written and done; see the documentation of the filter."""
    try:
        wanted = parse_kernel_settings(settings)
        plan = plan_kernel_settings(wanted, current=parse_assignments(current), written=parse_assignments(written))
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_kernel_settings: {error}") from error
    return {
        "names": [one.name for one in wanted],
        "lines": [{"name": one.name, "value": one.value, "reason": one.reason} for one in plan.wanted],
        "assignments": list(plan.assignments),
        "missing": list(plan.missing),
        "kept": list(plan.kept),
    }


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_kernel_settings": openvpn_kernel_settings}
