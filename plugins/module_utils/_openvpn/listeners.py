# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners: what clients reach, as an administrator names it. The processes behind one: :mod:`process_plan`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Address,
    Network,
    parse_address,
    parse_boolean,
    parse_network,
    parse_port,
    parse_protocol,
    parse_scalar,
    parse_whole_number,
)

DEFAULT_MAX_CLIENTS = 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,9}")
# The names of its processes end in "-" and a number of one or two digits; the kernel's limit is 15 with "tun-".
LONGEST_PER_CORE_NAME = 8
_KEYS = frozenset(
    ("name", "protocol", "port", "network", "network6", "address", "max_clients", "reserved", "per_core", "port_share")
)
# OpenVPN's address pool holds at most 65536 addresses, and its server directive wants four at least.
WIDEST_PREFIX, NARROWEST_PREFIX = 16, 29
_PREFIX6_RANGE = (64, 112)
# The network's own address, the server's and the broadcast address are not for clients.
NOT_FOR_CLIENTS = 3


@dataclass(frozen=True)
class PortShare:
    """Where a TCP listener sends what is not OpenVPN."""

    address: ipaddress.IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Listener:
    """A public port that clients reach, and the network that they get addresses from.

    :param name: At most ten characters; names the unit, the files and the tunnel device.
    :param address: The local address to bind, or ``None`` for every address.
    :param max_clients: How many may be connected, over all of its processes.
    :param reserved: Addresses at the end of each process' network that are not given out by chance; ``None`` for a
        quarter of it.
    :param per_core: Whether it runs one process for each core.
    """

    name: str
    protocol: str
    port: int
    network: ipaddress.IPv4Network
    network6: ipaddress.IPv6Network | None = None
    address: Address | None = None
    max_clients: int = DEFAULT_MAX_CLIENTS
    reserved: int | None = None
    per_core: bool = False
    port_share: PortShare | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types, for facts; networks in CIDR notation."""
        return {
            "name": self.name,
            "protocol": self.protocol,
            "port": self.port,
            "network": str(self.network),
            "network6": None if self.network6 is None else str(self.network6),
            "address": None if self.address is None else str(self.address),
            "max_clients": self.max_clients,
            "reserved": self.reserved,
            "per_core": self.per_core,
            "port_share": None if self.port_share is None else str(self.port_share),
        }


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
    refuse_repeated([listener.name for listener in listeners], what="The listener name")
    refuse_repeated(
        [port_text(listener.port, listener.protocol, listener.address) for listener in listeners], what="The port"
    )
    _refuse_overlaps(listeners)
    return listeners


def share_port(raw: Any, *, port_share: str, port: int) -> Any:
    """The same list of listeners, in which those on TCP and this port that say nothing of browsers hand them over.

    :param raw: What an administrator wrote; what is wrong with it is left for :func:`parse_listeners` to say.
    :param port_share: ``ADDRESS:PORT`` of a web server, or nothing.
    """
    if not port_share or not isinstance(raw, (list, tuple)):
        return raw
    return [
        {**entry, "port_share": port_share}
        if isinstance(entry, Mapping)
        and "port_share" not in entry
        and (entry.get("protocol"), str(entry.get("port"))) == ("tcp", str(port))
        else entry
        for entry in raw
    ]


def parse_listener_name(value: Any, *, what: str, pattern: re.Pattern[str] = _NAME, longest: str = "ten") -> str:
    """A name that is fit for a unit and, with ``tun-`` before it, for a network device.

    :raises InputError: for any other.
    """
    text = parse_scalar(value, what=f"{what}: name")
    if not pattern.fullmatch(text):
        raise InputError(
            f"{what}: the name '{shown(text)}' cannot name a unit and a network device.",
            remedy=f"Use at most {longest} of a-z, 0-9 and -, beginning with a letter or a digit.",
        )
    return text


def parse_tunnel_network(value: Any, *, what: str) -> ipaddress.IPv4Network:
    """The IPv4 network of a tunnel.

    :raises InputError: if OpenVPN could not serve it.
    """
    network = parse_network(value, what=what)
    if not isinstance(network, ipaddress.IPv4Network) or not WIDEST_PREFIX <= network.prefixlen <= NARROWEST_PREFIX:
        raise InputError(f"{what} is not an IPv4 network from /{WIDEST_PREFIX} to /{NARROWEST_PREFIX}: '{network}'.")
    return network


def parse_tunnel_network6(
    value: Any, *, what: str, prefixes: tuple[int, int] = _PREFIX6_RANGE
) -> ipaddress.IPv6Network | None:
    """The IPv6 network of a tunnel, or ``None`` where there is none.

    :raises InputError: if OpenVPN could not serve it.
    """
    if value in (None, ""):
        return None
    network = parse_network(value, what=what)
    low, high = prefixes
    if not isinstance(network, ipaddress.IPv6Network) or not low <= network.prefixlen <= high:
        raise InputError(f"{what} is not an IPv6 network from /{low} to /{high}: '{network}'.")
    return network


def parse_port_share(value: Any, *, protocol: str, port: int, what: str) -> PortShare | None:
    """``ADDRESS:PORT`` of a web server, or ``None`` where there is none.

    :raises InputError: for another protocol than TCP, for what is no IPv4 address with a port, and for the listener's
        own port on a loopback address, where every request would go round in a circle.
    """
    if value in (None, ""):
        return None
    text = parse_scalar(value, what=what)
    host, colon, share_port = text.rpartition(":")
    address = parse_address(host, what=f"{what}: the part before the colon") if colon else None
    if not isinstance(address, ipaddress.IPv4Address):
        raise InputError(f"{what} is not like 127.0.0.1:4443: '{shown(text)}'.", remedy="OpenVPN takes IPv4 here.")
    if protocol != "tcp":
        raise InputError(f"{what} needs the protocol tcp: no web server speaks OpenVPN's UDP.")
    share = PortShare(address, parse_port(share_port, what=f"{what}: the part after the colon"))
    if share.port == port and (address.is_loopback or address.is_unspecified):
        raise InputError(f"{what} is the listener itself: '{text}'.", remedy="Let the web server use another port.")
    return share


def parse_max_clients(value: Any, *, network: ipaddress.IPv4Network, what: str) -> int:
    """How many clients may be connected; by default as many as there are addresses, up to 1024.

    :raises InputError: if the network has not as many addresses.
    """
    room = network.num_addresses - NOT_FOR_CLIENTS
    if value is None:
        return min(DEFAULT_MAX_CLIENTS, room)
    text = parse_scalar(value, what=what)
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= room:
        raise InputError(f"{what} is '{shown(text)}', but {network} has addresses for 1 to {room} clients.")
    return int(text)


def port_text(port: int, protocol: str, address: Address | None) -> str:
    """A port as people write it: ``1194/udp``, or ``1194/udp on 192.0.2.1``."""
    return f"{port}/{protocol}" + ("" if address is None else f" on {address}")


def refuse_repeated(values: Sequence[str], *, what: str) -> None:
    """Refuse a list in which something is twice.

    :raises InputError: naming it.
    """
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{what} {value} is used by two listeners.", remedy="Give each listener its own.")


def _parse_listener(entry: Any, *, what: str) -> Listener:
    if not isinstance(entry, Mapping):
        raise InputError(f"{what} is not a dictionary with name, protocol, port and network.")
    refuse_unknown(entry, known=_KEYS, what=what)
    missing = [key for key in ("name", "protocol", "port", "network") if entry.get(key) in (None, "")]
    if missing:
        raise InputError(f"{what} has no {' and no '.join(missing)}.")
    name = parse_listener_name(entry["name"], what=what)
    what = f"Listener '{name}':"
    network = parse_tunnel_network(entry["network"], what=f"{what} network")
    protocol = parse_protocol(entry["protocol"], what=f"{what} protocol")
    port = parse_port(entry["port"], what=f"{what} port")
    return Listener(
        name=name,
        protocol=protocol,
        port=port,
        network=network,
        network6=parse_tunnel_network6(entry.get("network6"), what=f"{what} network6"),
        address=None if not entry.get("address") else parse_address(entry["address"], what=f"{what} address"),
        max_clients=parse_max_clients(entry.get("max_clients"), network=network, what=f"{what} max_clients"),
        reserved=parse_reserved(entry.get("reserved"), network=network, what=f"{what} reserved"),
        per_core=_parse_per_core(entry.get("per_core"), name=name, what=f"{what} per_core"),
        port_share=parse_port_share(entry.get("port_share"), protocol=protocol, port=port, what=f"{what} port_share"),
    )


def refuse_unknown(entry: Mapping[Any, Any], *, known: frozenset[str], what: str) -> None:
    """Refuse a dictionary with a key that nothing reads.

    :raises InputError: naming the keys, and those that are known.
    """
    unknown = sorted(str(key) for key in set(entry) - known)
    if unknown:
        raise InputError(
            f"{what} has an unknown key: {', '.join(map(shown, unknown))}.",
            remedy=f"Known are {', '.join(sorted(known))}.",
        )


def parse_reserved(value: Any, *, network: ipaddress.IPv4Network, what: str) -> int | None:
    """How many addresses are kept for static ones; at least one is left for everybody else.

    :raises InputError: if the network has not as many addresses.
    """
    if value is None:
        return None
    return parse_whole_number(value, what=what, least=0, most=network.num_addresses - NOT_FOR_CLIENTS - 1)


def _parse_per_core(value: Any, *, name: str, what: str) -> bool:
    per_core = parse_boolean(False if value is None else value, what=what)
    if per_core and len(name) > LONGEST_PER_CORE_NAME:
        raise InputError(
            f"{what} needs a name of at most eight characters: a number is put behind it.",
            remedy=f"Shorten '{name}'.",
        )
    return per_core


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
