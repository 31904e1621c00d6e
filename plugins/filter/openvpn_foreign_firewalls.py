# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_foreign_firewalls``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.foreign_firewalls import (
    describe_foreign_firewalls,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process


def openvpn_foreign_firewalls(processes: Sequence[Any], *, firewalld: bool, ufw: bool) -> list[str]:
    """How clients get through other firewalls of the host; see the documentation of the filter."""
    try:
        parsed = [parse_process(one) for one in processes]
        return describe_foreign_firewalls(parsed, firewalld=firewalld, ufw=ufw)
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_foreign_firewalls: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_foreign_firewalls": openvpn_foreign_firewalls}
