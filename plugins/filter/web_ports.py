# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``web_ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._web.ports import (
    describe_taken,
    missing_sockets,
    parse_sockets,
    wanted_sockets,
)


def web_ports(output: str, sockets: Sequence[str], own_pid: int = 0, leaving: Sequence[str] = ()) -> dict[str, Any]:
    """Who has the ports of the web server; see the documentation of the filter."""
    found, wanted = parse_sockets(output), wanted_sockets(sockets)
    return {
        "taken": describe_taken(found, wanted, own_pid=int(own_pid), leaving=leaving),
        "missing": missing_sockets(found, wanted, own_pid=int(own_pid)),
    }


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"web_ports": web_ports}
