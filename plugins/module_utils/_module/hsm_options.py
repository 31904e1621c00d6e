# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which every module that uses a token is told about it (doc fragment ``hsm``)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

PIN_VARIABLE = "PRIVATESPACE_HSM_PIN"
LONGEST_PIN_FILE = 4096
DEFAULT_TOKEN_LABEL = "privatespace"  # noqa: S105 - the label of a token, not a secret
DEFAULT_KEY_LABEL = "ca"


def hsm_argument_spec() -> dict[str, Any]:
    """Argument spec of the fragment ``privatespace.gateway.hsm``: merge it into that of the module."""
    return {
        "hsm_module": {"type": "path", "required": True},
        "hsm_token": {"type": "str", "default": DEFAULT_TOKEN_LABEL, "no_log": False},
        "hsm_pin": {"type": "str", "no_log": True},
        "hsm_pin_file": {"type": "path"},
        "hsm_key_label": {"type": "str", "default": DEFAULT_KEY_LABEL, "no_log": False},
    }


def token_options(module: AnsibleModule) -> dict[str, Any]:
    """Keyword arguments for ``TokenSettings``; in check mode without the PIN, since nobody logs in then.

    Use: ``open_token(TokenSettings(**token_options(module)), lock=exclusive_lock, login=not module.check_mode)``.

    :raises InputError: the PIN file is missing, or others than its owner may read it.
    """
    pin = None if module.check_mode else resolve_pin(module.params)
    if pin:
        module.no_log_values.add(pin)
    return {"module": module.params["hsm_module"], "token": module.params["hsm_token"], "pin": pin}


def resolve_pin(parameters: dict[str, Any]) -> str | None:
    """The PIN from ``hsm_pin``, else from ``hsm_pin_file``, else from the environment; ``None`` where there is none.

    :raises InputError: both options were given, or the file cannot be used.
    """
    given, path = parameters.get("hsm_pin"), parameters.get("hsm_pin_file")
    if given and path:
        raise InputError("hsm_pin and hsm_pin_file are both given.", remedy="Give one of them.")
    found: str | None = given or (read_pin_file(Path(path)) if path else os.environ.get(PIN_VARIABLE))
    if found and not found.isprintable():
        raise InputError("The PIN holds a control character.", remedy="Give it as one line of visible characters.")
    return found or None


def read_pin_file(path: Path) -> str:
    """The first line of a file that its owner alone may read.

    :raises InputError: it is missing, empty, or open to others: a PIN that others could read is not a secret.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(LONGEST_PIN_FILE)
    except OSError as error:
        raise InputError(f"The PIN file {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(
            f"The PIN file {path} is open to others (mode {stat.S_IMODE(mode):04o}).",
            remedy=f"Run: chmod 0400 {path}. If others may have read the PIN, change it.",
        )
    lines = content.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0]:
        raise InputError(f"The PIN file {path} is empty.", remedy="Its first line is the PIN.")
    return lines[0]
