# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_fleet``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.fleet import plan_fleet


def dns_fleet(
    members: Mapping[str, Mapping[str, Any]],
    name: str,
    ttl: int,
    *,
    weighted: bool = False,
    others: Mapping[str, Sequence[str]] | None = None,
    present: Sequence[str] = (),
) -> dict[str, Any]:
    """What the name of all healthy gateways shows; see the documentation of the filter."""
    try:
        return plan_fleet(members, name=name, ttl=ttl, weighted=weighted, others=others, present=present)
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_fleet: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_fleet": dns_fleet}
