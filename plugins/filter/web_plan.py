# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``web_plan``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._web.nginx_config import render_files
from ansible_collections.privatespace.gateway.plugins.module_utils._web.settings import LOOPBACK, parse_web


def web_plan(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the web server of a gateway is told, and where it waits; see the documentation of the filter."""
    try:
        web = parse_web(settings)
    except CollectionError as error:
        raise AnsibleFilterError(f"web_plan: {error}") from error
    shared = [one for one in web.https_sockets if one.startswith(f"{LOOPBACK}:")]
    return {
        "files": render_files(web),
        "names": list(web.server_names),
        "sockets": [*web.http_sockets, *web.https_sockets],
        "shared": shared[0] if shared else "",
    }


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"web_plan": web_plan}
