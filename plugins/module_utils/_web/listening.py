# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a web server waits, from the addresses and the port that an administrator gave."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

_HIGHEST_PORT = 65535
# Rendered into a configuration.
_EVERY_IPV4, _EVERY_IPV6 = "0.0.0.0", "::"  # noqa: S104


def listening_sockets(addresses: Sequence[Any], port: Any, *, ipv6: bool) -> tuple[str, ...]:
    """Every socket as nginx and ``ss`` write it: ``192.0.2.1:80``, ``[2001:db8::1]:80``.

    :param addresses: Those to wait on; none for all of the host.
    :param ipv6: Whether the host speaks IPv6 at all.
    :raises InputError: for what is no address, or no port.
    """
    number = _port(port)
    parsed = [_address(one) for one in addresses]
    if not parsed:
        parsed = [ipaddress.ip_address(_EVERY_IPV4)] + ([ipaddress.ip_address(_EVERY_IPV6)] if ipv6 else [])
    return tuple(dict.fromkeys(_written(one, number) for one in parsed))


def asking_url(sockets: Sequence[str], path: str) -> str:
    """The URL by which the host itself asks the first of those sockets."""
    first = sockets[0].replace(f"{_EVERY_IPV4}:", "127.0.0.1:").replace(f"[{_EVERY_IPV6}]:", "[::1]:")
    return f"http://{first}{path}"


def _written(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _address(text: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(str(text).strip("[]"))
    except ValueError as error:
        raise InputError(
            f"'{shown(str(text))}' is no address of a host.", remedy="Give IPv4 or IPv6 addresses, no names."
        ) from error


def _port(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number <= _HIGHEST_PORT:
        raise InputError(f"'{shown(str(value))}' is no port; there are 1 to {_HIGHEST_PORT}.")
    return number
