# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``openvpn_server_config``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import render_server_config
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_settings


def openvpn_server_config(process: Mapping[str, Any], **settings: Any) -> str:
    """The configuration file of one process; see the documentation of the filter."""
    try:
        return render_server_config(parse_process(process), parse_settings(settings))
    except CollectionError as error:
        raise AnsibleFilterError(f"openvpn_server_config: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"openvpn_server_config": openvpn_server_config}
