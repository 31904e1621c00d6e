# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP that does not come through at all.

Blocked is the UDP port of a listener that runs, where TCP from the same probe is answered; or a path on which the
tunnel over TCP connects and that over UDP does not, unless UDP was seen to be answered: then a handshake was late.
A measuring port without an answer is not: it is somebody's firewall around the measurement (cannot_tell).

Silences: a UDP limit, loss, and that the tunnel over UDP did not connect.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    LIKELY,
    UDP_BLOCKED,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Listener, Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    OUTSIDE,
    TCP,
    TUNNEL_UDP,
    UDP,
    Path,
    Reach,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import Found

_DOWN_STATES = ("not_running", "stopped", "failed", "inactive", "dead")


def find_udp_block(observations: Observations, _found: Found) -> Iterator[Finding]:
    """UDP that is blocked on a path."""
    listeners = [one for one in observations.gateway.listeners if one.transport == UDP and is_running(one)]
    for path in observations.paths:
        evidence = _evidence(path, listeners)
        if evidence and not _came_through(path, listeners):
            yield _finding(observations, path, evidence)


def is_running(listener: Listener) -> bool:
    """Whether the listener's process is there, as far as one knows."""
    return listener.state.lower() not in _DOWN_STATES


def _evidence(path: Path, listeners: list[Listener]) -> list[Evidence]:
    ports = {one.port for one in listeners}
    answered_tcp = [one for one in path.reaches if one.protocol == TCP and one.answered]
    silent = [one for one in path.reaches if one.protocol == UDP and one.port in ports and one.answered is False]
    connected = {one.transport: one for one in path.tunnels if one.connected}
    failed = [one for one in path.tunnels if one.transport == UDP and not one.connected]
    found = []
    if silent and (answered_tcp or TCP in connected):
        text = f"UDP on port {_ports(silent)} of the gateway, where a listener runs, gives no answer"
        answered = f"; TCP on port {_ports(answered_tcp)} does" if answered_tcp else "; TCP connects"
        found.append(Evidence(f"{text}{answered}.", "probe", tuple(one.detail for one in silent if one.detail)))
    if failed and TCP in connected and UDP not in connected and listeners:
        lines = tuple(one.error for one in failed if one.error)
        found.append(Evidence("The tunnel over TCP connected, and the one over UDP did not.", "openvpn", lines))
    return found


def _ports(reaches: list[Reach]) -> str:
    return wording.listed([str(port) for port in sorted({one.port for one in reaches})])


def _came_through(path: Path, listeners: list[Listener]) -> bool:
    """Whether UDP was answered by a listener after all, or the tunnel over UDP carried something."""
    ports = {one.port for one in listeners}
    answered = any(one.protocol == UDP and one.port in ports and one.answered for one in path.reaches)
    connected = any(one.transport == UDP and (one.connected or one.answered) for one in path.tunnels)
    carried = any(one.place == TUNNEL_UDP and not one.error and one.delivered > 0 for one in path.segments)
    return answered or connected or carried


def _finding(observations: Observations, path: Path, evidence: list[Evidence]) -> Finding:
    others = [one for one in path.reaches if one.protocol == UDP and one.answered]
    outside = [one for one in path.segments if one.place == OUTSIDE and one.protocol == UDP and not one.error]
    ports = {one.port for one in others} | {one.port for one in outside if one.port and one.delivered > 0}
    found = []
    if ports:
        open_ports = wording.listed([str(port) for port in sorted(ports)])
        found.append(Remedy(f"UDP passes on port {open_ports}: a UDP listener in openvpn_listeners there helps."))
    found += [
        Remedy(
            "Open the UDP port of the listener in the provider's firewall (security group) in front of the gateway."
        ),
        Remedy("Where the network of the user blocks UDP, as hotels do, the profile falls back to TCP by itself."),
    ]
    return Finding(
        cause=UDP_BLOCKED,
        weight=FAULT,
        certainty=CERTAIN if len(evidence) > 1 else LIKELY,
        title=f"UDP from '{path.probe}' does not reach the gateway's listener",
        explanation=(
            "Users on this path cannot use the tunnel over UDP, which is the faster one. They connect over TCP, after"
            " having waited for UDP."
        ),
        evidence=tuple(evidence),
        remedies=tuple(found),
        gateway=observations.gateway.name,
        probe=path.probe,
    )
