# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's profile: one inline ``.ovpn`` that knows every gateway and both protocols."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    PROTOCOLS,
    parse_host,
    parse_port,
    parse_protocol,
)

# OpenVPN 2.x reads at most this many "remote" lines.
MOST_REMOTES = 64
GATEWAY_NAME_PREFIX = "gateway-"
DEFAULT_POLL_TIMEOUT_SECONDS = 5
_PEM_BLOCKS = re.compile(r"(-----BEGIN (?P<label>[A-Za-z0-9 -]+)-----\n[A-Za-z0-9+/=\n]+-----END (?P=label)-----\n?)+")
_FIXED = (
    "client",
    "dev tun",
    "nobind",
    "persist-tun",
    "resolv-retry infinite",
    "remote-cert-tls server",
    f"verify-x509-name {GATEWAY_NAME_PREFIX} name-prefix",
    "tls-version-min 1.2",
    "tls-cert-profile preferred",
    # The gateway decides when keys are renegotiated.
    "reneg-sec 0",
    # Keep trying often: a gateway that comes back is found within seconds, not minutes.
    "connect-retry 1 5",
    "verb 3",
)


@dataclass(frozen=True)
class Remote:
    """One way to reach a gateway, in the order in which a client tries them."""

    host: str
    port: int
    protocol: str

    def line(self) -> str:
        """The ``remote`` directive."""
        family = "6" if _is_ipv6(self.host) else ""
        client = "-client" if self.protocol == "tcp" and family else ""
        return f"remote {self.host} {self.port} {self.protocol}{family}{client}"


def plan_remotes(gateways: Sequence[Mapping[str, Any]]) -> tuple[Remote, ...]:
    """UDP of all gateways first, then TCP: a network that blocks UDP still gets through, one that does not is fast.

    :param gateways: ``[{name, address, listeners: [{protocol, port}]}]``
    :raises InputError: naming the gateway, for bad values, no listener at all, or too many.
    """
    found: list[Remote] = []
    for gateway in gateways:
        what = f"Gateway '{shown(str(gateway.get('name', '?')))}':"
        host = parse_host(gateway.get("address", ""), what=f"{what} address")
        for listener in gateway.get("listeners") or ():
            protocol = parse_protocol(listener.get("protocol", ""), what=f"{what} protocol")
            found.append(Remote(host, parse_port(listener.get("port", ""), what=f"{what} port"), protocol))
    remotes = tuple(dict.fromkeys(sorted(found, key=lambda remote: PROTOCOLS.index(remote.protocol))))
    if not remotes:
        raise InputError("No gateway with a listener is known, so a profile would reach nothing.")
    if len(remotes) > MOST_REMOTES:
        raise InputError(
            f"A profile with {len(remotes)} remotes has more than the {MOST_REMOTES} that OpenVPN reads.",
            remedy="Give the filter the gateways that this user needs.",
        )
    return remotes


def render_profile(
    delivery: Mapping[str, Any],
    *,
    gateways: Sequence[Mapping[str, Any]],
    poll_timeout_seconds: int = DEFAULT_POLL_TIMEOUT_SECONDS,
) -> str:
    """The text of a profile. It holds the private key: treat it as one.

    :param delivery: ``{common_name, certificate, ca_chain, private_key, tls_crypt_v2}``, all PEM but the first;
        ``ca_chain`` may be a list of certificates.
    :param poll_timeout_seconds: How long one gateway may keep a client waiting before the next is tried.
    :raises InputError: for a missing part or a bad value; the message never shows key material.
    """
    name = require_single_line(str(delivery.get("common_name") or "?"), what="The common name")
    if not 1 <= int(poll_timeout_seconds) <= 120:
        raise InputError("The poll timeout is not between 1 and 120 seconds.")
    lines = [f"# {name}: this file is the key to the network, for one device only."]
    lines += [remote.line() for remote in plan_remotes(gateways)]
    lines += [f"server-poll-timeout {int(poll_timeout_seconds)}", *_FIXED]
    parts = (("ca", "ca_chain"), ("cert", "certificate"), ("key", "private_key"), ("tls-crypt-v2", "tls_crypt_v2"))
    for tag, key in parts:
        lines += [f"<{tag}>", _pem(delivery.get(key), what=f"'{key}' of {name}"), f"</{tag}>"]
    return "\n".join(lines) + "\n"


def _pem(value: str | Sequence[str] | None, *, what: str) -> str:
    text = value if isinstance(value, str) else "\n".join(one.strip() for one in value or ())
    text = text.replace("\r\n", "\n").strip()
    if not _PEM_BLOCKS.fullmatch(text):
        raise InputError(f"{what} is missing or is not PEM.", remedy="A profile needs every part of the delivery.")
    return text


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
