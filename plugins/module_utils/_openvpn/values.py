# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values of a gateway's variables, checked one by one.

Everything that a configuration file is rendered from passes through here first, so that a renderer
never meets a newline, a quote, a host bit or a number out of range.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

PROTOCOLS = ("udp", "tcp")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*")
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_VERSION = re.compile(r"(\d+)\.(\d+)")


def parse_scalar(value: Any, *, what: str) -> str:
    """One line of visible characters, given as a word or as a number.

    :raises InputError: for anything else, a boolean included.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"{what} is not a word or a number.")
    return require_single_line(str(value), what=what)


def parse_whole_number(value: Any, *, what: str, least: int, most: int) -> int:
    """A whole number within limits, given as a number or as digits, with a sign if need be.

    :raises InputError: naming the limits.
    """
    text = parse_scalar(value, what=what)
    if not re.fullmatch(r"-?[0-9]{1,12}", text) or not least <= int(text) <= most:
        raise InputError(f"{what} is not a whole number from {least} to {most}: '{shown(text)}'.")
    return int(text)


def parse_boolean(value: Any, *, what: str) -> bool:
    """``true`` or ``false``, and nothing that Python merely takes for one of them.

    :raises InputError: for anything else.
    """
    if not isinstance(value, bool):
        raise InputError(f"{what} is neither true nor false.")
    return value


def parse_choice(value: Any, *, what: str, choices: Sequence[str]) -> str:
    """One of some words.

    :raises InputError: naming the words.
    """
    text = parse_scalar(value, what=what)
    if text not in choices:
        raise InputError(f"{what} is none of {', '.join(choices)}: '{shown(text)}'.")
    return text


def parse_port(value: Any, *, what: str) -> int:
    """A port number, given as a number or as digits.

    :raises InputError: outside 1 to 65535.
    """
    text = parse_scalar(value, what=what)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise InputError(f"{what} is not a port number from 1 to 65535: '{shown(text)}'.")
    return int(text)


def parse_protocol(value: Any, *, what: str) -> str:
    """``udp`` or ``tcp``.

    :raises InputError: for anything else.
    """
    text = parse_scalar(value, what=what)
    if text not in PROTOCOLS:
        raise InputError(f"{what} is neither udp nor tcp: '{shown(text)}'.")
    return text


def parse_address(value: Any, *, what: str) -> Address:
    """An IPv4 or IPv6 address.

    :raises InputError: if it is not one.
    """
    text = parse_scalar(value, what=what)
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise InputError(f"{what} is not an IP address: '{shown(text)}'.") from error
    if "%" in text:
        raise InputError(f"{what} has a zone, which no other host can know: '{shown(text)}'.")
    return address


def parse_network(value: Any, *, what: str) -> Network:
    """An IPv4 or IPv6 network in CIDR notation, without host bits.

    :raises InputError: if it is not one.
    """
    text = parse_scalar(value, what=what)
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise InputError(f"{what} is not a network such as 10.20.0.0/16: '{shown(text)}' ({error}).") from error


def parse_domain(value: Any, *, what: str) -> str:
    """A domain name.

    :raises InputError: if it is not one.
    """
    text = parse_scalar(value, what=what)
    if not _DOMAIN.fullmatch(text):
        raise InputError(f"{what} is not a domain name: '{shown(text)}'.")
    return text


def parse_host(value: Any, *, what: str) -> str:
    """A host as clients reach it: an IP address or a domain name.

    :raises InputError: if it is neither.
    """
    text = parse_scalar(value, what=what)
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        return str(parse_address(text, what=what))
    if not _DOMAIN.fullmatch(text):
        raise InputError(f"{what} is neither an IP address nor a domain name: '{shown(text)}'.")
    return text


def parse_path(value: Any, *, what: str) -> str:
    """An absolute path of letters, digits, ``.``, ``_`` and ``-``, without ``..``: it needs no quoting anywhere.

    :raises InputError: for any other.
    """
    text = parse_scalar(value, what=what)
    if not _PATH.fullmatch(text) or ".." in text.split("/"):
        raise InputError(f"{what} is not an absolute path of plain characters: '{shown(text)}'.")
    return text


def parse_version(value: Any) -> tuple[int, int]:
    """Major and minor version of OpenVPN, as in ``2.6`` or ``2.6.14``.

    :raises InputError: if it is not one.
    """
    found = _VERSION.match(parse_scalar(value, what="The version of OpenVPN"))
    if found is None:
        raise InputError(f"The version of OpenVPN is not like 2.6: '{shown(str(value))}'.")
    return int(found.group(1)), int(found.group(2))
