# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of network interfaces, from what ``ip -json`` prints."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import Answer, is_reachable

_FAMILIES = {"inet": 4, "inet6": 6}
# Temporary ones (RFC 8981) are there to be forgotten; deprecated ones are on their way out; the others do not work yet.
_UNFIT_FLAGS = ("temporary", "deprecated", "tentative", "dadfailed")


@dataclass(frozen=True, order=True)
class InterfaceAddress:
    """An address of an interface.

    :param fit: Whether others may be told of it.
    """

    interface: str
    family: int
    address: str
    fit: bool


def parse_interfaces(links: Sequence[Mapping[str, Any]]) -> frozenset[InterfaceAddress]:
    """Every address with global scope, from ``ip -json address show``."""
    return frozenset(
        InterfaceAddress(
            str(link.get("ifname", "")),
            _FAMILIES[one["family"]],
            str(one["local"]),
            not any(one.get(flag) for flag in _UNFIT_FLAGS),
        )
        for link in links
        for one in link.get("addr_info", ())
        if one.get("family") in _FAMILIES and one.get("scope") == "global" and one.get("local")
    )


def default_interface(routes: Sequence[Mapping[str, Any]]) -> str:
    """The interface of the preferred default route, from ``ip -json route show default``; empty where there is none."""
    usable = [route for route in routes if route.get("dev") and "linkdown" not in route.get("flags", ())]
    ordered = sorted(usable, key=lambda route: int(route.get("metric", 0)))
    return str(ordered[0]["dev"]) if ordered else ""


def interface_answer(
    addresses: frozenset[InterfaceAddress], interface: str, family: int, *, private_addresses: bool
) -> Answer:
    """What an interface has of a family; an interface that is missing, or without a name, has none."""
    found = sorted(
        {
            str(ipaddress.ip_address(one.address))
            for one in addresses
            if one.interface == interface
            and one.family == family
            and one.fit
            and is_reachable(ipaddress.ip_address(one.address), private_addresses=private_addresses)
        }
    )
    return Answer(tuple(found))
