# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenVPN processes behind the listeners, and which addresses each of them gives to whom.

One process is one core. A listener with ``per_core`` therefore runs several, and the firewall spreads clients over
them; each has its own part of the listener's networks::

    10.91.0.0  .1         .2 ... dynamic ... first static - 1   first static ... static ... last   broadcast
               gateway    given out by OpenVPN's pool           given out by us, by name

IPv6 follows IPv4: the address at offset ``o`` of the IPv4 network has the IPv6 address that OpenVPN's pool would pair
with it, ``base + 0x1000 + (o - 2)``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import (
    DEFAULT_MAX_CLIENTS,
    NARROWEST_PREFIX,
    NOT_FOR_CLIENTS,
    Listener,
    PortShare,
    parse_listener_name,
    parse_max_clients,
    parse_port_share,
    parse_reserved,
    parse_tunnel_network,
    parse_tunnel_network6,
    port_text,
    refuse_repeated,
    refuse_unknown,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Address,
    parse_address,
    parse_port,
    parse_protocol,
)

DEVICE_PREFIX = "tun-"
# Two digits fit behind a name of eight characters.
MOST_PROCESSES = 64
# Where the ports of all processes but a listener's first are.
FIRST_INNER_PORT = 20000
INNER_PORTS = 20000
# OpenVPN's own offset of its IPv6 pool, and the one for networks that are too narrow for it.
_POOL6_OFFSET, _NARROW_POOL6_OFFSET, _NARROW_PREFIX6 = 0x1000, 2, 112
_PREFIX6_RANGE = (64, 124)
_FIRST_CLIENT_OFFSET = 2
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,10}")
_KEYS = frozenset(
    (
        "name", "listener", "protocol", "port", "public_port", "network", "network6", "address", "max_clients",
        "reserved", "port_share", "device", "server_address", "server_address6",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Process:
    """One OpenVPN server process.

    :param name: Names the unit ``openvpn-server@NAME``, its files and its device; at most eleven characters.
    :param listener: The name of the listener that it belongs to.
    :param port: Where it listens; another than ``public_port`` where the firewall spreads clients over processes.
    :param reserved: How many addresses at the end of the network are static.
    """

    name: str
    listener: str
    protocol: str
    port: int
    public_port: int
    network: ipaddress.IPv4Network
    network6: ipaddress.IPv6Network | None = None
    address: Address | None = None
    max_clients: int = DEFAULT_MAX_CLIENTS
    reserved: int = 0
    port_share: PortShare | None = None

    @property
    def device(self) -> str:
        """The name of the tunnel interface, at most the kernel's 15 characters."""
        return DEVICE_PREFIX + self.name

    @property
    def server_address(self) -> ipaddress.IPv4Address:
        """The gateway's own address in the tunnel."""
        return self.network[1]

    @property
    def server_address6(self) -> ipaddress.IPv6Address | None:
        """The gateway's own IPv6 address in the tunnel."""
        return None if self.network6 is None else self.network6[1]

    @property
    def dynamic_range(self) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
        """The first and the last address that OpenVPN gives to whoever comes."""
        return self.network[_FIRST_CLIENT_OFFSET], self.network[-2 - self.reserved]

    @property
    def static_range(self) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address] | None:
        """The first and the last address that are given out by name, or ``None`` if none is reserved."""
        return (self.network[-1 - self.reserved], self.network[-2]) if self.reserved else None

    @property
    def pool6_base(self) -> ipaddress.IPv6Address | None:
        """The IPv6 address that goes with the first dynamic IPv4 address."""
        if self.network6 is None:
            return None
        return self.network6[_POOL6_OFFSET if self.network6.prefixlen < _NARROW_PREFIX6 else _NARROW_POOL6_OFFSET]

    def is_static(self, address: ipaddress.IPv4Address) -> bool:
        """Whether an address is one of those that are given out by name."""
        return self.static_range is not None and self.static_range[0] <= address <= self.static_range[1]

    def address6_of(self, address: ipaddress.IPv4Address) -> ipaddress.IPv6Address | None:
        """The IPv6 address of the client that has this IPv4 address; ``None`` where the tunnel carries no IPv6."""
        if self.pool6_base is None:
            return None
        return self.pool6_base + (int(address) - int(self.dynamic_range[0]))

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types, for templates and facts; networks in CIDR notation."""
        optional = {
            "network6": self.network6, "address": self.address, "port_share": self.port_share,
            "server_address6": self.server_address6,
        }  # fmt: skip
        return {
            "name": self.name,
            "listener": self.listener,
            "protocol": self.protocol,
            "port": self.port,
            "public_port": self.public_port,
            "network": str(self.network),
            "max_clients": self.max_clients,
            "reserved": self.reserved,
            "device": self.device,
            "server_address": str(self.server_address),
            **{key: None if value is None else str(value) for key, value in optional.items()},
        }


def plan_processes(listeners: Sequence[Listener], cores: int) -> tuple[Process, ...]:
    """The processes of all listeners, in their order.

    :param listeners: From :func:`parse_listeners`.
    :param cores: Of the gateway; that many processes has a listener with ``per_core``, 64 at most.
    :raises InputError: for a network that is too small to be divided, or two processes of one name or port.
    """
    processes = tuple(process for listener in listeners for process in _divide(listener, cores))
    refuse_repeated([process.name for process in processes], what="The process name")
    refuse_repeated([port_text(one.port, one.protocol, one.address) for one in processes], what="The port")
    return processes


def parse_process(raw: Any) -> Process:
    """A process from the dictionary that :meth:`Process.as_dict` gave; every value is checked again.

    :raises InputError: naming the key.
    """
    if not isinstance(raw, Mapping):
        raise InputError("A process is not a dictionary with name, protocol, port and network.")
    refuse_unknown(raw, known=_KEYS, what="The process")
    name = _parse_name(raw.get("name"), what="The process")
    what = f"Process '{name}':"
    network = parse_tunnel_network(raw.get("network"), what=f"{what} network")
    protocol = parse_protocol(raw.get("protocol"), what=f"{what} protocol")
    port = parse_port(raw.get("port"), what=f"{what} port")
    public_port = parse_port(raw.get("public_port", port), what=f"{what} public_port")
    return _checked(
        Process(
            name=name,
            listener=_parse_name(raw.get("listener", name), what=f"{what} listener"),
            protocol=protocol,
            port=port,
            public_port=public_port,
            network=network,
            network6=parse_tunnel_network6(raw.get("network6"), what=f"{what} network6", prefixes=_PREFIX6_RANGE),
            address=None if not raw.get("address") else parse_address(raw["address"], what=f"{what} address"),
            max_clients=parse_max_clients(raw.get("max_clients"), network=network, what=f"{what} max_clients"),
            reserved=_reserved(parse_reserved(raw.get("reserved"), network=network, what=f"{what} reserved"), network),
            port_share=parse_port_share(
                raw.get("port_share"), protocol=protocol, port=public_port, what=f"{what} port_share"
            ),
        )
    )


def inner_port(public_port: int, number: int) -> int:
    """Where the process of a number, from 1, of a listener waits."""
    return public_port if number == 1 else FIRST_INNER_PORT + public_port % INNER_PORTS + number


def _divide(listener: Listener, cores: int) -> tuple[Process, ...]:
    count = min(max(cores, 1), MOST_PROCESSES) if listener.per_core else 1
    bits = (count - 1).bit_length()
    return tuple(_part(listener, number=number, count=count, bits=bits) for number in range(1, count + 1))


def _part(listener: Listener, *, number: int, count: int, bits: int) -> Process:
    what = f"Listener '{listener.name}':"
    if listener.network.prefixlen + bits > NARROWEST_PREFIX:
        raise InputError(
            f"{what} {listener.network} cannot be divided among {count} processes.",
            remedy=f"Give it a network of /{NARROWEST_PREFIX - bits} or wider, or switch per_core off.",
        )
    network = _slice4(listener.network, bits=bits, index=number - 1)
    reserved = parse_reserved(listener.reserved, network=network, what=f"{what} reserved, in each of {count} processes")
    return _checked(
        Process(
            name=listener.name if count == 1 else f"{listener.name}-{number}",
            listener=listener.name,
            protocol=listener.protocol,
            port=inner_port(listener.port, number),
            public_port=listener.port,
            network=network,
            network6=_slice6(listener.network6, bits=bits, index=number - 1),
            address=listener.address,
            max_clients=min(-(-listener.max_clients // count), network.num_addresses - NOT_FOR_CLIENTS),
            reserved=_reserved(reserved, network),
            port_share=listener.port_share,
        )
    )


def _slice4(network: ipaddress.IPv4Network, *, bits: int, index: int) -> ipaddress.IPv4Network:
    prefix = network.prefixlen + bits
    return ipaddress.IPv4Network((int(network.network_address) + (index << (32 - prefix)), prefix))


def _slice6(network: ipaddress.IPv6Network | None, *, bits: int, index: int) -> ipaddress.IPv6Network | None:
    if network is None:
        return None
    prefix = network.prefixlen + bits
    return ipaddress.IPv6Network((int(network.network_address) + (index << (128 - prefix)), prefix))


def _reserved(reserved: int | None, network: ipaddress.IPv4Network) -> int:
    return network.num_addresses // 4 if reserved is None else reserved


def _checked(process: Process) -> Process:
    network6 = process.network6
    if network6 is not None and 128 - network6.prefixlen < 32 - process.network.prefixlen:
        raise InputError(
            f"Listener '{process.listener}': {network6} has fewer addresses than {process.network}, "
            "and each client gets one of both.",
            remedy="Give it a network6 of /64.",
        )
    return process


def _parse_name(value: Any, *, what: str) -> str:
    return parse_listener_name("" if value is None else value, what=what, pattern=_NAME, longest="eleven")
