# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values of the resolver's variables, checked one by one before anything is rendered from them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

DNS_PORT = 53
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\*?")
# The kernel's limit for the name of a device.
LONGEST_INTERFACE = 15
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_REVERSE_STEP = {4: 8, 6: 4}
# dnsmasq would need as many lines for one network.
MOST_REVERSE_ZONES = 128


def parse_word(value: Any, *, what: str) -> str:
    """One line of visible characters.

    :raises InputError: for anything else.
    """
    if not isinstance(value, str):
        raise InputError(f"{what} is not a word.")
    return require_single_line(value, what=what)


def parse_flag(value: Any, *, what: str) -> bool:
    """``true`` or ``false``.

    :raises InputError: for anything else.
    """
    if not isinstance(value, bool):
        raise InputError(f"{what} is neither true nor false.")
    return value


def parse_number(value: Any, *, what: str, least: int, most: int) -> int:
    """A whole number within limits, as a number or as digits.

    :raises InputError: naming the limits.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else parse_word(value, what=what)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise InputError(f"{what} is not a whole number from {least} to {most}: '{shown(text)}'.")
    return int(text)


def parse_address(value: Any, *, what: str) -> Address:
    """An IP address of one host.

    :raises InputError: if it is not one.
    """
    text = parse_word(value, what=what)
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise InputError(f"{what} is not an IP address: '{shown(text)}'.") from error
    if "%" in text or address.is_multicast or address.is_unspecified:
        raise InputError(f"{what} is not the address of a host: '{shown(text)}'.")
    return address


def parse_server(value: Any, *, what: str) -> tuple[Address, int]:
    """A name server: an address, or ``ADDRESS#PORT``.

    :raises InputError: for anything else, and for the resolver that would ask itself.
    """
    text, mark, port = parse_word(value, what=what).partition("#")
    address = parse_address(text, what=what)
    number = parse_number(port, what=f"{what}: the port", least=1, most=65535) if mark else DNS_PORT
    if address.is_loopback and number == DNS_PORT:
        raise InputError(
            f"{what} is this host's own resolver, which would ask itself: '{shown(text)}'.",
            remedy="Name a server elsewhere, or another port as ADDRESS#PORT.",
        )
    return address, number


def parse_interface(value: Any, *, what: str) -> str:
    """The name of a device, or the beginning of names and ``*``.

    :raises InputError: for anything else, and for ``*`` alone.
    """
    text = parse_word(value, what=what)
    if text == "*":
        raise InputError(f"{what} is '*': the resolver would answer the whole world.", remedy="Name tunnels: tun-*.")
    if not _INTERFACE.fullmatch(text) or len(text.rstrip("*")) > LONGEST_INTERFACE:
        raise InputError(f"{what} is not the name of a network device: '{shown(text)}'.")
    return text


def parse_path(value: Any, *, what: str) -> str:
    """An absolute path of plain characters.

    :raises InputError: for anything else.
    """
    text = parse_word(value, what=what)
    if not _PATH.fullmatch(text) or ".." in text.split("/"):
        raise InputError(f"{what} is not an absolute path of letters, digits, '.', '_' and '-': '{shown(text)}'.")
    return text


def parse_items(value: Any, *, what: str) -> tuple[Any, ...]:
    """A list.

    :raises InputError: for anything else, a word included.
    """
    if value is None:
        return ()
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise InputError(f"{what} is not a list.")
    return tuple(value)


def parse_entry(value: Any, *, what: str, keys: Iterable[str]) -> Mapping[str, Any]:
    """A mapping with these keys and no others.

    :raises InputError: naming what is missing or unknown.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{what} is not a mapping of {', '.join(keys)}.")
    for key in keys:
        if key not in value:
            raise InputError(f"{what} has no '{key}'.")
    unknown = sorted(str(key) for key in value if key not in keys)
    if unknown:
        raise InputError(f"{what} has the unknown key '{shown(unknown[0])}'.", remedy=f"Known: {', '.join(keys)}.")
    return value


def reverse_zones(value: str, *, what: str) -> tuple[str, ...]:
    """The zones in which the addresses of a network have their names (RFC 1035, RFC 3596).

    :raises InputError: if it is no network, or so odd that it takes more than 128 zones.
    """
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise InputError(f"{what} is not a network such as 10.20.0.0/16: '{shown(value)}' ({error}).") from error
    step = _REVERSE_STEP[network.version]
    length = -(-network.prefixlen // step) * step
    if network.prefixlen == 0 or 2 ** (length - network.prefixlen) > MOST_REVERSE_ZONES:
        raise InputError(f"{what} takes too many reverse zones: '{shown(value)}'.", remedy="Give narrower networks.")
    labels = length // step
    return tuple(
        ".".join(one.network_address.reverse_pointer.split(".")[-labels - 2 :])
        for one in network.subnets(new_prefix=length)
    )
