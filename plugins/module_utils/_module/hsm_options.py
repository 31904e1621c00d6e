# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which every module that uses a token is told about it (doc fragment ``hsm``)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.pin import find_pin

DEFAULT_TOKEN_LABEL = "privatespace"  # noqa: S105 - the label of a token, not a secret
DEFAULT_KEY_LABEL = "ca"
DEFAULT_TIMEOUT_SECONDS = 120


def hsm_argument_spec() -> dict[str, Any]:
    """Argument spec of the fragment ``privatespace.gateway.hsm``: merge it into that of the module."""
    return {
        "hsm_module": {"type": "path", "required": True},
        "hsm_token": {"type": "str", "default": DEFAULT_TOKEN_LABEL, "no_log": False},
        "hsm_token_serial": {"type": "str", "default": "", "no_log": False},
        "hsm_pin": {"type": "str", "no_log": True},
        "hsm_pin_file": {"type": "path"},
        "hsm_key_label": {"type": "str", "default": DEFAULT_KEY_LABEL, "no_log": False},
        "hsm_timeout": {"type": "int", "default": DEFAULT_TIMEOUT_SECONDS},
    }


def token_options(module: AnsibleModule) -> dict[str, Any]:
    """Keyword arguments for ``TokenSettings``; in check mode without the PIN, since nobody logs in then.

    Use: ``open_token(TokenSettings(**token_options(module)), lock=exclusive_lock, login=not module.check_mode)``.

    :raises InputError: the PIN file is missing, or others than its owner may read it; or the timeout is negative.
    """
    if module.params["hsm_timeout"] < 0:
        raise InputError("The option 'hsm_timeout' is negative.", remedy="Give seconds, or 0 to wait for ever.")
    pin = None if module.check_mode else resolve_pin(module.params)
    if pin:
        module.no_log_values.add(pin)
    return {
        "module": module.params["hsm_module"],
        "token": module.params["hsm_token"],
        "serial": module.params["hsm_token_serial"],
        "pin": pin,
        "timeout_seconds": float(module.params["hsm_timeout"]),
        "give_up": end_run,
    }


def resolve_pin(parameters: dict[str, Any]) -> str | None:
    """The PIN from ``hsm_pin``, ``hsm_pin_file``, the environment or a systemd credential, in this order.

    :returns: ``None`` where there is none.
    :raises InputError: both options were given, or a file cannot be used.
    """
    return find_pin(given=parameters.get("hsm_pin"), path=parameters.get("hsm_pin_file"), environment=os.environ)


def end_run(message: str) -> NoReturn:
    """End this module with an error while its main thread hangs in the library of a token."""
    os.write(sys.stdout.fileno(), json.dumps({"failed": True, "msg": message}).encode("ascii") + b"\n")
    os._exit(1)
