# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an OpenVPN configuration says, by option, without anything that could be a secret."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

DEFAULT_PORT = 1194
# May be given several times; of every other option the last one counts.
_REPEATED = frozenset(
    {"push", "route", "route-ipv6", "local", "remote", "data-ciphers-fallback", "ignore-unknown-option"}
)
# What stands behind these may be a password, or a path that nobody outside has to know.
_WITHOUT_ARGUMENTS = frozenset(
    {
        "askpass", "auth-gen-token-secret", "auth-user-pass", "auth-user-pass-verify", "client-connect",
        "client-disconnect", "down", "echo", "http-proxy", "http-proxy-user-pass", "learn-address", "pkcs11-id",
        "plugin", "setenv", "setenv-safe", "socks-proxy", "tls-verify", "up",
    }
)  # fmt: skip
_BLOCK = re.compile(r"<(/?)([a-z0-9-]{1,40})>")
_LONGEST = 400


def parse_options(text: str) -> dict[str, str]:
    """Options with their arguments joined by a blank; those of an option that is there several times, one a line.

    Inline files are left out, and so are the arguments of what may hold a secret.
    """
    found: dict[str, str] = {}
    inside = ""
    for raw in text.splitlines():
        line = raw.strip()
        block = _BLOCK.fullmatch(line)
        if inside:
            inside = "" if block is not None and block.group(1) and block.group(2) == inside else inside
        elif block is not None:
            inside = "" if block.group(1) else block.group(2)
            found.setdefault(inside, "[inline]")
        elif line and line[0] not in "#;":
            _add(found, line)
    return {name: value for name, value in found.items() if name}


def _add(found: dict[str, str], line: str) -> None:
    name, _blank, rest = line[:_LONGEST].lstrip("-").replace("\t", " ").partition(" ")
    value = "" if name in _WITHOUT_ARGUMENTS else _without_comment(rest)
    found[name] = f"{found[name]}\n{value}" if name in _REPEATED and name in found else value


def _without_comment(arguments: str) -> str:
    """A comment begins with a word of its own, outside of quotes."""
    quoted = ""
    for number, char in enumerate(arguments):
        if quoted:
            quoted = "" if char == quoted else quoted
        elif char in "\"'":
            quoted = char
        elif char in "#;" and (number == 0 or arguments[number - 1] == " "):
            arguments = arguments[:number]
            break
    return " ".join(arguments.split())


def is_server(options: Mapping[str, str]) -> bool:
    """Whether it takes clients: one that only dials out is no listener."""
    return any(name in options for name in ("server", "server-bridge", "tls-server")) or options.get("mode") == "server"


def transport_of(options: Mapping[str, str]) -> str:
    """``udp`` or ``tcp``."""
    return "tcp" if options.get("proto", "udp").startswith("tcp") else "udp"


def port_of(options: Mapping[str, str]) -> int:
    """The port on which it waits."""
    for name in ("lport", "port"):
        if options.get(name, "").isdecimal():
            return int(options[name])
    return DEFAULT_PORT


def server_addresses(options: Mapping[str, str]) -> tuple[str, ...]:
    """Its own addresses in the tunnel: the first of each network that it serves."""
    words = options.get("server", "").split()
    networks = ["/".join(words[:2])] if len(words) >= 2 else []
    networks += options.get("server-ipv6", "").split()[:1]
    given = options.get("ifconfig", "").split()[:1]
    return tuple(dict.fromkeys(filter(None, (*map(_first_address, networks), *map(_first_address, given)))))


def _first_address(text: str) -> str:
    """The first of a network, an address itself, or nothing for what is neither."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    return str(network.network_address + (network.num_addresses > 1))
