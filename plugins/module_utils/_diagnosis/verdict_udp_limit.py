# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP that the path lets through more slowly than TCP, by measurement outside the tunnel.

In each round TCP goes first, then UDP at 1.2 times that; r is what UDP brought through of what it was offered and TCP
could do. UDP is limited where the middle r is below 0.85 by more than chance, and where UDP lost over 5 % more at the
high rate than at a quarter of it. That also holds on a path that loses packets anyhow: random loss slows TCP more than
UDP (r 1.0 to 1.2), so that an r that is low beside it is a limit of its own, and both are named.

Not named: a line that is equally slow for both, which has an r of 1; a UDP that was not allowed to send more (the
ceiling); a receiver that could not keep up, seen as a core that is full while UDP comes and not while TCP does.
Silenced by: UDP that is blocked (there is no rate), a black hole (large packets vanish at every rate).
Without any pair outside, the tunnels are compared: see verdict_udp_tunnels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CANNOT_TELL,
    CERTAIN,
    FAULT,
    LIKELY,
    MTU_BLACK_HOLE,
    UDP_BLOCKED,
    UDP_LIMITED,
    UNKNOWN,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.load import load_during
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    ENOUGH_PAIRS,
    Pair,
    certainly_below,
    low_rate_loss,
    median,
    pairs_of,
    segments_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    DOWN,
    OUTSIDE,
    TCP,
    UDP,
    Path,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    known,
    whereto,
)

LIMITED, FAIR = 0.85, 0.90
EXCESS_LOSS = 0.05
_BLOCKED_LOSS = 0.5
_FULL_CORE, _FULLER = 0.95, 0.15


@dataclass(frozen=True)
class Judged:
    """The pairs of one direction and one UDP port, and what they say."""

    port: int
    pairs: list[Pair]
    low_loss: float | None

    @property
    def ratio(self) -> float:
        """The middle r."""
        return median(one.ratio for one in self.pairs) or 0.0

    @property
    def high_loss(self) -> float:
        """What was lost at the high rate."""
        return median(one.lost for one in self.pairs) or 0.0

    @property
    def rate(self) -> float:
        """What came through."""
        return median(one.udp for one in self.pairs) or 0.0

    @property
    def tcp(self) -> float:
        """What TCP did in the same rounds."""
        return median(one.tcp for one in self.pairs) or 0.0

    @property
    def is_limited(self) -> bool:
        """Whether UDP is held back here, by more than chance."""
        low = self.low_loss or 0.0
        lower = self.ratio < LIMITED and certainly_below([one.ratio for one in self.pairs], FAIR)
        return lower and low < _BLOCKED_LOSS and self.high_loss - low > EXCESS_LOSS

    @property
    def is_open(self) -> bool:
        """Whether UDP is slower than TCP here, and nothing said so for certain."""
        ratios = [one.ratio for one in self.pairs]
        return not self.is_limited and (self.ratio < LIMITED or (self.ratio < FAIR and certainly_below(ratios, FAIR)))


def find_udp_limit(observations: Observations, found: Found) -> Iterator[Finding]:
    """UDP that is held back on a path, a finding for each direction."""
    for path in observations.paths:
        for direction in DIRECTIONS:
            if known(found, UDP_BLOCKED, MTU_BLACK_HOLE, probe=path.probe, direction=direction, faults_only=True):
                continue
            ports = judged_ports(path, direction)
            limited = [one for one in ports if one.is_limited] or _limited_together(ports)
            if limited and _receiver_is_full(observations, path, direction):
                yield _receiver(observations, path, direction)
            elif limited:
                yield _limited(observations, path, (direction, limited, [one for one in ports if one not in limited]))
            elif any(one.is_open for one in ports):
                yield _undecided(observations, path, (direction, [one for one in ports if one.is_open]))


def judged_ports(path: Path, direction: str) -> list[Judged]:
    """The pairs outside by UDP port."""
    loss = low_rate_loss(path, OUTSIDE, direction)
    return [
        Judged(port, pairs, None if loss is None else loss.share)
        for port, pairs in sorted(pairs_of(path, OUTSIDE, direction).items())
    ]


def _limited_together(ports: list[Judged]) -> list[Judged]:
    """Ports of which none has pairs enough for a verdict, and that all say the same."""
    slow = [one for one in ports if one.ratio < LIMITED]
    pairs = [pair for one in slow for pair in one.pairs]
    return slow if slow and Judged(0, pairs, slow[0].low_loss).is_limited else []


