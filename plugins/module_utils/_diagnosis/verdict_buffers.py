# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP listener whose buffers have a fixed size that is too small for the path.

A fixed size is a cap: 0.75 x the size asked for x 8 / round trip. The kernel shows twice what was asked for, in the
log line, too; and a size that happens to be the kernel's own shows no change there, so that the option itself counts.
It is a fault where TCP through that listener is within 20 % of its cap and plainly below what the path does (0.85), or
where the kernel says that the buffer was the limit; a hint where something else limits first and the cap would be next.

UDP listeners are not judged: no size made a difference there. A full core silences the fault, not the hint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    BUFFERS_TOO_SMALL,
    CERTAIN,
    CPU_BOUND,
    FAULT,
    HINT,
    LIKELY,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Buffers,
    Listener,
    Observations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    idle_rtt,
    median,
    ratios_to_outside,
    tcp_rate,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    DOWN,
    OUTSIDE,
    TUNNEL_TCP,
    Path,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    first_number,
    known,
    listeners_of,
    whereto,
)

USED_SHARE = 0.75
# What the kernel shows is twice what was asked for.
_SHOWN_TWICE = 2
_SLOWER = 0.85
_NEAR = 0.20
_NEAR_BY_KERNEL = 0.40
_LIMITED_SHARE = 0.2
_KERNEL_LIMIT = 212992


@dataclass(frozen=True)
class Cap:
    """What a listener's buffers let through in one direction, and what was seen."""

    listener: Listener
    direction: str
    size: int
    rtt: float
    outside: float
    inside: float | None
    ratio: float | None

    @property
    def rate(self) -> float:
        """The most that goes through."""
        return USED_SHARE * self.size * 8 / self.rtt


def find_small_buffers(observations: Observations, found: Found) -> Iterator[Finding]:
    """TCP listeners whose buffers are the limit, or would be the next."""
    for path in observations.paths:
        caps = [one for one in _caps(observations, path) if one.rate < _SLOWER * one.outside]
        judged = [(one, _judge(one, found)) for one in caps]
        shown = [(one, sure) for one, sure in judged if sure is not None]
        if shown:
            best = min(shown, key=lambda item: (item[1][0] != FAULT, item[1][1] != CERTAIN, item[0].rate))
            yield _finding(observations, path, (best[0], best[1], [one for one, _sure in shown]))


def _caps(observations: Observations, path: Path) -> Iterator[Cap]:
    rtt = idle_rtt(path)
    if not rtt:
        return
    for listener in listeners_of(observations.gateway, TUNNEL_TCP):
        for direction in DIRECTIONS:
            size = fixed_size(listener, direction)
            outside = tcp_rate(path, OUTSIDE, direction)
            if size and outside:
                inside = tcp_rate(path, TUNNEL_TCP, direction)
                ratio = median(ratios_to_outside(path, TUNNEL_TCP, direction))
                yield Cap(listener, direction, size, rtt, outside, inside, ratio)


def fixed_size(listener: Listener, direction: str) -> int | None:
    """The size that was asked for, as far as the kernel granted it; nothing where the system chooses."""
    buffers = listener.buffers
    asked = first_number(listener.options.get("sndbuf" if direction == DOWN else "rcvbuf"))
    if buffers is None:
        return asked
    before, after = _sizes(buffers, direction)
    if after <= 0 or (not asked and before == after):
        return asked
    granted = after // _SHOWN_TWICE
    return min(asked, granted) if asked else granted


def _sizes(buffers: Buffers, direction: str) -> tuple[int, int]:
    if direction == DOWN:
        return buffers.send_before, buffers.send
    return buffers.receive_before, buffers.receive


