# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A UDP limit that only the tunnels show, because nothing could be measured outside them.

TCP through the UDP tunnel is normally at least as fast as through the TCP tunnel. Where it is much slower, by more than
chance, UDP is probably held back. This is less certain, so everything else that slows only the UDP tunnel silences it:
a full core, a black hole, lost packets (the TCP listener may use bbr, which does not mind), reordering, blocked UDP.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CPU_BOUND,
    FAULT,
    LIKELY,
    MTU_BLACK_HOLE,
    PACKET_LOSS,
    POSSIBLE,
    REORDERING,
    UDP_BLOCKED,
    UDP_LIMITED,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    certainly_below,
    echo_loss,
    low_rate_loss,
    median,
    pairs_of,
    segments_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    OUTSIDE,
    TUNNEL_TCP,
    TUNNEL_UDP,
    Path,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    known,
    whereto,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_udp_limit import EXCESS_LOSS

_LIMITED = 0.7
_LOST_ECHOES = 0.01
_OTHERS = (CPU_BOUND, MTU_BLACK_HOLE, PACKET_LOSS, REORDERING, UDP_BLOCKED)


def find_udp_limit_in_tunnels(observations: Observations, found: Found) -> Iterator[Finding]:
    """UDP that is probably held back, a finding for each direction without a pair outside."""
    for path in observations.paths:
        lost, pings = echo_loss(path)
        for direction in DIRECTIONS:
            explained = known(found, *_OTHERS, probe=path.probe, direction=direction)
            lossy = pings > 0 and lost / pings >= _LOST_ECHOES and lost > 1
            if explained or lossy or pairs_of(path, OUTSIDE, direction):
                continue
            ratios = _ratios(path, direction)
            if ratios and (median(ratios) or 0.0) < _LIMITED and certainly_below(ratios, _LIMITED, fewest=2):
                yield _finding(observations, path, (direction, ratios))


def _ratios(path: Path, direction: str) -> list[float]:
    base = median(one.delivered for one in segments_of(path, TUNNEL_TCP, direction))
    return [one.delivered / base for one in segments_of(path, TUNNEL_UDP, direction)] if base else []


def _finding(observations: Observations, path: Path, measured: tuple[str, list[float]]) -> Finding:
    direction, ratios = measured
    udp = median(one.delivered for one in segments_of(path, TUNNEL_UDP, direction)) or 0.0
    tcp = median(one.delivered for one in segments_of(path, TUNNEL_TCP, direction)) or 0.0
    low = low_rate_loss(path, TUNNEL_UDP, direction)
    inner = [pair for pairs in pairs_of(path, TUNNEL_UDP, direction).values() for pair in pairs]
    high = median(pair.lost for pair in inner)
    shown = low is not None and high is not None and high - low.share > EXCESS_LOSS and low.share < EXCESS_LOSS
    return Finding(
        cause=UDP_LIMITED,
        weight=FAULT,
        certainty=LIKELY if shown else POSSIBLE,
        title=f"UDP seems to be held to about {wording.rate(udp)} {whereto(direction)}",
        explanation=(
            "The tunnel over UDP is much slower than the one over TCP, and nothing else explains it. Nothing could be"
            " measured outside the tunnels, which would show it for certain."
        ),
        evidence=(
            Evidence(
                f"In {len(ratios)} rounds the tunnel over UDP brought {wording.rate(udp)}, that over TCP"
                f" {wording.rate(tcp)} (ratio {median(ratios) or 0.0:.2f}).",
                "iperf3",
            ),
        ),
        remedies=(
            Remedy("Have the users on this path connect to the TCP listener."),
            Remedy("Let the probe reach the measuring port of the gateway, TCP and UDP, and measure again."),
        ),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=direction,
        figures=(("rate_bps", udp), ("tcp_bps", tcp), ("ratio", median(ratios) or 0.0)),
    )
