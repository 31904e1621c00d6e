# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``web_names``."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._web.names import choose_names


def web_names(web_server_names: Any, acme_names: Any = (), zone_name: str = "") -> Any:
    """The names under which a gateway shows its pages; see the documentation of the filter."""
    return choose_names(web_server_names, acme_names, zone_name)


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"web_names": web_names}
