# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM (RFC 7468) of certificates, written from their DER and taken out of files that hold several."""

from __future__ import annotations

import base64
import re

_COLUMNS = 64
_BLOCK = re.compile(r"-----BEGIN ([^-]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def encode_pem(content: bytes, *, label: str = "CERTIFICATE") -> str:
    """The PEM of some DER, lines of 64 characters, with a newline at the end."""
    text = base64.b64encode(content).decode("ascii")
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


def split_certificates(text: str) -> tuple[str, ...]:
    """The certificates of a PEM file, each with a newline at its end; what stands between them is left out."""
    return tuple(f"{block}\n" for block in _CERTIFICATE.findall(text))


def pem_contents(text: str) -> tuple[str, ...]:
    """What a PEM file holds, however it is ordered and broken into lines: equal for files that say the same."""
    return tuple(sorted({f"{label} {''.join(content.split())}" for label, content in _BLOCK.findall(text)}))
