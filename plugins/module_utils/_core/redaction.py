# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal of secrets from text that other programs wrote and that we are about to show."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "********"
SHORTEST_SECRET = 4
_PEM_SECRET = re.compile(
    r"-----BEGIN ([A-Z0-9 ]*(?:PRIVATE KEY|tls-crypt-v2 (?:client|server) key|OpenVPN Static key V1))-----"
    r".*?-----END \1-----",
    re.DOTALL | re.IGNORECASE,
)


def redact(text: str, *, secrets: Iterable[str] = ()) -> str:
    """Mask private key blocks and every one of the given secrets.

    Secrets shorter than four characters are not searched for: masking each "1" of a text tells
    more about a PIN of "1" than it hides.
    """
    masked = _PEM_SECRET.sub(MASK, text)
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            masked = masked.replace(secret, MASK)
    return masked
