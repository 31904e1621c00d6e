# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be told, and the exact reason.

Asked last: what another finding explains is not unknown. A tunnel that is plainly slow (below 0.7 of the path outside,
by more than chance) and that nothing explains is said to be so, with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    BUFFERS_TOO_SMALL,
    CANNOT_TELL,
    CERTAIN,
    CLOCK_SKEW,
    CPU_BOUND,
    EXPIRY,
    FAULT,
    HINT,
    LIKELY,
    MTU_BLACK_HOLE,
    PACKET_LOSS,
    REORDERING,
    TCP_OUTPUT_SATURATION,
    UDP_BLOCKED,
    UDP_LIMITED,
    UNKNOWN,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    certainly_below,
    median,
    ratios_to_outside,
    segments_of,
    tcp_rate,
    usable,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    OUTSIDE,
    TUNNEL_TCP,
    TUNNEL_UDP,
    Path,
    Tunnel,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    PLACE_NAMES,
    TRANSPORT_OF,
    Found,
    known,
    logs_of,
    unit_of,
    whereto,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_udp_block import is_running

_SLOW = 0.7
_FULL_PROBE = 0.9
_MOST_LINES = 5
# What slows any tunnel, and what only one of the two.
_SLOWS_ALL = (CPU_BOUND, MTU_BLACK_HOLE, PACKET_LOSS, REORDERING)
_SLOWS = {TUNNEL_UDP: (UDP_LIMITED, UDP_BLOCKED), TUNNEL_TCP: (BUFFERS_TOO_SMALL, TCP_OUTPUT_SATURATION)}
_REFUSALS = ("auth_failed", "tls_error", "tls_handshake_timeout", "crl_expired", "certificate_expired")


def find_unknown(observations: Observations, found: Found) -> Iterator[Finding]:
    """What could not be told about the gateway and each path."""
    for listener in observations.gateway.listeners:
        if not is_running(listener):
            title = f"Nothing can be told about the listener '{listener.name}': it does not run"
            lines = (f"The state of '{listener.name}' is '{listener.state}'.",)
            remedy = Remedy("Look why, on the gateway.", command=f"systemctl status {unit_of(listener)}")
            yield _finding(observations, title, lines, remedy=remedy, certainty=CERTAIN)
    if not observations.gateway.listeners:
        title = "Nothing can be told about the VPN itself: no OpenVPN server runs on this gateway"
        remedy = Remedy("Look why, on the gateway.", command="systemctl status 'openvpn*'")
        yield _finding(observations, title, (), remedy=remedy, certainty=CERTAIN)
    if not observations.paths:
        title = "Nothing can be told about the way to the gateway: no probe has measured it"
        remedy = Remedy("Put a host that connects as users do into the inventory group 'probes'.")
        yield _finding(observations, title, (), remedy=remedy, certainty=CERTAIN)
    for path in observations.paths:
        if not known(found, MTU_BLACK_HOLE, probe=path.probe):
            yield from _outside(observations, path)
        if observations.gateway.listeners and not path.tunnels:
            yield _unopened(observations, path)
        yield from _tunnels(observations, path, found)
        yield from _slow(observations, path, found)


def _finding(
    observations: Observations, title: str, lines: tuple[str, ...], *, remedy: Remedy | None = None,
    probe: str = "", direction: str = "", certainty: str = LIKELY,
) -> Finding:  # fmt: skip
    return Finding(
        cause=CANNOT_TELL,
        weight=UNKNOWN,
        certainty=certainty,
        title=title,
        explanation="No verdict is made of what was not measured.",
        evidence=tuple(Evidence(line, "probe" if probe else "gateway") for line in lines),
        remedies=() if remedy is None else (remedy,),
        gateway=observations.gateway.name,
        probe=probe,
        direction=direction,
    )


def _outside(observations: Observations, path: Path) -> Iterator[Finding]:
    """Directions in which nothing could be measured outside the tunnel."""
    missing = [one for one in DIRECTIONS if not segments_of(path, OUTSIDE, one)]
    errors = [one for one in path.segments if one.place == OUTSIDE and one.error]
    if not missing:
        return
    ports = sorted({one.port for one in errors if one.port})
    where = f" {whereto(missing[0])}" if len(missing) == 1 else ""
    reason = "nothing was measured outside the tunnel"
    if errors:
        port = f" on port {wording.listed([str(one) for one in ports])}" if ports else ""
        reason = f"the measuring server of the gateway{port} gave no figures"
    lines = tuple(dict.fromkeys(one.error for one in errors))[:_MOST_LINES] or path.unmeasured[:_MOST_LINES]
    yield _finding(
        observations,
        f"Whether the path{where} or the VPN is the limit cannot be told: {reason}",
        lines,
        remedy=Remedy("Let the probe reach the measuring port, TCP and UDP, through the provider's firewall."),
        probe=path.probe,
        direction=missing[0] if len(missing) == 1 else "",
    )


