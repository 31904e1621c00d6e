# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the module that ends sessions of OpenVPN."""

from __future__ import annotations

from typing import Any

FOLDER = "/etc/openvpn/server/privatespace"


def session_options() -> dict[str, Any]:
    """The argument spec of ``openvpn_session``."""
    return {
        "state": {"type": "str", "choices": ["absent", "reconnected"], "default": "absent"},
        "common_names": {"type": "list", "elements": "str", "default": []},
        "cut_unnamed": {"type": "bool", "default": True},
        "crl_content": {"type": "str"},
        "crl_path": {"type": "path", "default": f"{FOLDER}/crl.pem"},
        "ca_path": {"type": "path", "default": f"{FOLDER}/ca.crt"},
        "revocation": {"type": "str", "choices": ["crl", "serials"], "default": "crl"},
        "serial_folder": {"type": "path", "default": f"{FOLDER}/revoked"},
        "lift_users": {"type": "list", "elements": "str", "default": []},
        "lift_names": {"type": "list", "elements": "str", "default": []},
        "denial_folder": {"type": "path", "default": f"{FOLDER}/denied"},
        "serials": {"type": "list", "elements": "str", "default": []},
        "processes": {"type": "list", "elements": "dict", "default": []},
        "client_folder": {"type": "path", "default": f"{FOLDER}/ccd"},
        "management_sockets": {"type": "list", "elements": "path"},
        "timeout": {"type": "float", "default": 10.0},
    }
