# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a gateway's OpenVPN servers as values that have been checked.

Everything that a configuration file is rendered from passes through here first, so that a renderer
never meets a newline, an overlapping network or a misspelt key.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

PROTOCOLS = ("udp", "tcp")
DEFAULT_MAX_CLIENTS = 1024
DEVICE_PREFIX = "tun-"
_LISTENER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,9}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*")
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_VERSION = re.compile(r"(\d+)\.(\d+)")
_LISTENER_KEYS = frozenset(("name", "protocol", "port", "network", "network6", "address", "max_clients"))
# OpenVPN's address pool holds at most 65536 addresses, and its server directive wants four at least.
_PREFIX_RANGE = (16, 29)
_PREFIX6_RANGE = (64, 112)
# The network's own address, the broadcast address and the server's address are not for clients.
_RESERVED_ADDRESSES = 3


@dataclass(frozen=True)
class Listener:
    """One OpenVPN server process: a protocol, a port, and the network it gives addresses from.

    :param name: At most ten characters; names the unit, the files and the tunnel device.
    :param address: The local address to bind, or ``None`` for every IPv4 address.
    """

    name: str
    protocol: str
    port: int
    network: ipaddress.IPv4Network
    network6: ipaddress.IPv6Network | None = None
    address: Address | None = None
    max_clients: int = DEFAULT_MAX_CLIENTS

    @property
    def device(self) -> str:
        """The name of the tunnel interface, at most 14 of the kernel's 15 characters."""
        return DEVICE_PREFIX + self.name

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types, for templates and facts; networks in CIDR notation."""
        return {
            "name": self.name,
            "protocol": self.protocol,
            "port": self.port,
            "network": str(self.network),
            "network6": None if self.network6 is None else str(self.network6),
            "address": None if self.address is None else str(self.address),
            "max_clients": self.max_clients,
            "device": self.device,
        }


@dataclass(frozen=True)
class ServerSettings:
    """What all listeners of a gateway share.

    :param folder: Keys, certificates, CRL and client configurations, readable for an unprivileged daemon.
    :param runtime_folder: Where the management sockets are.
    :param version: Major and minor version of the OpenVPN that will read the configuration.
    :param loaded_files: SHA-256 of what the process reads once at its start, by file name. It is written into
        the configuration as comments: who replaces a key thereby changes the configuration, and a restart is due.
    """

    folder: str = "/etc/openvpn/server/privatespace"
    runtime_folder: str = "/run/openvpn-server"
    full_tunnel: bool = True
    push_routes: tuple[Network, ...] = ()
    dns_servers: tuple[Address, ...] = ()
    dns_domains: tuple[str, ...] = ()
    client_to_client: bool = False
    version: tuple[int, int] = (2, 6)
    loaded_files: Mapping[str, str] = field(default_factory=dict)


def parse_listeners(raw: Any) -> tuple[Listener, ...]:
    """Check a list of listeners as an administrator wrote it.

    :param raw: A list of dictionaries with the keys of :class:`Listener`; networks in CIDR notation.
    :raises InputError: naming the listener and the key: unknown keys, bad values, a name or a port used twice,
        networks that overlap.
    """
    if not isinstance(raw, (list, tuple)) or not raw:
        raise InputError(
            "The list of listeners is empty.", remedy="Give at least one listener, for example udp on 1194."
        )
    listeners = tuple(_parse_listener(entry, what=f"Listener {index + 1}") for index, entry in enumerate(raw))
    _refuse_repeated([listener.name for listener in listeners], what="The listener name")
    _refuse_repeated([_port_text(listener) for listener in listeners], what="The port")
    _refuse_overlaps(listeners)
    return listeners


def parse_settings(raw: Mapping[str, Any]) -> ServerSettings:
    """Check the settings that all listeners share; keys are those of :class:`ServerSettings`, all optional.

    :raises InputError: naming the key and what is wrong with its value.
    """
    unknown = sorted(set(raw) - set(ServerSettings.__dataclass_fields__))
    if unknown:
        raise InputError(f"Unknown server setting: {', '.join(map(shown, unknown))}.")
    defaults = ServerSettings()
    return ServerSettings(
        folder=parse_path(raw.get("folder", defaults.folder), what="folder"),
        runtime_folder=parse_path(raw.get("runtime_folder", defaults.runtime_folder), what="runtime_folder"),
        full_tunnel=bool(raw.get("full_tunnel", defaults.full_tunnel)),
        push_routes=tuple(_parse_network(one, what="A pushed route") for one in raw.get("push_routes") or ()),
        dns_servers=tuple(parse_address(one, what="A DNS server") for one in raw.get("dns_servers") or ()),
        dns_domains=tuple(_parse_domain(one) for one in raw.get("dns_domains") or ()),
        client_to_client=bool(raw.get("client_to_client", defaults.client_to_client)),
        version=_parse_version(raw.get("version", "2.6")),
        loaded_files={
            _parse_scalar(name, what="A file name"): _parse_scalar(digest, what="A fingerprint")
            for name, digest in (raw.get("loaded_files") or {}).items()
        },
    )


def parse_port(value: Any, *, what: str) -> int:
    """A port number, given as a number or as digits.

    :raises InputError: outside 1 to 65535.
    """
    text = _parse_scalar(value, what=what)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise InputError(f"{what} is not a port number from 1 to 65535: '{shown(text)}'.")
    return int(text)


def parse_protocol(value: Any, *, what: str) -> str:
    """``udp`` or ``tcp``.

    :raises InputError: for anything else.
    """
    text = _parse_scalar(value, what=what)
    if text not in PROTOCOLS:
        raise InputError(f"{what} is neither udp nor tcp: '{shown(text)}'.")
    return text


def parse_address(value: Any, *, what: str) -> Address:
    """An IPv4 or IPv6 address.

    :raises InputError: if it is not one.
    """
    text = _parse_scalar(value, what=what)
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise InputError(f"{what} is not an IP address: '{shown(text)}'.") from error
    if "%" in text:
        raise InputError(f"{what} has a zone, which no other host can know: '{shown(text)}'.")
    return address


def parse_host(value: Any, *, what: str) -> str:
    """A host as clients reach it: an IP address or a domain name.

    :raises InputError: if it is neither.
    """
    text = _parse_scalar(value, what=what)
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        return str(parse_address(text, what=what))
    if not _DOMAIN.fullmatch(text):
        raise InputError(f"{what} is neither an IP address nor a domain name: '{shown(text)}'.")
    return text


def parse_path(value: Any, *, what: str) -> str:
    """An absolute path of letters, digits, ``.``, ``_`` and ``-``, without ``..``: it needs no quoting anywhere.

    :raises InputError: for any other.
    """
    text = _parse_scalar(value, what=what)
    if not _PATH.fullmatch(text) or ".." in text.split("/"):
        raise InputError(f"{what} is not an absolute path of plain characters: '{shown(text)}'.")
    return text


def _parse_listener(entry: Any, *, what: str) -> Listener:
    if not isinstance(entry, Mapping):
        raise InputError(f"{what} is not a dictionary with name, protocol, port and network.")
    unknown = sorted(str(key) for key in set(entry) - _LISTENER_KEYS - {"device"})
    if unknown:
        raise InputError(
            f"{what} has an unknown key: {', '.join(map(shown, unknown))}.",
            remedy=f"Known are {', '.join(sorted(_LISTENER_KEYS))}.",
        )
    missing = [key for key in ("name", "protocol", "port", "network") if entry.get(key) in (None, "")]
    if missing:
        raise InputError(f"{what} has no {' and no '.join(missing)}.")
    name = _parse_listener_name(entry["name"], what=what)
    what = f"Listener '{name}':"
    network = _parse_tunnel_network(entry["network"], what=f"{what} network")
    return Listener(
        name=name,
        protocol=parse_protocol(entry["protocol"], what=f"{what} protocol"),
        port=parse_port(entry["port"], what=f"{what} port"),
        network=network,
        network6=_parse_tunnel_network6(entry.get("network6"), what=f"{what} network6"),
        address=None if not entry.get("address") else parse_address(entry["address"], what=f"{what} address"),
        max_clients=_parse_max_clients(entry.get("max_clients"), network=network, what=f"{what} max_clients"),
    )


def _parse_scalar(value: Any, *, what: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"{what} is not a word or a number.")
    return require_single_line(str(value), what=what)


def _parse_listener_name(value: Any, *, what: str) -> str:
    text = _parse_scalar(value, what=f"{what}: name")
    if not _LISTENER_NAME.fullmatch(text):
        raise InputError(
            f"{what}: the name '{shown(text)}' cannot name a unit and a network device.",
            remedy="Use at most ten of a-z, 0-9 and -, beginning with a letter or a digit.",
        )
    return text


def _parse_network(value: Any, *, what: str) -> Network:
    text = _parse_scalar(value, what=what)
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise InputError(f"{what} is not a network such as 10.20.0.0/16: '{shown(text)}' ({error}).") from error


def _parse_tunnel_network(value: Any, *, what: str) -> ipaddress.IPv4Network:
    network = _parse_network(value, what=what)
    low, high = _PREFIX_RANGE
    if not isinstance(network, ipaddress.IPv4Network) or not low <= network.prefixlen <= high:
        raise InputError(f"{what} is not an IPv4 network from /{low} to /{high}: '{network}'.")
    return network


def _parse_tunnel_network6(value: Any, *, what: str) -> ipaddress.IPv6Network | None:
    if value in (None, ""):
        return None
    network = _parse_network(value, what=what)
    low, high = _PREFIX6_RANGE
    if not isinstance(network, ipaddress.IPv6Network) or not low <= network.prefixlen <= high:
        raise InputError(f"{what} is not an IPv6 network from /{low} to /{high}: '{network}'.")
    return network


def _parse_max_clients(value: Any, *, network: ipaddress.IPv4Network, what: str) -> int:
    room = network.num_addresses - _RESERVED_ADDRESSES
    if value is None:
        return min(DEFAULT_MAX_CLIENTS, room)
    text = _parse_scalar(value, what=what)
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= room:
        raise InputError(f"{what} is '{shown(text)}', but {network} has addresses for 1 to {room} clients.")
    return int(text)


def _parse_domain(value: Any) -> str:
    text = _parse_scalar(value, what="A DNS domain")
    if not _DOMAIN.fullmatch(text):
        raise InputError(f"A DNS domain is not a domain name: '{shown(text)}'.")
    return text


def _parse_version(value: Any) -> tuple[int, int]:
    found = _VERSION.match(_parse_scalar(value, what="The version of OpenVPN"))
    if found is None:
        raise InputError(f"The version of OpenVPN is not like 2.6: '{shown(str(value))}'.")
    return int(found.group(1)), int(found.group(2))


def _port_text(listener: Listener) -> str:
    return f"{listener.port}/{listener.protocol}" + ("" if listener.address is None else f" on {listener.address}")


def _refuse_repeated(values: Sequence[str], *, what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{what} {value} is used by two listeners.", remedy="Give each listener its own.")


def _refuse_overlaps(listeners: Sequence[Listener]) -> None:
    networks: list[tuple[str, Network]] = [(listener.name, listener.network) for listener in listeners]
    networks += [(listener.name, listener.network6) for listener in listeners if listener.network6 is not None]
    for index, (name, network) in enumerate(networks):
        for other_name, other in networks[index + 1 :]:
            if network.version == other.version and network.overlaps(other):
                raise InputError(
                    f"The networks of the listeners '{name}' ({network}) and '{other_name}' ({other}) overlap.",
                    remedy="Give each listener a network of its own.",
                )
