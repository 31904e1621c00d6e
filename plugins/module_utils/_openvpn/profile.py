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
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile_variants import (
    BASE,
    COMFORT,
    GENERIC,
    SECOND_FACTOR,
    app_directives,
    find_variant,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    PROTOCOLS,
    parse_host,
    parse_port,
    parse_protocol,
)

# OpenVPN 2.x reads at most this many "remote" lines.
MOST_REMOTES = 64
# It reads at most this many bytes of a line.
LONGEST_LINE = 255
DEFAULT_POLL_TIMEOUT_SECONDS = 5
_PEM_BLOCKS = re.compile(r"(-----BEGIN (?P<label>[A-Za-z0-9 -]+)-----\n[A-Za-z0-9+/=\n]+-----END (?P=label)-----\n?)+")


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


def plan_second_factor(gateways: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the gateways ask for a second factor; one profile cannot serve both kinds.

    :param gateways: With the key ``second_factor``; without it, none.
    :raises InputError: naming those that differ.
    """
    asking = [str(gateway.get("name", "?")) for gateway in gateways if gateway.get("second_factor")]
    others = [str(gateway.get("name", "?")) for gateway in gateways if not gateway.get("second_factor")]
    if asking and others:
        raise InputError(
            f"Some gateways ask for a second factor ({_names(asking)}) and some do not ({_names(others)}),"
            " but a profile is for all of them.",
            remedy="Set openvpn_second_factor alike for all gateways.",
        )
    return bool(asking)


def render_profile(
    delivery: Mapping[str, Any],
    *,
    gateways: Sequence[Mapping[str, Any]],
    variant: str = GENERIC,
    poll_timeout_seconds: int = DEFAULT_POLL_TIMEOUT_SECONDS,
    second_factor: bool | None = None,
    compact: bool = False,
) -> str:
    """The text of a profile. It holds the private key: treat it as one.

    :param delivery: ``{common_name, certificate, ca_chain, private_key, tls_crypt_v2}``, all PEM but the first;
        ``ca_chain`` may be a list of certificates, ``name`` may name the user.
    :param poll_timeout_seconds: How long one gateway may keep a client waiting before the next is tried.
    :param second_factor: Whether a client asks its user for a code; ``None`` does as the gateways say.
    :param compact: Leave out comments, and what clients do by themselves.
    :raises InputError: for a missing part or a bad value; the message never shows key material.
    """
    name = require_single_line(str(delivery.get("common_name") or "?"), what="The common name")
    if not 1 <= int(poll_timeout_seconds) <= 120:
        raise InputError("The poll timeout is not between 1 and 120 seconds.")
    wanted = find_variant(variant)
    asks = plan_second_factor(gateways) if second_factor is None else second_factor
    lines = [remote.line() for remote in plan_remotes(gateways)]
    lines.append(f"server-poll-timeout {max(int(poll_timeout_seconds), wanted.least_poll_timeout)}")
    without = wanted.without | COMFORT if compact else wanted.without
    lines += [one.text for one in BASE if one.text.split()[0] not in without]
    user = require_single_line(str(delivery.get("name") or name.partition("@")[0]), what="The user's name")
    own = app_directives(name, user, second_factor=asks) if wanted.app else ()
    for directive in (*wanted.directives, *own, *(SECOND_FACTOR if asks else ())):
        lines += [directive.text] if compact or not directive.why else [f"# {directive.why}", directive.text]
    if not compact:
        lines.insert(0, f"# {name}: this file is the key to the network, for one device only.")
    _refuse_long_lines(lines)
    return "\n".join([*lines, *_inline_parts(delivery, name)]) + "\n"


def _inline_parts(delivery: Mapping[str, Any], name: str) -> list[str]:
    parts = (("ca", "ca_chain"), ("cert", "certificate"), ("key", "private_key"), ("tls-crypt-v2", "tls_crypt_v2"))
    return [
        line
        for tag, key in parts
        for line in (f"<{tag}>", _pem(delivery.get(key), what=f"'{key}' of {name}"), f"</{tag}>")
    ]


def _refuse_long_lines(lines: Sequence[str]) -> None:
    for line in lines:
        if len(line.encode()) > LONGEST_LINE:
            raise InputError(
                f"OpenVPN reads no line with more than {LONGEST_LINE} bytes: '{shown(line)}'.",
                remedy="Give the gateway or the user a shorter name.",
            )


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names))


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
