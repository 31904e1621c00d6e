# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firewall of a gateway is made of, as values that have been checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import refuse_unknown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process, parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Network,
    parse_boolean,
    parse_network,
    parse_port,
    parse_scalar,
    parse_whole_number,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_KEYS = frozenset(
    (
        "table", "groups", "client_networks", "client_to_client", "tcp_ports", "udp_ports", "masquerade",
        "max_segment_size", "handshakes_per_second", "handshake_burst",
    )
)  # fmt: skip


@dataclass(frozen=True)
class GroupRules:
    """What a group may reach.

    :param members: Addresses of members and networks behind them; none for the default group, which is everybody else.
    """

    name: str
    default: bool
    networks: tuple[Network, ...] | None
    reach_members: bool
    members: tuple[Network, ...]


@dataclass(frozen=True)
class Firewall:
    """All that the table is made of.

    :param client_networks: The networks behind devices, by process.
    :param handshakes_per_second: 0 for no limit, as with ``max_segment_size``.
    """

    processes: tuple[Process, ...]
    table: str = "privatespace"
    groups: tuple[GroupRules, ...] = ()
    client_networks: Mapping[str, tuple[Network, ...]] | None = None
    client_to_client: bool = False
    ports: tuple[tuple[str, tuple[int, ...]], ...] = ()
    masquerade: bool = True
    max_segment_size: int = 0
    handshakes_per_second: int = 0
    handshake_burst: int = 1

    def sources(self, process: Process, version: int) -> tuple[Network, ...]:
        """Whose packets may come out of the tunnel of a process."""
        own = process.network if version == 4 else process.network6
        behind = (self.client_networks or {}).get(process.name, ())
        return tuple(one for one in (own, *behind) if one is not None and one.version == version)


def parse_firewall(processes: Iterable[Any], raw: Mapping[str, Any]) -> Firewall:
    """Check what a table is to be made of.

    :param processes: From :meth:`~.process_plan.Process.as_dict`.
    :param raw: The other fields of :class:`Firewall`, with ``tcp_ports`` and ``udp_ports``; groups as the module
        ``openvpn_clients`` returns them.
    :raises InputError: naming what nftables could not take.
    """
    refuse_unknown(raw, known=_KEYS, what="The firewall")
    parsed = tuple(parse_process(one) for one in processes)
    default = Firewall(parsed)
    return Firewall(
        processes=parsed,
        table=_parse_name(raw.get("table", default.table), what="The table"),
        groups=tuple(_parse_group(one) for one in raw.get("groups") or ()),
        client_networks={
            name: _parse_networks(networks, what=f"behind clients of '{name}'")
            for name, networks in (raw.get("client_networks") or {}).items()
        },
        client_to_client=parse_boolean(raw.get("client_to_client", False), what="client_to_client"),
        ports=tuple(
            (protocol, tuple(parse_port(one, what=f"A {protocol} port") for one in raw.get(f"{protocol}_ports") or ()))
            for protocol in ("tcp", "udp")
        ),
        masquerade=parse_boolean(raw.get("masquerade", True), what="masquerade"),
        max_segment_size=parse_whole_number(
            raw.get("max_segment_size", 0), what="max_segment_size", least=0, most=65534
        ),
        handshakes_per_second=parse_whole_number(
            raw.get("handshakes_per_second", 0), what="handshakes_per_second", least=0, most=10**6
        ),
        handshake_burst=parse_whole_number(raw.get("handshake_burst", 1), what="handshake_burst", least=1, most=10**6),
    )


def _parse_group(raw: Mapping[str, Any]) -> GroupRules:
    name = _parse_name(raw.get("name"), what="The group")
    networks = raw.get("networks")
    return GroupRules(
        name=name,
        default=parse_boolean(raw.get("default", False), what=f"Group '{name}': default"),
        networks=None if networks is None else _parse_networks(networks, what=f"of the group '{name}'"),
        reach_members=parse_boolean(raw.get("reach_members", False), what=f"Group '{name}': reach_members"),
        members=_parse_networks([*raw.get("addresses", ()), *raw.get("addresses6", ())], what=f"in the group '{name}'"),
    )


def _parse_networks(raw: Iterable[Any], *, what: str) -> tuple[Network, ...]:
    return tuple(parse_network(one, what=f"A network {what}") for one in raw)


def _parse_name(value: Any, *, what: str) -> str:
    text = parse_scalar(value, what=what)
    if not _NAME.fullmatch(text):
        raise InputError(f"{what} has a name that nftables does not take: '{shown(text)}'.")
    return text
