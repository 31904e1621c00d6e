# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of one-time passwords, as the program on the gateway reads them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import parse_user_name

LEAST_BYTES = 20
MARKER = "# Managed by Ansible (privatespace.gateway.openvpn)."


def render_totp_secrets(secrets: Any) -> str:
    """The file that lists the secrets, a line a user, ordered by name.

    :param secrets: Base32 by user name.
    :raises InputError: naming every user whose secret cannot be used, and never a secret.
    """
    if not isinstance(secrets, Mapping):
        raise InputError("The secrets of the second factor are a dictionary, Base32 by user name.")
    checked = [_checked(user, secret) for user, secret in sorted(secrets.items(), key=lambda item: str(item[0]))]
    problems = [problem for _line, problem in checked if problem]
    if problems:
        raise InputError(" ".join(problems), remedy="Nothing was changed.")
    return "\n".join([MARKER, *(line for line, _problem in checked)]) + "\n"


def _checked(user: Any, secret: Any) -> tuple[str, str]:
    """A line of the file, and what is wrong with it."""
    bare = "".join(str(secret).split()).rstrip("=").upper()
    try:
        name = parse_user_name(user, what="A user of the second factor")
        decoded = base64.b32decode(bare + "=" * (-len(bare) % 8))
    except CollectionError as error:
        return "", str(error)
    except (binascii.Error, ValueError):
        return "", f"The secret of '{user}' is not Base32."
    if len(decoded) < LEAST_BYTES:
        return "", f"The secret of '{user}' has {len(decoded)} bytes; {LEAST_BYTES} are needed."
    return f"{name} {bare}", ""
