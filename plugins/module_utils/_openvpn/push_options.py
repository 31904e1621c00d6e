# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which options an administrator may have pushed to clients, and with which arguments.

A client does what it is told. What is let through cannot run a program there, set its environment, or weaken its
cryptography; whatever is not on the list is refused, so that nothing new gets in by being new.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import parse_domain, parse_scalar

# A line of a client's file has at most 255 characters: one that is longer ends the whole server at the next connection.
LONGEST_LINE = 255
LONGEST_OPTION = LONGEST_LINE - len('push ""')
# A comma begins the next option in the server's reply; the others have a meaning where the line is read.
_MEANINGFUL = re.compile(r"""["'\\,#;]""")
_NUMBER = re.compile(r"[0-9]{1,9}")
_GATEWAYS = ("vpn_gateway", "net_gateway", "default")
_REDIRECT_FLAGS = frozenset(("def1", "local", "autolocal", "bypass-dhcp", "bypass-dns", "block-local", "ipv6", "!ipv4"))
_DNS_WORDS = {"dnssec": ("yes", "no", "optional"), "transport": ("plain", "DoH", "DoT")}

# Judges the arguments of an option.
Judge = Callable[[Sequence[str]], bool]


def parse_push_option(value: Any, *, what: str) -> str:
    """An option that clients are told, with single spaces between its words.

    :raises InputError: for one that could do harm, has other arguments than it takes, is too long, or holds a
        character that would begin another option.
    """
    text = parse_scalar(value, what=what)
    found = _MEANINGFUL.search(text)
    if found:
        raise InputError(
            f"{what} holds the character {found.group()!a}, which could begin another option: '{shown(text)}'."
        )
    name, *arguments = text.split() or [""]
    if name not in _ALLOWED:
        raise InputError(
            f"{what} is refused: '{shown(name)}' is not among the options that do no harm to a client.",
            remedy=f"Those are {', '.join(sorted(_ALLOWED))}.",
        )
    if not _ALLOWED[name](arguments):
        raise InputError(f"{what}: '{name}' does not take these arguments: '{shown(' '.join(arguments))}'.")
    return require_short(" ".join((name, *arguments)), what=what)


def require_short(option: str, *, what: str) -> str:
    """The option, if OpenVPN can read it as one line.

    :raises InputError: if it is too long.
    """
    if len(option) > LONGEST_OPTION:
        raise InputError(f"{what} has {len(option)} characters; OpenVPN reads {LONGEST_OPTION}: '{shown(option)}'.")
    return option


def _is_number(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None


def _is_domain(word: str) -> bool:
    try:
        parse_domain(word, what="A domain")
    except InputError:
        return False
    return True


def _is_address(word: str, versions: Sequence[int] = (4, 6)) -> bool:
    try:
        return ipaddress.ip_address(word).version in versions and "%" not in word
    except ValueError:
        return False


def _is_network(word: str, version: int) -> bool:
    try:
        return ipaddress.ip_network(word).version == version
    except ValueError:
        return False


def _numbers(least: int, most: int) -> Judge:
    return lambda words: least <= len(words) <= most and all(map(_is_number, words))


def _one_of(*choices: str) -> Judge:
    return lambda words: len(words) == 1 and words[0] in choices


def _route(words: Sequence[str]) -> bool:
    """``NETWORK [NETMASK [GATEWAY [METRIC]]]``."""
    network, netmask, gateway, metric = (*words, *("default",) * 4)[:4]
    mask = "255.255.255.255" if netmask == "default" else netmask
    return (
        1 <= len(words) <= 4
        and _is_address(network, (4,))
        and _is_network(f"{network}/{mask}", 4)
        and (gateway in _GATEWAYS or _is_address(gateway, (4,)))
        and (metric == "default" or _is_number(metric))
    )


def _route_ipv6(words: Sequence[str]) -> bool:
    """``NETWORK/BITS [GATEWAY [METRIC]]``."""
    network, gateway, metric = (*words, *("default",) * 3)[:3]
    return (
        1 <= len(words) <= 3
        and _is_network(network, 6)
        and (gateway == "default" or _is_address(gateway, (6,)))
        and (metric == "default" or _is_number(metric))
    )


def _dhcp_option(words: Sequence[str]) -> bool:
    """Resolvers, time servers and domains; not a proxy, which would read everything."""
    kind, values = words[0] if words else "", words[1:]
    if kind == "DISABLE-NBT":
        return not values
    if kind in ("DOMAIN", "DOMAIN-SEARCH", "ADAPTER_DOMAIN_SUFFIX"):
        return len(values) == 1 and _is_domain(values[0])
    if kind in ("DNS", "DNS6", "NTP", "WINS", "NBDD"):
        return len(values) == 1 and _is_address(values[0])
    return False


def _dns(words: Sequence[str]) -> bool:
    """``search-domains DOMAIN...`` or ``server NUMBER KEY VALUE...``."""
    if words[:1] == ["search-domains"]:
        return len(words) > 1 and all(map(_is_domain, words[1:]))
    if len(words) < 4 or words[0] != "server" or not _is_number(words[1]):
        return False
    key, values = words[2], words[3:]
    if key == "address":
        return all(map(_is_address, values))
    if key in ("resolve-domains", "sni"):
        return all(map(_is_domain, values))
    return len(values) == 1 and values[0] in _DNS_WORDS.get(key, ())


_ALLOWED: dict[str, Judge] = {
    "block-ipv6": _numbers(0, 0),
    "block-outside-dns": _numbers(0, 0),
    "dhcp-option": _dhcp_option,
    "dns": _dns,
    "explicit-exit-notify": _numbers(0, 1),
    "inactive": _numbers(1, 2),
    "ping": _numbers(1, 1),
    "ping-exit": _numbers(1, 1),
    "ping-restart": _numbers(1, 1),
    "rcvbuf": _numbers(1, 1),
    "redirect-gateway": _REDIRECT_FLAGS.issuperset,
    "redirect-private": _REDIRECT_FLAGS.issuperset,
    "register-dns": _numbers(0, 0),
    "route": _route,
    "route-delay": _numbers(0, 2),
    "route-ipv6": _route_ipv6,
    "route-metric": _numbers(1, 1),
    "session-timeout": _numbers(1, 1),
    "sndbuf": _numbers(1, 1),
    "socket-flags": _one_of("TCP_NODELAY"),
}
