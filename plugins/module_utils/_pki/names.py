# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of users, devices and gateways, and the common names that certificates carry for them."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

LONGEST_NAME = 63
LONGEST_COMMON_NAME = 64
SEPARATOR = "@"
GATEWAY_PREFIX = "gateway-"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_REMEDY = (
    f"Use 1 to {LONGEST_NAME} characters from a-z, 0-9, '.', '_' and '-', "
    "beginning with a letter or a digit and without '..'."
)


class DeviceName(NamedTuple):
    """A device and the user that it belongs to, taken out of a common name."""

    user: str
    device: str


def parse_user_name(name: str) -> str:
    """The name of a user, unchanged, if it is one.

    :raises InputError: naming what is wrong with it.
    """
    return _parse(name, "user name")


def parse_device_name(name: str) -> str:
    """The name of a device of a user, unchanged, if it is one.

    :raises InputError: naming what is wrong with it.
    """
    return _parse(name, "device name")


def parse_gateway_name(name: str) -> str:
    """The name of a gateway, unchanged, if it is one.

    :raises InputError: naming what is wrong with it.
    """
    return _parse(name, "gateway name")


def common_name(user: str, device: str) -> str:
    """The common name of the certificate of a device: ``user@device``, at most 64 characters.

    :raises InputError: one of the names is bad, or both together are too long for a certificate.
    """
    return _fits(f"{parse_user_name(user)}{SEPARATOR}{parse_device_name(device)}", "user and device names")


def split_common_name(name: str) -> DeviceName:
    """The user and the device behind a common name that :func:`common_name` made.

    :raises InputError: it is not the common name of a device (that of a gateway, for example).
    """
    user, separator, device = name.partition(SEPARATOR)
    if not separator:
        raise InputError(f"'{shown(name)}' is not the common name of a device.", remedy="It has the form USER@DEVICE.")
    if common_name(user, device) != name:
        raise InputError(f"'{shown(name)}' is not the common name of a device.")
    return DeviceName(user, device)


def gateway_common_name(name: str) -> str:
    """The common name of the certificate of a gateway: ``gateway-NAME``, at most 64 characters.

    :raises InputError: the name is bad, or too long for a certificate.
    """
    return _fits(f"{GATEWAY_PREFIX}{parse_gateway_name(name)}", "gateway name")


def _parse(name: str, what: str) -> str:
    problem = _problem(name)
    if problem:
        raise InputError(f"The {what} '{shown(name)}' {problem}.", remedy=_REMEDY)
    return name


def _problem(name: str) -> str:
    if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME and ".." not in name:
        return ""
    if not name:
        return "is empty"
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} characters"
    for character in name:
        if not re.match(r"[a-z0-9._-]", character):
            return f"holds the character {character!a}"
    if not _NAME.fullmatch(name):
        return f"begins with {name[0]!a}"
    return "holds '..'" if ".." in name else ""


def _fits(full: str, what: str) -> str:
    if len(full) > LONGEST_COMMON_NAME:
        raise InputError(
            f"The common name '{full}' has {len(full)} characters; a certificate holds {LONGEST_COMMON_NAME}.",
            remedy=f"Shorten the {what}.",
        )
    return full
