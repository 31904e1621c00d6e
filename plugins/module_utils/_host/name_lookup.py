# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address behind a name, as this host resolves it."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError


def find_address(name: str) -> str:
    """An address of the gateway, IPv4 before IPv6.

    :raises StateError: there is none.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        remedy = "Set diagnosis_address of the gateway to the address that clients use."
        raise StateError(
            f"The probe finds no address for '{name}': {error.strerror or error}.", remedy=remedy
        ) from error
    return str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])


def with_addresses(hosts: Iterable[str]) -> list[str]:
    """The same with all addresses of a name in its place; what is an address, a network, or unknown stays as it is."""
    found: dict[str, None] = {}
    for host in hosts:
        try:
            known = [] if "/" in host else socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            known = []
        found.update(dict.fromkeys([str(one[4][0]) for one in known] or [host]))
    return list(found)
