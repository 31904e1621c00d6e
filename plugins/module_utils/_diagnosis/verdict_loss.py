# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that get lost outside the tunnel at a rate that leaves room enough.

The measure is UDP at a quarter of what arrived, in every round: what a rate limit or a full queue drops, it does not
lose. From 0.6 % on, shown by every round, it is a fault; from 0.3 % in each of several rounds a hint. (The procedure
says 1 %; a path that loses 1 % measures a little below it in half of the cases.) Fewer than five lost packets are no
verdict unless pings were lost, too. Without such segments pings tell, less certainly.

Silenced by: a black hole, where half or more is lost (the test's packets are too large, so that pings are asked);
blocked UDP; a probe whose processor is full, or sockets of the gateway that overflowed (they lost it, not the path),
unless pings were lost as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    HINT,
    LIKELY,
    MTU_BLACK_HOLE,
    PACKET_LOSS,
    UDP_BLOCKED,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    Loss,
    echo_loss,
    idle_rtt,
    low_rate_loss,
    segments_of,
    tcp_rate,
    usable,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    LOW_RATE,
    OUTSIDE,
    UDP,
    UP,
    Hop,
    Path,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    known,
    whereto,
)

LOSSY, NOTICEABLE, SHOWN = 0.006, 0.003, 0.002
_VANISHED = 0.5
_FEWEST_ROUNDS, _FEWEST_PACKETS = 2, 5
_LOST_ECHOES, _FEWEST_ECHOES, _FEWEST_LOST = 0.01, 50, 3
_FULL_PROBE = 0.95
# A round trip from which on lost packets cost TCP most of its rate.
_FAR = 0.02
Verdict = Optional[tuple[str, str]]


def find_loss(observations: Observations, found: Found) -> Iterator[Finding]:
    """Packet loss on a path, a finding for each direction, or one for both where only pings tell."""
    for path in observations.paths:
        measured = False
        for direction in DIRECTIONS:
            loss = _trusted(observations, path, direction)
            if loss is None or known(found, UDP_BLOCKED, probe=path.probe):
                continue
            measured = True
            verdict = _verdict(path, loss, len(_sent(path, direction)))
            if verdict is not None:
                yield _finding(observations, path, (direction, loss.share, verdict, _evidence(path, direction, loss)))
        black_hole = known(found, MTU_BLACK_HOLE, probe=path.probe)
        lost, pings = echo_loss(path)
        if (not measured or black_hole) and _is_lossy(lost, pings):
            text = f"{lost} of {pings} small pings without load got no answer ({wording.share(lost / pings)})."
            yield _finding(observations, path, ("", lost / pings, (FAULT, LIKELY), Evidence(text, "ping")))


def _sent(path: Path, direction: str) -> list[object]:
    return list(segments_of(path, OUTSIDE, direction, protocol=UDP, purposes=(LOW_RATE,)))


def _trusted(observations: Observations, path: Path, direction: str) -> Loss | None:
    """The loss that the path is to blame for, as far as one can tell."""
    loss = low_rate_loss(path, OUTSIDE, direction)
    if loss is None or loss.middle >= _VANISHED:
        return None
    lost, pings = echo_loss(path)
    if pings and _is_lossy(lost, pings):
        return loss
    overflows = observations.gateway.udp_errors.get("RcvbufErrors", 0) if direction == UP else 0
    full_probe = path.probe_cpu is not None and usable(path.probe_cpu) and path.probe_cpu >= _FULL_PROBE
    own = overflows > 0.5 * loss.share * loss.packets > 0 or (full_probe and direction != UP)
    return None if own else loss


def _is_lossy(lost: int, pings: int) -> bool:
    return pings >= _FEWEST_ECHOES and lost >= _FEWEST_LOST and lost / pings >= _LOST_ECHOES


def _verdict(path: Path, loss: Loss, rounds: int) -> Verdict:
    if loss.share * loss.packets < _FEWEST_PACKETS and not _is_lossy(*echo_loss(path)):
        return None
    if loss.share >= LOSSY and loss.least >= SHOWN:
        return FAULT, CERTAIN if rounds >= _FEWEST_ROUNDS or _is_lossy(*echo_loss(path)) else LIKELY
    if rounds >= _FEWEST_ROUNDS and loss.least >= NOTICEABLE:
        return HINT, LIKELY
    return None


def _evidence(path: Path, direction: str, loss: Loss) -> Evidence:
    text = (
        f"UDP at a quarter of the rate that fits lost {wording.share(loss.share)} of {loss.packets} packets"
        f" {whereto(direction)}, and {wording.share(loss.least)} in the best round."
    )
    tcp = tcp_rate(path, OUTSIDE, direction)
    if tcp is not None:
        text += f" TCP brought {wording.rate(tcp)}."
    return Evidence(text, "iperf3")


def _finding(observations: Observations, path: Path, seen: tuple[str, float, tuple[str, str], Evidence]) -> Finding:
    direction, share, (weight, certainty), evidence = seen
    where = f" {whereto(direction)}" if direction else ""
    return Finding(
        cause=PACKET_LOSS,
        weight=weight,
        certainty=certainty,
        title=f"{wording.share(share)} of the packets get lost outside the tunnel{where}",
        explanation=(
            "They are lost although the line has room for them: a bad cable, radio, or an overloaded provider. All"
            " things slow down on such a path, with the VPN or without, the more the longer the way is."
        ),
        evidence=(evidence, *_hops(path.hops)),
        remedies=_remedies(observations, path),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=direction,
        figures=(("lost_share", share),),
    )


def _hops(hops: tuple[Hop, ...]) -> tuple[Evidence, ...]:
    """The first router from which on all lose packets: loss at one in the middle alone is its own laziness."""
    suspect = None
    for hop in reversed([one for one in hops if one.address and usable(one.lost)]):
        if hop.lost < NOTICEABLE:
            break
        suspect = hop
    if suspect is None:
        return ()
    text = f"From router {suspect.number} ({suspect.address}) on, packets get lost ({wording.share(suspect.lost)})."
    return (Evidence(text, "mtr"),)


def _remedies(observations: Observations, path: Path) -> tuple[Remedy, ...]:
    found = [
        Remedy("Tell the provider of the line, with these numbers; at the user's end try a cable in place of radio.")
    ]
    rtt = idle_rtt(path)
    current = observations.gateway.sysctl.get("net.ipv4.tcp_congestion_control", "")
    if (rtt is None or rtt >= _FAR) and current != "bbr":
        text = "For users of the TCP listener: bbr does not take each lost packet for a full line."
        found.append(Remedy(text, "openvpn_congestion_control", "bbr"))
    return tuple(found)
