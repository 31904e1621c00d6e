# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a measurement is given: the gateway's window, as it describes itself, and the limits."""

from __future__ import annotations

import ipaddress
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.budget import Limits
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    TCP,
    TUNNEL_TCP,
    TUNNEL_UDP,
    UDP,
)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*\.?")
_REMEDY = "Give what the module privatespace.gateway.network_window returned."


@dataclass(frozen=True)
class WindowTunnel:
    """A listener of the gateway, and where iperf3 answers inside its tunnels."""

    listener: str
    transport: str
    port: int
    tunnel_address: str
    iperf_port: int

    @property
    def place(self) -> str:
        """Which of the places of a path it is."""
        return TUNNEL_UDP if self.transport == UDP else TUNNEL_TCP


@dataclass(frozen=True)
class Window:
    """What answers on the gateway while it is open.

    :param token: What the responder wants to be greeted with.
    """

    address: str
    outside_ports: tuple[int, ...]
    responder_port: int
    token: str = ""
    tunnels: tuple[WindowTunnel, ...] = ()
    expires_at: float | None = None

    def one_of_each(self) -> tuple[WindowTunnel, ...]:
        """The first listener of each transport: more of them take the same path."""
        first: dict[str, WindowTunnel] = {}
        for tunnel in self.tunnels:
            first.setdefault(tunnel.transport, tunnel)
        return tuple(first.values())


@dataclass(frozen=True)
class ProbeSettings:
    """One measurement."""

    probe: str
    gateway: str
    window: Window
    limits: Limits
    profile: Path | None = None
    names: tuple[str, ...] = ()


def parse_probe_settings(parameters: Mapping[str, Any]) -> ProbeSettings:
    """Read the options of the module.

    :raises InputError: one of them cannot be accepted; nothing has been sent.
    """
    names = tuple(parameters.get("names") or ())
    for name in names:
        if len(name) > 253 or not _NAME.fullmatch(name):
            raise InputError(f"'names' holds '{shown(name)}', which is no DNS name.")
    profile = parameters.get("profile")
    return ProbeSettings(
        probe=parameters.get("probe") or platform.node(),
        gateway=parameters["gateway"],
        window=parse_window(parameters["window"], address=parameters.get("address") or ""),
        limits=Limits(parameters["seconds"], parameters["megabytes"]),
        profile=Path(profile) if profile else None,
        names=names,
    )


def parse_window(described: Mapping[str, Any], *, address: str = "") -> Window:
    """Read the description of a window.

    :param address: Where this probe reaches the gateway, if elsewhere than the window says.
    :raises InputError: something is missing or no window says such a thing.
    """
    token = str(described.get("token") or "")
    if not _TOKEN.fullmatch(token):
        raise InputError("'window' has no token.", remedy=_REMEDY)
    ports = tuple(_port(one, "outside_ports") for one in described.get("outside_ports") or ())
    if not ports:
        raise InputError("'window' names no port outside the tunnels in 'outside_ports'.", remedy=_REMEDY)
    return Window(
        _address(address or described.get("address"), "address"),
        ports,
        _port(described.get("responder_port"), "responder_port"),
        token,
        tuple(_tunnel(one) for one in described.get("tunnels") or ()),
        described.get("expires_at"),
    )


def _tunnel(described: Mapping[str, Any]) -> WindowTunnel:
    transport = described.get("transport")
    if transport not in (TCP, UDP):
        raise InputError(f"'window.tunnels' has the transport '{shown(str(transport))}'.", remedy=_REMEDY)
    return WindowTunnel(
        str(described.get("listener") or transport),
        str(transport),
        _port(described.get("port"), "tunnels.port"),
        _address(described.get("tunnel_address"), "tunnels.tunnel_address"),
        _port(described.get("iperf_port"), "tunnels.iperf_port"),
    )


def _port(value: Any, what: str) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 1 << 16:
        raise InputError(f"'window.{what}' is '{shown(str(value))}', which is no port.", remedy=_REMEDY)
    return port


def _address(value: Any, what: str) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError as error:
        raise InputError(f"'{what}' is '{shown(str(value))}', which is no address.", remedy=_REMEDY) from error
