# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of OpenVPN says of its connection in its log: what was pushed, agreed, or went wrong (2.4 to 2.7)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

# Options that a server may push and that say nothing secret; others, such as auth-token, are never kept.
_SHOWN = (
    "block-ipv6", "block-outside-dns", "cipher", "comp-lzo", "compress", "dhcp-option", "dns",
    "explicit-exit-notify", "inactive", "key-derivation", "mssfix", "ping", "ping-restart", "protocol-flags",
    "redirect-gateway", "register-dns", "route", "route-ipv6", "sndbuf", "rcvbuf", "topology", "tun-mtu",
)  # fmt: skip
_MOST_PUSHED, _LONGEST = 60, 120
_REPLY = re.compile(r"PUSH: Received control message: 'PUSH_REPLY,([^'\n]{0,20000})")
_CIPHER = re.compile(r"(?:Outgoing )?Data Channel: [Cc]ipher '([A-Za-z0-9-]{1,40})'")
_COMPRESSION = re.compile(r"Data Channel: [^\n]{0,80}?compression: '([a-z0-9-]{1,20})'")
# What came from the gateway before anything was agreed: its port is reached.
_ANSWERED = "TLS: Initial packet from"
_CONNECTED = "Initialization Sequence Completed"
# The first that is found tells most.
_ERRORS = (
    (re.compile(r"AUTH_FAILED"), "The gateway refused the profile: its certificate is revoked, denied or unknown."),
    (re.compile(r"VERIFY ERROR[^\n]{0,200}"), "The gateway's certificate was not accepted."),
    (re.compile(r"Options error: ([^\n\[]{1,120})"), "OpenVPN does not accept the profile: "),
    (re.compile(r"Connection refused"), "The gateway refuses connections to this port."),
    (re.compile(r"No route to host|Network (?:is )?unreachable"), "No route leads to the gateway."),
    (re.compile(r"Cannot (?:ioctl|open) TUN/TAP|cannot open tun", re.IGNORECASE), "This host gives no tunnel device."),
    (re.compile(r"tls-crypt[^\n]{0,40}error|TLS Error: [^\n]{0,60}"), "The handshake failed."),
)


@dataclass(frozen=True)
class ClientState:
    """What the log says so far.

    :param address: Of the client in the tunnel, :param gateway: of the process that took it.
    :param resolvers: Name servers that were pushed. :param answered: Whether anything came back from the gateway.
    :param error: Why there is no connection, in a sentence, if the log says so.
    """

    connected: bool
    address: str = ""
    device_mtu: int | None = None
    cipher: str = ""
    compression: str = ""
    resolvers: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    error: str = ""
    gateway: str = ""
    answered: bool = False


def parse_client_log(text: str) -> ClientState:
    """Read a log from its beginning to now; anything else is passed over."""
    replies = _REPLY.findall(text)
    # A long one comes in several parts.
    pushed = list(dict.fromkeys(one.strip() for reply in replies for one in reply.split(",")))
    options = [one.split() for one in pushed if one]
    mtu = next((int(one[1]) for one in options if one[0] == "tun-mtu" and one[1:] and one[1].isdigit()), None)
    compression = _last(_COMPRESSION, text) or next((one[1] for one in options if one[0] == "compress" and one[1:]), "")
    return ClientState(
        connected=_CONNECTED in text,
        address=next((_address(one[1]) for one in options if one[0] == "ifconfig" and one[1:]), ""),
        device_mtu=mtu,
        cipher=_last(_CIPHER, text),
        # Stubs compress nothing.
        compression="" if compression.startswith(("stub", "migrate")) else compression,
        resolvers=_resolvers(options),
        pushed=tuple(" ".join(one)[:_LONGEST] for one in options if one[0] in _SHOWN)[:_MOST_PUSHED],
        error=_error(text),
        gateway=next((_address(one[1]) for one in options if one[0] == "route-gateway" and one[1:]), ""),
        answered=_ANSWERED in text or _CONNECTED in text,
    )


def _resolvers(options: list[list[str]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for one in options:
        if one[0] == "dhcp-option" and len(one) > 2 and one[1] in ("DNS", "DNS6"):
            found.setdefault(_address(one[2]))
        elif one[:2] == ["dns", "server"] and len(one) > 4 and one[3] == "address":
            for address in one[4:]:
                found.setdefault(_address(address))
    found.pop("", None)
    return tuple(found)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return ""


def _last(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.findall(text)
    return str(found[-1]) if found else ""


def _error(text: str) -> str:
    for pattern, sentence in _ERRORS:
        match = pattern.search(text)
        if match:
            return f"{sentence}{match.group(1).strip()}." if match.groups() else sentence
    return ""
