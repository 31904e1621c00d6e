# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a zone and how it is reached: the options of a module or of a program, checked."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name, parse_zone

RFC2136, ROUTE53 = "rfc2136", "route53"
PROVIDERS = (RFC2136, ROUTE53)
ALGORITHMS = ("hmac-sha256", "hmac-sha512")
HIGHEST_PORT = 65_535
SHORTEST_KEY_BYTES = 16
LONGEST_TIMEOUT_SECONDS = 300
_KEY_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
_ZONE_ID = re.compile(r"(/hostedzone/)?([A-Z0-9]{1,32})")
_URL = re.compile(r"https?://([^/\s:@?#]+|\[[0-9a-f:.]+\])(:\d{1,5})?(/[^\s?#]*)?", re.IGNORECASE)
_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


@dataclass(frozen=True)
class Server:
    """A name server.

    :param host: Its address or its name.
    :param addresses: Where it is, if that is known.
    """

    host: str
    port: int = 53
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.host if self.port == 53 else f"{self.host}#{self.port}"


@dataclass(frozen=True)
class ProviderSettings:
    """How a zone is reached. No secret is in its representation.

    :param zone: The zone's name; empty where Route 53 is told the identifier alone.
    :param servers: The primary server of the zone, in as many ways as it can be reached (RFC 2136).
    :param port: The port of servers that are found.
    :param verify_servers: Who is asked whether the records are right; ``None`` for whoever the zone itself names.
    """

    provider: str
    zone: str
    servers: tuple[Server, ...] = ()
    port: int = 53
    key_name: str = ""
    key_secret: str = field(default="", repr=False)
    key_algorithm: str = ALGORITHMS[0]
    zone_id: str = ""
    profile: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    endpoint_url: str = ""
    timeout_seconds: float = 10.0
    verify_servers: tuple[Server, ...] | None = None

    @property
    def is_published(self) -> bool:
        """Whether name servers serve what is written; an imitation of Route 53 has none."""
        if not self.endpoint_url:
            return True
        matched = _URL.fullmatch(self.endpoint_url)
        return matched is not None and matched.group(1).lower().endswith(_AMAZON)


def parse_provider(raw: Mapping[str, Any]) -> ProviderSettings:
    """Check the options; those that the other provider needs are not looked at.

    :raises InputError: naming the option.
    """
    provider = raw.get("provider")
    if provider not in PROVIDERS:
        raise InputError(f"The provider '{shown(str(provider))}' is none of {', '.join(PROVIDERS)}.")
    port = _parse_port(raw.get("port", 53), "The option 'port'")
    timeout = raw.get("timeout_seconds", 10)
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST_TIMEOUT_SECONDS:
        raise InputError(f"The option 'timeout_seconds' is not from 1 to {LONGEST_TIMEOUT_SECONDS}.")
    verify = raw.get("verify_servers")
    shared = {
        "provider": provider,
        "zone": parse_zone(raw["zone"]) if raw.get("zone") else "",
        "port": port,
        "timeout_seconds": float(timeout),
        "verify_servers": None if verify is None else tuple(_parse_server(one, port) for one in verify),
    }
    return ProviderSettings(**shared, **(_rfc2136 if provider == RFC2136 else _route53)(raw, port, shared["zone"]))


def _rfc2136(raw: Mapping[str, Any], port: int, zone: str) -> dict[str, Any]:
    if not zone:
        raise InputError("The option 'zone' is missing.")
    servers = tuple(_parse_server(one, port) for one in raw.get("servers") or ())
    if not servers:
        raise InputError("There is no name server to send updates to.", remedy="Give the zone's primary in 'servers'.")
    name, algorithm = parse_key_name(raw.get("key_name") or ""), raw.get("key_algorithm") or ALGORITHMS[0]
    if algorithm not in ALGORITHMS:
        raise InputError(f"The algorithm '{shown(str(algorithm))}' is none of {', '.join(ALGORITHMS)}.")
    return {
        "servers": servers,
        "key_name": name,
        "key_secret": _parse_secret(raw.get("key_secret") or ""),
        "key_algorithm": algorithm,
    }


def parse_key_name(name: str) -> str:
    """The name of a TSIG key, which may hold underscores; in lower case, without a dot at its end.

    :raises InputError: it is missing or wrong.
    """
    if not _KEY_NAME.fullmatch(name):
        raise InputError(f"The name of the TSIG key is missing or wrong: '{shown(name)}'.", remedy="Give 'key_name'.")
    return name.lower().rstrip(".")


def _parse_secret(secret: str) -> str:
    try:
        length = len(base64.b64decode(secret.encode("ascii"), validate=True))
    except (ValueError, binascii.Error):
        length = 0
    if length < SHORTEST_KEY_BYTES:
        raise InputError(
            f"The secret of the TSIG key is not base64 of at least {SHORTEST_KEY_BYTES} bytes.",
            remedy="Give 'key_secret' as tsig-keygen prints it.",
        )
    return secret


def _route53(raw: Mapping[str, Any], _port: int, zone: str) -> dict[str, Any]:
    zone_id = raw.get("zone_id") or ""
    matched = _ZONE_ID.fullmatch(zone_id)
    if zone_id and not matched:
        raise InputError(f"The identifier of the hosted zone is wrong: '{shown(zone_id)}'.")
    if not zone and not matched:
        raise InputError("The zone is missing.", remedy="Give 'zone', its name, or 'zone_id', its identifier.")
    url = raw.get("endpoint_url") or ""
    if url and not _URL.fullmatch(url):
        raise InputError("The option 'endpoint_url' is not a URL like http://127.0.0.1:5000, without account or query.")
    words = {
        name: require_single_line(raw.get(name) or "", what=f"The option '{name}'")
        for name in ("profile", "access_key", "secret_key")
    }
    if bool(words["access_key"]) is not bool(words["secret_key"]):
        raise InputError("Of 'access_key' and 'secret_key' only one is given.")
    if words["access_key"] and words["profile"]:
        raise InputError("Both a profile and an access key are given.", remedy="Leave one of them out.")
    return {"zone_id": matched.group(2) if matched else "", "endpoint_url": url, **words}


def _parse_server(value: Any, port: int) -> Server:
    what = "A name server"
    if not isinstance(value, str):
        raise InputError(f"{what} is not a word.")
    host, mark, number = require_single_line(value, what=what).partition("#")
    if mark:
        port = _parse_port(
            int(number) if number.isascii() and number.isdigit() else None, f"The port of '{shown(value)}'"
        )
    try:
        return Server(str(ipaddress.ip_address(host)), port)
    except ValueError:
        return Server(parse_name(host, what=what), port)


def _parse_port(value: Any, what: str) -> int:
    if not isinstance(value, int) or not 1 <= value <= HIGHEST_PORT:
        raise InputError(f"{what} is not a number from 1 to {HIGHEST_PORT}.")
    return value
