# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``gateway_fqdns``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_zone


def gateway_fqdns(names: Mapping[str, Mapping[str, Any]], zone: str, gateways: Sequence[str]) -> dict[str, str]:
    """The full names of gateways; see the documentation of the filter."""
    try:
        below = parse_zone(zone)
        return {name: f"{names[name]['label']}.{below}" for name in gateways if name in names}
    except CollectionError as error:
        raise AnsibleFilterError(f"gateway_fqdns: {error}") from error
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"gateway_fqdns: not the names of gateway_name: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_fqdns": gateway_fqdns}
