# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``preflight_ports``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import plan_ports


def preflight_ports(listeners: Sequence[Mapping[str, Any]], web_ports: Sequence[int] = ()) -> list[dict[str, Any]]:
    """The ports that have to be reached from outside; see the documentation of the filter."""
    try:
        return [asdict(one) for one in plan_ports(listeners, web_ports=web_ports)]
    except (AttributeError, TypeError) as error:
        raise AnsibleFilterError("preflight_ports: the listeners are not a list of dictionaries.") from error
    except CollectionError as error:
        raise AnsibleFilterError(f"preflight_ports: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"preflight_ports": preflight_ports}
