# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web server of a gateway is told, as values that have been checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

FOLDER = "/etc/privatespace/web"
STATE_FOLDER = "/var/lib/privatespace/web"
CERTIFICATE_FOLDER = "/etc/privatespace/tls/live"
USER = "privatespace-web"
PROFILES = ("intermediate", "modern")
LOOPBACK = "127.0.0.1"
# What Debian 12 has; newer ones are told by `nginx -V`.
OLDEST = "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.0"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})+")
_NGINX = re.compile(r"nginx/(\d+)\.(\d+)\.(\d+)")
_OPENSSL = re.compile(r"(?:built|running) with OpenSSL (\d+)\.(\d+)")
_KEYS = frozenset(
    (
        "server_names", "http_port", "https_port", "shared_port", "tls_profile", "hsts_seconds", "ipv6", "version",
        "listeners", "listeners_ipv6", "port_share",
    )
)  # fmt: skip
_MOST_SECONDS = 10 * 366 * 86400


@dataclass(frozen=True)
class WebSettings:
    """The web server of one gateway.

    :param server_names: The names under which it shows its pages; nobody else's are answered over TLS.
    :param https_port: What visitors reach, be it OpenVPN that answers there first.
    :param https_sockets: Where nginx itself waits for TLS, as it is written there.
    :param ipv6: Whether the system speaks IPv6.
    :param has_http2_directive: Whether nginx takes HTTP/2 as a directive (1.25.1), and warns of the word in ``listen``.
    :param has_hybrid_group: Whether OpenSSL has the key exchange that a quantum computer does not break (3.5).
    """

    server_names: tuple[str, ...]
    http_port: int = 80
    https_port: int = 443
    https_sockets: tuple[str, ...] = ("443", "[::]:443")
    tls_profile: str = "intermediate"
    hsts_seconds: int = 63072000
    ipv6: bool = True
    has_http2_directive: bool = False
    has_hybrid_group: bool = False

    @property
    def http_sockets(self) -> tuple[str, ...]:
        """Where nginx waits for HTTP."""
        return (str(self.http_port), *([f"[::]:{self.http_port}"] if self.ipv6 else []))


def parse_web(raw: Mapping[str, Any]) -> WebSettings:
    """Check what a role was given.

    :param raw: The keys of :class:`WebSettings`; in place of ``https_sockets`` it has ``listeners`` (of OpenVPN, as an
        administrator wrote them), ``listeners_ipv6`` (whether those without an address answer IPv6, too),
        ``port_share`` (what they have for it where they do not say) and ``shared_port``, and in place of what nginx can
        do ``version``, what ``nginx -V`` said.
    :raises InputError: naming the key and what is wrong with its value.
    """
    unknown = sorted(set(map(str, raw)) - _KEYS)
    if unknown:
        raise InputError(f"Unknown setting of the web server: {', '.join(map(shown, unknown))}.")
    http_port, https_port, shared_port = (
        _number(raw.get(key, default), what=f"web_{key}", least=1, most=65535)
        for key, default in (("http_port", 80), ("https_port", 443), ("shared_port", 8443))
    )
    if len({http_port, https_port, shared_port}) < 3:
        raise InputError("web_http_port, web_https_port and web_shared_port must be three different ports.")
    profile = raw.get("tls_profile", "intermediate")
    if profile not in PROFILES:
        raise InputError(f"web_tls_profile is none of {', '.join(PROFILES)}: '{shown(str(profile))}'.")
    ipv6 = bool(raw.get("ipv6", True))
    listeners = _tcp_listeners(raw.get("listeners") or ())
    _refuse_taken(listeners, port=http_port, what="web_http_port")
    _refuse_taken(listeners, port=shared_port, what="web_shared_port")
    sharing = [one for one in listeners if _port(one) == https_port]
    taken = _families(sharing, both=bool(raw.get("listeners_ipv6", True)))
    for listener in sharing:
        _require_shared(listener, default=raw.get("port_share", ""), shared_port=shared_port)
    own = [*([] if 4 in taken else [str(https_port)]), *([] if 6 in taken or not ipv6 else [f"[::]:{https_port}"])]
    version = str(raw.get("version") or OLDEST)
    return WebSettings(
        server_names=_names(raw.get("server_names")),
        http_port=http_port,
        https_port=https_port,
        https_sockets=(*([f"{LOOPBACK}:{shared_port}"] if sharing else []), *own),
        tls_profile=profile,
        hsts_seconds=_number(raw.get("hsts_seconds", 63072000), what="web_hsts_seconds", least=0, most=_MOST_SECONDS),
        ipv6=ipv6,
        has_http2_directive=_version(_NGINX, version) >= (1, 25, 1),
        has_hybrid_group=_version(_OPENSSL, version) >= (3, 5),
    )


def _names(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, (list, tuple)) or not raw:
        raise InputError(
            "The web server has no name.",
            remedy="Set dns_zone and run the playbook site, or set acme_names or web_server_names for this gateway.",
        )
    names = []
    for one in raw:
        if not isinstance(one, str):
            raise InputError("web_server_names: an entry is not a name.")
        name = require_single_line(one, what="web_server_names: a name").lower().rstrip(".")
        if not _NAME.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
            raise InputError(
                f"web_server_names: '{shown(one)}' is not the full name of a host.",
                remedy="Give it like cambridge2.example.net; no certificate is had for an address or a wildcard here.",
            )
        names.append(name)
    return tuple(dict.fromkeys(names))


def _tcp_listeners(raw: Any) -> list[Mapping[str, Any]]:
    if not isinstance(raw, (list, tuple)) or not all(isinstance(one, Mapping) for one in raw):
        raise InputError("openvpn_listeners is not a list of dictionaries.")
    return [one for one in raw if one.get("protocol") == "tcp"]


def _port(listener: Mapping[str, Any]) -> int:
    return _number(listener.get("port"), what="A listener's port", least=1, most=65535)


def _refuse_taken(listeners: Sequence[Mapping[str, Any]], *, port: int, what: str) -> None:
    for listener in listeners:
        if _port(listener) == port:
            raise InputError(
                f"OpenVPN's listener '{shown(str(listener.get('name')))}' is on {port}/tcp, which is {what}.",
                remedy=f"Give one of them another port (openvpn_listeners, {what}).",
            )


def _require_shared(listener: Mapping[str, Any], *, default: Any, shared_port: int) -> None:
    share, expected = str(listener.get("port_share", default) or ""), f"{LOOPBACK}:{shared_port}"
    if share != expected:
        name = shown(str(listener.get("name")))
        raise InputError(
            f"OpenVPN's listener '{name}' has the port of the web server, and hands browsers to {share or 'nobody'}.",
            remedy=f"Have it hand them to {expected}: remove port_share from the listener and openvpn_port_share "
            "from your variables; or set another web_https_port.",
        )


def _families(sharing: Sequence[Mapping[str, Any]], *, both: bool) -> set[int]:
    """Where OpenVPN has the port; in a family of which no listener has it the web server is on the port itself.

    :param both: Whether a listener without an address answers IPv6, too.
    """
    found: set[int] = set()
    for listener in sharing:
        address = str(listener.get("address") or "")
        found |= {6} if ":" in address else {4} if address or not both else {4, 6}
    return found


def _number(value: Any, *, what: str, least: int, most: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise InputError(f"{what} is not a whole number from {least} to {most}: '{shown(text)}'.")
    return int(text)


def _version(pattern: re.Pattern[str], text: str) -> tuple[int, ...]:
    found = pattern.findall(text)
    return max((tuple(map(int, one)) for one in found), default=(0,))