def _unopened(observations: Observations, path: Path) -> Finding:
    """The way was measured, and nothing inside a tunnel."""
    return _finding(
        observations,
        f"How fast the VPN itself is from '{path.probe}' cannot be told: it opened no tunnel",
        tuple(one for one in path.unmeasured if "tunnel" in one)[:_MOST_LINES],
        remedy=Remedy("Put the profile of a device of its own on the probe, where diagnosis_profile says."),
        probe=path.probe,
        certainty=CERTAIN,
    )


def _tunnels(observations: Observations, path: Path, found: Found) -> Iterator[Finding]:
    """Tunnels that did not connect, for a reason that no other finding names."""
    failed = [one for one in path.tunnels if not one.connected]
    explained = known(found, EXPIRY, CLOCK_SKEW, probe=path.probe, faults_only=True) or known(
        found, MTU_BLACK_HOLE, probe=path.probe
    )
    blocked = known(found, UDP_BLOCKED, probe=path.probe)
    running = {one.transport for one in observations.gateway.listeners if is_running(one)}
    for one in failed:
        stopped = bool(observations.gateway.listeners) and one.transport not in running
        if explained or stopped or (one.transport == "udp" and blocked):
            continue
        yield _unconnected(observations, path, one)


def _unconnected(observations: Observations, path: Path, tunnel: Tunnel) -> Finding:
    transport = tunnel.transport.upper()
    examples = tuple(one.example for kind in _REFUSALS for one in logs_of(observations, kind) if one.example)
    reason = tunnel.error.rstrip(".") or "it did not connect"
    lines = tuple(dict.fromkeys(examples))[:_MOST_LINES]
    return _finding(
        observations,
        f"Nothing can be told about the tunnel over {transport}: {reason}",
        lines or (f"The tunnel over {transport} to port {tunnel.port} did not connect.",),
        remedy=Remedy("Look whether the probe's profile is meant for this gateway and its certificate still valid."),
        probe=path.probe,
    )


def _slow(observations: Observations, path: Path, found: Found) -> Iterator[Finding]:
    """Tunnels that are slow for no reason that was found."""
    for place in (TUNNEL_UDP, TUNNEL_TCP):
        for direction in DIRECTIONS:
            ratios = ratios_to_outside(path, place, direction)
            slow = (median(ratios) or 1.0) < _SLOW and certainly_below(ratios, _SLOW, fewest=2)
            if slow and not _is_explained(found, path, place):
                yield _unexplained(observations, path, (place, direction))


def _is_explained(found: Found, path: Path, place: str) -> bool:
    slowed = [one for one in found if one.weight in (FAULT, HINT)]
    return known(tuple(slowed), *_SLOWS_ALL, *_SLOWS[place], probe=path.probe)


def _unexplained(observations: Observations, path: Path, where: tuple[str, str]) -> Finding:
    place, direction = where
    inside, outside = tcp_rate(path, place, direction) or 0.0, tcp_rate(path, OUTSIDE, direction) or 0.0
    full = path.probe_cpu is not None and usable(path.probe_cpu) and path.probe_cpu >= _FULL_PROBE
    reason = "nothing that was looked for explains it"
    remedy = Remedy("Measure again at another time, and from another probe.")
    if full:
        reason = f"the probe's own processor was full ({wording.share(path.probe_cpu or 0.0)}), so that it is the limit"
        remedy = Remedy("Measure from a probe with a faster processor, or with nothing else running on it.")
    transport = TRANSPORT_OF[place].upper()
    return _finding(
        observations,
        f"Why the tunnel over {transport} is slow {whereto(direction)} cannot be told: {reason}",
        (
            f"TCP brought {wording.rate(inside)} through {PLACE_NAMES[place]} and {wording.rate(outside)} outside it.",
            f"The middle ratio is {median(ratios_to_outside(path, place, direction)) or 0.0:.2f}.",
        ),
        remedy=remedy,
        probe=path.probe,
        direction=direction,
    )
