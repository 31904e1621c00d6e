# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of names as values: what is wanted, and what a provider found."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

# The TXT record that says whose a name is; nobody else's records are touched.
MARKER = "heritage=privatespace.gateway"
MARKER_TTL = 300
# What Route 53 takes in one record set.
MOST_ADDRESSES = 400
LONGEST_TTL = 604_800

# Types at a name that leave no room for addresses. SIMPLE and WEIGHTED are address records of Route 53 that cannot
# stand beside those that are wanted; ROUTED are those of its other policies.
CNAME, ALIAS, ROUTED, SIMPLE, WEIGHTED = "CNAME", "ALIAS", "ROUTED", "SIMPLE", "WEIGHTED"
DELEGATED = "NS"


class RecordKey(NamedTuple):
    """What a set of addresses is found by.

    :param set_identifier: Route 53 keeps several weighted sets at one name, told apart by this; else empty.
    """

    name: str
    set_identifier: str = ""


@dataclass(frozen=True)
class AddressSet:
    """A name and what it shall show.

    :param addresses: Canonical and sorted, IPv4 first; empty for a name that shall show none.
    """

    name: str
    addresses: tuple[str, ...]
    ttl: int


@dataclass(frozen=True)
class NameState:
    """What a provider found at a name, or what will be there.

    :param marked: Whether the name carries our TXT record.
    :param other_types: Types of other records that matter, sorted.
    :param neighbours: Identifiers of the other weighted sets of the name.
    :param seen: The provider's own notes of what it read: it writes only where that still holds.
    """

    name: str
    addresses: tuple[str, ...] = ()
    ttl_a: int | None = None
    ttl_aaaa: int | None = None
    marked: bool = False
    other_types: tuple[str, ...] = ()
    set_identifier: str = ""
    weight: int | None = None
    neighbours: tuple[str, ...] = ()
    seen: Any = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> RecordKey:
        """The name, and which of its sets."""
        return RecordKey(self.name, self.set_identifier)

    @property
    def ipv4(self) -> tuple[str, ...]:
        """The addresses of its A records."""
        return tuple(one for one in self.addresses if ":" not in one)

    @property
    def ipv6(self) -> tuple[str, ...]:
        """The addresses of its AAAA records."""
        return tuple(one for one in self.addresses if ":" in one)

    def facts(self) -> dict[str, Any] | None:
        """Plain types for a difference to be shown; ``None`` where there is nothing."""
        if not (self.addresses or self.marked or self.other_types):
            return None
        facts: dict[str, Any] = {"addresses": list(self.addresses)}
        if self.marked:
            facts["ours"] = True
        facts["ttl"] = {name: ttl for name, ttl in (("A", self.ttl_a), ("AAAA", self.ttl_aaaa)) if ttl is not None}
        if self.other_types:
            facts["other_types"] = list(self.other_types)
        if self.weight is not None:
            facts["weight"] = self.weight
        return facts


def canonical(addresses: Iterable[str]) -> tuple[str, ...]:
    """Addresses as they are compared: shortest form, sorted, IPv4 first, each once."""
    parsed = {ipaddress.ip_address(one) for one in addresses}
    return tuple(str(one) for one in sorted(parsed, key=lambda one: (one.version, int(one))))


def parse_addresses(values: Iterable[Any], *, what: str) -> tuple[str, ...]:
    """Addresses that somebody far away could reach; private ones are let through.

    :param what: Whose they are, for the error.
    :raises InputError: for what is no address, and for addresses that mean another host to everybody who reads them.
    """
    found = [_parse_address(value, what) for value in values]
    if len(found) > MOST_ADDRESSES:
        raise InputError(f"{what} has {len(found)} addresses; a name can show {MOST_ADDRESSES}.")
    return canonical(found)


def _parse_address(value: Any, what: str) -> str:
    text = shown(str(value))
    try:
        address = ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError as error:
        raise InputError(f"{what}: '{text}' is not an IPv4 or IPv6 address.") from error
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    for wrong, kind in (
        (address.is_unspecified, "is the unspecified address"),
        (address.is_loopback, "is an address of the loopback"),
        (address.is_multicast, "is a multicast address"),
        (address.is_link_local or "%" in str(address), "is a link-local address"),
        (mapped, "is an IPv4 address in the clothes of an IPv6 address"),
        (address.version == 4 and address.is_reserved, "is a reserved address"),
    ):
        if wrong:
            raise InputError(f"{what}: {text} {kind}, which nobody else could reach.")
    return str(address)


def parse_ttl(value: Any, *, what: str) -> int:
    """Seconds that resolvers may keep a record.

    :raises InputError: below a second or above a week.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LONGEST_TTL:
        raise InputError(f"{what}: the TTL is not from 1 to {LONGEST_TTL} seconds: '{shown(str(value))}'.")
    return value