def _judge(cap: Cap, found: Found) -> tuple[str, str] | None:
    if cap.inside is None:
        return HINT, LIKELY
    slow = cap.ratio is None or cap.ratio < _SLOWER
    limits = [one.limited_by_buffer or 0.0 for one in cap.listener.tcp_sessions]
    kernel_says = max(limits, default=0.0) >= _LIMITED_SHARE
    off = abs(cap.inside - cap.rate) / cap.rate
    core_is_full = known(found, CPU_BOUND, faults_only=True)
    if slow and (off <= _NEAR or (kernel_says and off <= _NEAR_BY_KERNEL)) and (kernel_says or not core_is_full):
        return FAULT, CERTAIN
    if slow and off <= _NEAR_BY_KERNEL and not core_is_full:
        return FAULT, LIKELY
    # Something else is the limit now. More than the cap came through: then the cap is not what we think it is.
    return (HINT, LIKELY) if cap.inside < cap.rate else None


def _finding(observations: Observations, path: Path, judged: tuple[Cap, tuple[str, str], list[Cap]]) -> Finding:
    cap, (weight, certainty), caps = judged
    verb = "hold" if weight == FAULT else "would hold"
    return Finding(
        cause=BUFFERS_TOO_SMALL,
        weight=weight,
        certainty=certainty,
        title=f"Fixed buffers of {cap.size} bytes {verb} the TCP listener '{cap.listener.name}' to"
        f" {wording.rate(cap.rate)}",
        explanation=(
            f"With a round trip of {wording.duration(cap.rtt)} this path needs {_needed(cap)} bytes under way to be"
            " full. The system finds such a size by itself unless the configuration sets one."
        ),
        evidence=tuple(_evidence(one) for one in caps),
        remedies=_remedies(observations, cap),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=cap.direction if len({one.direction for one in caps}) == 1 else "",
        figures=(("cap_bps", cap.rate), ("outside_bps", cap.outside), ("buffer_bytes", float(cap.size))),
    )


def _needed(cap: Cap) -> int:
    return int(cap.outside / 8 * cap.rtt / USED_SHARE)


def _evidence(cap: Cap) -> Evidence:
    text = (
        f"{USED_SHARE} x {cap.size} bytes x 8 / {wording.duration(cap.rtt)} is {wording.rate(cap.rate)}"
        f" {whereto(cap.direction)}; the path without the VPN brings {wording.rate(cap.outside)}"
    )
    if cap.inside is not None:
        text += f", the tunnel over TCP {wording.rate(cap.inside)}"
    lines = []
    if cap.listener.buffers is not None:
        one = cap.listener.buffers
        lines.append(f"Socket Buffers: R=[{one.receive_before}->{one.receive}] S=[{one.send_before}->{one.send}]")
    lines += [f"{name} {cap.listener.options[name]}" for name in ("sndbuf", "rcvbuf") if name in cap.listener.options]
    return Evidence(f"{text}.", "iperf3, ping, journal", tuple(lines))


def _remedies(observations: Observations, cap: Cap) -> tuple[Remedy, ...]:
    text = "Leave the sizes to the system, which measured best on every path. This restarts the listeners."
    mbit = wording.rounded(cap.outside / 1e6, 2)
    milliseconds = wording.rounded(cap.rtt * 1e3, 3)
    found = [
        Remedy(text, "openvpn_socket_buffer_bytes", 0),
        Remedy(
            "Have no size computed from an older measurement either. (Where a fixed size is a must: {mbit:"
            f" {mbit:g}, round_trip_ms: {milliseconds:g}}} computes one that fills this path.)",
            "openvpn_measured_path",
            {},
        ),
    ]
    for key, variable in (
        ("net.core.wmem_max", "openvpn_send_buffer_limit_bytes"),
        ("net.core.rmem_max", "openvpn_receive_buffer_limit_bytes"),
    ):
        limit = first_number(observations.gateway.sysctl.get(key))
        if limit is not None and limit <= _KERNEL_LIMIT:
            found.append(Remedy(f"The kernel silently cuts sizes above {limit} bytes ({key}).", variable, 4194304))
    return tuple(found)
