# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The link by which an authenticator app learns a TOTP secret (RFC 6238)."""

from __future__ import annotations

import base64
import binascii

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line

# RFC 4226: at least 128 bits, better 160.
SHORTEST_SECRET_BYTES = 20
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def render_totp_uri(user: str, *, issuer: str, secret: str) -> str:
    """``otpauth://totp/ISSUER:USER?...`` with what every app understands: SHA-1, six digits, 30 seconds.

    :param secret: Base32, at least 20 bytes; spaces and padding do not matter.
    :raises InputError: for an empty name, a name with a colon, or a bad secret, which is never shown.
    """
    for value, what in ((user, "The user"), (issuer, "The issuer")):
        require_single_line(value, what=what)
        if not value.strip() or ":" in value:
            raise InputError(f"{what} is empty or holds a colon, which ends a name in the label of a TOTP link.")
    label = f"{_percent_encode(issuer)}:{_percent_encode(user)}"
    settings = f"secret={_parse_secret(secret)}&issuer={_percent_encode(issuer)}&algorithm=SHA1&digits=6&period=30"
    return f"otpauth://totp/{label}?{settings}"


def _parse_secret(secret: str) -> str:
    plain = "".join(secret.split()).rstrip("=").upper()
    try:
        size = len(base64.b32decode(plain + "=" * (-len(plain) % 8)))
    except (binascii.Error, ValueError) as error:
        raise InputError("The TOTP secret is not Base32 (A to Z, 2 to 7).") from error
    if size < SHORTEST_SECRET_BYTES:
        raise InputError(
            f"The TOTP secret has {size} bytes, fewer than {SHORTEST_SECRET_BYTES}.",
            remedy="Make one with: head -c 20 /dev/urandom | base32",
        )
    return plain


def _percent_encode(value: str) -> str:
    return "".join(
        character if character in _UNRESERVED else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in value
    )
