# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of hosts and zones: checked once, then lower case and without the dot at the end (RFC 1035, RFC 1123)."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

LONGEST_LABEL = 63
LONGEST_NAME = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def parse_label(value: Any, *, what: str) -> str:
    """One label of a host's name: letters, digits, and hyphens inside.

    :raises InputError: naming what is wrong with it.
    """
    if not isinstance(value, str):
        raise InputError(f"{what} is not a word.")
    label = require_single_line(value, what=what).lower()
    if not label:
        raise InputError(f"{what} is empty.")
    if "*" in label:
        raise InputError(f"{what} is a wildcard, which would answer for every other name: '{shown(value)}'.")
    if len(label) > LONGEST_LABEL:
        raise InputError(f"{what} is longer than the {LONGEST_LABEL} characters that DNS allows: '{shown(value)}'.")
    if not label.isascii() or not _LABEL.fullmatch(label):
        raise InputError(f"{what} may hold a-z, 0-9 and, inside, hyphens: '{shown(value)}'.")
    return label


def parse_name(value: Any, *, what: str) -> str:
    """A whole name of at least one label; a dot at its end is taken off.

    :raises InputError: naming the label and what is wrong with it.
    """
    if not isinstance(value, str):
        raise InputError(f"{what} is not a word.")
    name = require_single_line(value, what=what)
    name = name.removesuffix(".")
    labels = [parse_label(label, what=f"{what}: a label of '{shown(value)}'") for label in name.split(".")]
    if len(name) > LONGEST_NAME:
        raise InputError(f"{what} is longer than the {LONGEST_NAME} characters that DNS allows: '{shown(value)}'.")
    return ".".join(labels)


def parse_zone(value: Any, *, what: str = "The zone") -> str:
    """A zone below the top level.

    :raises InputError: for what is no name, and for a top-level domain.
    """
    zone = parse_name(value, what=what)
    if "." not in zone:
        raise InputError(f"{what} is a top-level domain, in which nobody may write: '{shown(zone)}'.")
    return zone


def parse_name_in_zone(value: Any, zone: str, *, what: str) -> str:
    """A name below a zone, given in full (``cambridge.example.net``) or by its label alone (``cambridge``).

    :param zone: As :func:`parse_zone` returns it.
    :raises InputError: for the zone itself, and for a name of another zone.
    """
    if isinstance(value, str) and value and "." not in value:
        return f"{parse_label(value, what=what)}.{zone}"
    name = parse_name(value, what=what)
    if name == zone:
        raise InputError(f"{what} is the zone itself: '{shown(name)}'.")
    if not name.endswith(f".{zone}"):
        raise InputError(f"{what} is not in the zone {zone}: '{shown(name)}'.")
    return name
