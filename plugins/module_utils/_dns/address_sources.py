# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public addresses of a host: which sources are asked in which order, and what their answers are worth.

One family at a time: the first source that has addresses of a family decides that family. A source that fails says
nothing; a source that answers without an address says that there is none, as far as it can see.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

METADATA, INTERFACE, ECHO = "metadata", "interface", "echo"
SOURCES = (METADATA, INTERFACE, ECHO)
BY_HAND, FROM_RECORD = "dns_addresses", "record"
FAMILIES = (4, 6)
# Longer than any address with its line end.
LONGEST_ANSWER = 64
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass(frozen=True)
class Answer:
    """What one source said of one family.

    :param addresses: Canonical; empty where it has none.
    :param problem: Why it could not be asked, or why its answer is worth nothing; empty where it answered.
    """

    addresses: tuple[str, ...] = ()
    problem: str = ""


# A source, asked for one family.
Source = Callable[[int], Answer]


@dataclass(frozen=True)
class Found:
    """What all sources said.

    :param addresses: By family; a family is missing where nobody has an address of it.
    :param source: By family, who decided it.
    :param failed: Sources and families that could not be asked, or whose answer was worth nothing.
    :param problems: A line for each of these.
    """

    addresses: Mapping[int, tuple[str, ...]]
    source: Mapping[int, str]
    failed: frozenset[tuple[str, int]] = frozenset()
    problems: tuple[str, ...] = ()


def parse_address(text: str, *, private_addresses: bool) -> str:
    """One address that others can reach this host by, in canonical form.

    :raises InputError: it is no address, or one that leads to nobody else.
    """
    value = text.strip()
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise InputError(f"'{shown(value)}' is no IP address.") from error
    if not is_reachable(address, private_addresses=private_addresses):
        remedy = "" if private_addresses else "dns_announce_private_addresses lets private ones through."
        raise InputError(f"{address} is no address that clients can reach.", remedy=remedy)
    return str(address)


def is_reachable(address: Address, *, private_addresses: bool) -> bool:
    """Whether clients can reach it: from everywhere, or inside of a private network where those are let through."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return False
    return address.is_global or (private_addresses and not address.is_reserved)


def parse_answer(content: str, family: int, *, private_addresses: bool) -> Answer:
    """What a service answered that tells one address in plain text."""
    try:
        address = parse_address(content, private_addresses=private_addresses)
    except InputError as error:
        return Answer(problem=str(error))
    if ipaddress.ip_address(address).version != family:
        return Answer(problem=f"{address} is no IPv{family} address, and it was asked over IPv{family}.")
    return Answer((address,))


def find_addresses(order: Sequence[str], sources: Mapping[str, Source]) -> Found:
    """Ask in order, until each family is decided."""
    addresses, source, failed, problems = {}, {}, set(), []
    for family in FAMILIES:
        for name in order:
            answer = sources[name](family)
            if answer.problem:
                problems.append(f"{name}, IPv{family}: {answer.problem}")
                failed.add((name, family))
            if answer.addresses:
                addresses[family], source[family] = answer.addresses, name
                break
    return Found(addresses, source, frozenset(failed), tuple(problems))


def by_hand(addresses: Sequence[Any]) -> Found:
    """Addresses that an administrator gave: nobody is asked, and a family without one has none.

    :raises InputError: one of them is no address.
    """
    given: dict[int, list[str]] = {}
    for one in addresses:
        address = parse_address(str(one), private_addresses=True)
        given.setdefault(ipaddress.ip_address(address).version, []).append(address)
    return Found({family: tuple(sorted(set(some))) for family, some in given.items()}, dict.fromkeys(given, BY_HAND))


def require_sources(order: Sequence[Any], echo_urls: Sequence[Any]) -> tuple[str, ...]:
    """The order of the sources, checked; an echo service that nobody named is left out.

    :raises InputError: a source is unknown.
    """
    unknown = [one for one in order if one not in SOURCES]
    if unknown:
        raise InputError(f"dns_announce_sources: '{shown(str(unknown[0]))}' is none of {', '.join(SOURCES)}.")
    return tuple(dict.fromkeys(str(one) for one in order if one != ECHO or echo_urls))
