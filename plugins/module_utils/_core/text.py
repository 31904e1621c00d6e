# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for scalars that end up in files which other programs read line by line."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

SHOWN_CHARACTERS = 60
MOST_NAMES = 20


def shown(value: str) -> str:
    """A value made fit for an error message: control characters escaped, long values cut.

    >>> shown("a" * 100)[-20:]
    'aaaa… (100 characters)'
    """
    escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)
    if len(escaped) <= SHOWN_CHARACTERS:
        return escaped
    return f"{escaped[:SHOWN_CHARACTERS]}… ({len(value)} characters)"


def require_single_line(value: str, *, what: str) -> str:
    """Return the value if it is one line of visible characters, else raise :class:`InputError`.

    A newline in a variable becomes a directive of its own in the file it is rendered into,
    and a NUL ends the string for a C program, so both are refused rather than escaped.
    """
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs"):
            raise InputError(
                f"{what} holds the control character {character!a}: '{shown(value)}'.",
                remedy="Give it as one line of visible characters.",
            )
    return value


def split_names(names: Iterable[str] | str) -> list[str]:
    """Names out of a list, or out of a text with commas, blanks or line breaks between them.

    >>> split_names("alice, bob")
    ['alice', 'bob']
    """
    parts = [names] if isinstance(names, str) else [str(name) for name in names]
    return [name for part in parts for name in re.split(r"[,\s]+", part) if name]


def listed(names: Sequence[str]) -> str:
    """Names in quotation marks for an error message, at most 20 of them."""
    told = ", ".join(f"'{name}'" for name in names[:MOST_NAMES])
    return f"{told} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else told


def fingerprint(content: bytes) -> str:
    """The SHA-256 of some bytes in hexadecimal, the form in which diffs show contents."""
    return hashlib.sha256(content).hexdigest()
