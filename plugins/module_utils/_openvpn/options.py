# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old place of what is now in ``values``, ``listeners`` and ``settings``."""

from __future__ import annotations

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import Listener, parse_listeners
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import (
    ServerSettings,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    PROTOCOLS,
    Address,
    Network,
    parse_address,
    parse_host,
    parse_path,
    parse_port,
    parse_protocol,
)

__all__ = [
    "PROTOCOLS",
    "Address",
    "Listener",
    "Network",
    "ServerSettings",
    "parse_address",
    "parse_host",
    "parse_listeners",
    "parse_path",
    "parse_port",
    "parse_protocol",
    "parse_settings",
]
