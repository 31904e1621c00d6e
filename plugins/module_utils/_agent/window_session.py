# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measuring window: what it opens, what it watches, what it saw, and how it closes."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_sampling import Sampling, octets_added
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import (
    ListenerProcess,
    TunnelAddress,
    find_listeners,
    find_tunnels,
    public_port,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.log_lines import (
    LogMark,
    lines_since,
    mark_log,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_record import empty_record
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_responder import Responder
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_rules import open_rules
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_servers import (
    TrafficServers,
    require_free_ports,
    require_programs,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    WindowFiles,
    WindowSettings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_undo import (
    RULES,
    SERVERS,
    VERBOSITIES,
    raise_verbosities,
    undo,
    write_json,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.openvpn_log import (
    Address,
    add_counts,
    count_lines,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._host.address_watch import show_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management

PATIENCE_SECONDS = 2.0
# Each has two servers of iperf3.
MOST_ADDRESSES = 8


class WindowSession:
    """Use :meth:`open`, then :meth:`watch` again and again, :meth:`record`, and :meth:`close` in any case."""

    def __init__(self, settings: WindowSettings, files: WindowFiles) -> None:
        require_programs()
        # What a window before this one ran may still be ending.
        require_free_ports(settings.ports, patience_seconds=PATIENCE_SECONDS)
        self._settings = settings
        self._files = files
        self._started = epoch_seconds()
        self._unmeasured: list[str] = []
        self._listeners = find_listeners()
        links = show_addresses()
        self._tunnels, missing = find_tunnels(self._listeners, links)
        self._unmeasured += missing
        self._addresses = self._outside(links)
        self._responder = Responder(settings.token, settings.responder_port)
        self._servers = TrafficServers(self._places())
        self._state: dict[str, Any] = {}

    def open(self) -> dict[str, Any]:
        """Open everything; returns what probes are told.

        :raises CollectionError: something cannot be opened; :meth:`close` takes back what was.
        """
        self._remember(
            pid=os.getpid(), who=self._settings.who, started=self._started, probes=list(self._settings.probes),
            expires_at=self._started + self._settings.seconds, level=self._settings.verbosity,
        )  # fmt: skip
        # The ports are closed to everybody else before anything waits on them.
        self._remember(**{RULES: True})
        self._unmeasured += open_rules(self._settings, self._tunnels)
        inside = [one.address for one in self._tunnels]
        self._responder.open([*self._addresses, *inside])
        self._servers.open()
        self._remember(**{SERVERS: self._servers.identities()})
        self._marks = {one.name: mark_log(one.log) for one in self._listeners}
        self._unmeasured += [
            f"What the listener '{one.name}' logs meanwhile is not known: there is no journal to read."
            for one in self._listeners
            if one.log is None and not self._marks[one.name].cursor
        ]
        self._raise_verbosities()
        self._octets = self._count_octets()
        self._sampling = Sampling(self._listeners)
        return self._told()

    def watch(self, seconds: float) -> None:
        """Answer probes for some time, then look at the gateway once."""
        self._responder.serve(seconds)
        self._sampling.look()
        if self._servers.keep():
            self._remember(**{SERVERS: self._servers.identities()})

    def record(self, *, ended_by_itself: bool) -> dict[str, Any]:
        """What was seen, in plain types."""
        self._sampling.look()
        octets = octets_added(self._octets, self._count_octets())
        seconds, sessions = self._sampling.cpu_seconds(), self._sampling.sessions()
        if ended_by_itself:
            self._unmeasured.append(f"The measuring window closed by itself after {self._settings.seconds:g} s.")
        return {
            **empty_record(started=self._started, ended=epoch_seconds()),
            "complete": True,
            "samples": [to_plain(one) for one in self._sampling.samples],
            "logs": [to_plain(one) for one in self._logs()],
            "interfaces": [to_plain(one) for one in self._sampling.interfaces()],
            "udp_errors": self._sampling.udp_errors(),
            "listeners": {
                one.name: {
                    "octets": octets.get(one.name, 0),
                    "cpu_seconds": seconds.get(one.name),
                    "tcp_sessions": [to_plain(session) for session in sessions.get(one.name, ())],
                }
                for one in self._listeners
            },
            "unmeasured": list(self._unmeasured),
        }

    def close(self) -> tuple[str, ...]:
        """Close everything, and take back what was changed; returns what could not be, a sentence each."""
        self._responder.close()
        self._servers.close()
        return undo(self._files)

    def _outside(self, links: Sequence[Any]) -> tuple[str, ...]:
        """The gateway's own addresses that are in no tunnel, of the families that the probes have."""
        families = {ipaddress.ip_network(one).version for one in self._settings.probes}
        inside = {one.device for one in self._tunnels}
        found = [
            str(one["local"])
            for link in links
            if link.get("ifname") not in inside
            for one in link.get("addr_info", ())
            if one.get("scope") == "global" and ipaddress.ip_address(str(one.get("local"))).version in families
        ]
        # Where probes are told an address that is the gateway's own, that is the one they come to.
        chosen = [self._settings.address] if self._settings.address in found else found
        if not chosen:
            raise StateError(
                "This gateway has no address outside of its tunnels that probes could reach.",
                remedy="Look at 'ip address': the probes' family of addresses, IPv4 or IPv6, has to be there.",
            )
        if len(chosen) > MOST_ADDRESSES:
            self._unmeasured.append(
                f"Of the gateway's {len(chosen)} addresses only {', '.join(chosen[:MOST_ADDRESSES])} were opened."
            )
        return tuple(dict.fromkeys(chosen))[:MOST_ADDRESSES]

    def _places(self) -> list[tuple[str, int]]:
        ports = self._settings.outside_ports
        outside = [(address, port) for address in self._addresses for port in ports]
        return outside + [(one.address, ports[0]) for one in self._tunnels]

    def _told(self) -> dict[str, Any]:
        return {
            "address": self._settings.address or self._addresses[0],
            "outside_ports": list(self._settings.outside_ports),
            "responder_port": self._settings.responder_port,
            "tunnels": [self._tunnel(one) for one in self._tunnels],
            "expires_at": self._started + self._settings.seconds,
            "unmeasured": list(self._unmeasured),
        }

    def _tunnel(self, tunnel: TunnelAddress) -> dict[str, Any]:
        return {
            "listener": tunnel.listener.name,
            "transport": tunnel.listener.transport,
            "port": public_port(tunnel.listener, self._listeners),
            "tunnel_address": tunnel.address,
            "iperf_port": self._settings.outside_ports[0],
        }

    def _remember(self, **fields: Any) -> None:
        """Write down what is about to be changed."""
        self._state.update(fields)
        write_json(self._files.state, self._state)

    def _raise_verbosities(self) -> None:
        for one in self._listeners:
            if one.socket is None:
                self._unmeasured.append(f"The listener '{one.name}' has no management socket: {_LESS_LOGGED}")
        sockets = {one.name: one.socket for one in self._listeners if one.socket is not None}
        problems = raise_verbosities(
            sockets, self._settings.verbosity, remember=lambda before: self._remember(**{VERBOSITIES: dict(before)})
        )
        self._unmeasured += [f"{problem} {_LESS_LOGGED}" for problem in problems]

    def _count_octets(self) -> dict[str, int]:
        counts = {}
        for listener in self._listeners:
            if listener.socket is not None:
                try:
                    with open_management(
                        listener.socket, timeout_seconds=PATIENCE_SECONDS, is_running=lambda _path: False
                    ) as management:
                        facts = management.facts()
                except CollectionError:
                    continue
                counts[listener.name] = facts.bytes_received + facts.bytes_sent
        return counts

    def _logs(self) -> Iterable[Any]:
        probes = [ipaddress.ip_network(one) for one in self._settings.probes]

        def is_own(address: Address) -> bool:
            return any(address in network for network in probes)

        return add_counts(
            count
            for one in self._listeners
            for count in count_lines(
                lines_since(self._mark(one), one.log, one.pid), one.name, window=True, is_own=is_own
            )
        )

    def _mark(self, listener: ListenerProcess) -> LogMark:
        return self._marks.get(listener.name, LogMark())


_LESS_LOGGED = "what it drops for want of room is not logged."
