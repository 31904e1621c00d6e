# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_iam_policy``."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_zone
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.iam_policy import build_iam_policy


def dns_iam_policy(
    name: str, zone: str, zone_id: str, partition: str = "aws", *, challenge: bool = False
) -> dict[str, Any]:
    """The IAM policy of a gateway that keeps its own record in Route 53; see the documentation of the filter."""
    try:
        return build_iam_policy(name, zone=parse_zone(zone), zone_id=zone_id, partition=partition, challenge=challenge)
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_iam_policy: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_iam_policy": dns_iam_policy}