def _receiver_is_full(observations: Observations, path: Path, direction: str) -> bool:
    """Whether the gateway's busiest core was full while UDP came, and was not while TCP did."""
    samples = [one for one in observations.gateway.samples if not one.listener]
    if direction == DOWN or path.clock_offset is None:
        return False
    during_tcp = load_during(samples, path, segments_of(path, OUTSIDE, direction, protocol=TCP))
    during_udp = load_during(samples, path, segments_of(path, OUTSIDE, direction, protocol=UDP))
    if during_tcp is None or during_udp is None:
        return False
    return during_udp.cpu >= _FULL_CORE and during_tcp.cpu <= during_udp.cpu - _FULLER


def _limited(observations: Observations, path: Path, ports: tuple[str, list[Judged], list[Judged]]) -> Finding:
    direction, limited, others = ports
    worst = min(limited, key=lambda one: (-len(one.pairs), one.rate))
    free = [one for one in others if one.ratio >= FAIR]
    certain = len(worst.pairs) >= ENOUGH_PAIRS and worst.low_loss is not None
    where = f" on port {wording.listed([str(one.port) for one in limited])}" if free else ""
    return Finding(
        cause=UDP_LIMITED,
        weight=FAULT,
        certainty=CERTAIN if certain else LIKELY,
        title=f"UDP{where} is held to about {wording.rate(worst.rate)} {whereto(direction)}",
        explanation=(
            "Somebody on the way, mostly a provider, lets UDP through up to a rate and drops the rest; TCP passes more"
            " freely. OpenVPN over UDP cannot be faster than that, and neither end logs anything about it."
        ),
        evidence=tuple(_evidence(one) for one in [*limited, *free]),
        remedies=_remedies(observations, path, free),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=direction,
        figures=(("rate_bps", worst.rate), ("tcp_bps", worst.tcp), ("ratio", worst.ratio)),
    )


def _evidence(one: Judged) -> Evidence:
    port = f" on port {one.port}" if one.port else ""
    text = (
        f"In {len(one.pairs)} rounds UDP{port} brought {wording.rate(one.rate)}, TCP {wording.rate(one.tcp)}"
        f" (ratio {one.ratio:.2f}). UDP lost {wording.share(one.high_loss)} at the high rate"
    )
    if one.low_loss is not None:
        text += f" and {wording.share(one.low_loss)} at a quarter of what arrived"
    rows = tuple(
        f"round {pair.round}: TCP {wording.rate(pair.tcp)}, UDP {wording.rate(pair.udp)}, ratio {pair.ratio:.2f}"
        for pair in one.pairs
    )
    return Evidence(f"{text}.", "iperf3", rows)


def _remedies(observations: Observations, path: Path, free: list[Judged]) -> tuple[Remedy, ...]:
    tcp = next((one for one in observations.gateway.listeners if one.transport == "tcp"), None)
    found = []
    if tcp is not None:
        where = f"'{tcp.name}', port {tcp.port}"
        found.append(Remedy(f"Have the users on this path connect to the TCP listener ({where}): it is not held back."))
    if free:
        ports = wording.listed([str(one.port) for one in free])
        found.append(Remedy(f"UDP on port {ports} is not held back: a UDP listener in openvpn_listeners there helps."))
    found.append(
        Remedy(f"Ask the provider between '{path.probe}' and the gateway for the limit on UDP, with these numbers.")
    )
    return tuple(found)


def _receiver(observations: Observations, path: Path, direction: str) -> Finding:
    return Finding(
        cause=CANNOT_TELL,
        weight=UNKNOWN,
        certainty=LIKELY,
        title=f"Whether UDP is held back {whereto(direction)} cannot be told: the gateway was too busy receiving it",
        explanation="One core of the gateway was full while UDP came in, and not while TCP did.",
        evidence=tuple(_evidence(one) for one in judged_ports(path, direction)),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=direction,
    )


def _undecided(observations: Observations, path: Path, ports: tuple[str, list[Judged]]) -> Finding:
    direction, open_ones = ports
    first = open_ones[0]
    if first.rate <= 0:
        reason = f"nothing arrived on the measuring port {first.port}; a firewall seems to close it for UDP"
    elif first.high_loss <= EXCESS_LOSS:
        reason = "it was slower than TCP, but hardly anything was lost: the sender was too slow, not the path"
    elif len(first.pairs) < ENOUGH_PAIRS:
        reason = f"only {len(first.pairs)} rounds have figures for both, and it takes {ENOUGH_PAIRS}"
    else:
        reason = "the rounds differ too much from each other"
    return Finding(
        cause=CANNOT_TELL,
        weight=UNKNOWN,
        certainty=LIKELY,
        title=f"Whether UDP is held back {whereto(direction)} cannot be told: {reason}",
        explanation="UDP came more slowly than TCP. That may be chance; no verdict is made of it.",
        evidence=tuple(_evidence(one) for one in open_ones),
        remedies=(Remedy("Measure again with eight rounds, at a time when little else uses this path."),),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=direction,
        figures=(("ratio", first.ratio),),
    )
