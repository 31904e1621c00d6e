# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A black hole: large packets vanish, and no router says so.

A smaller MTU that a router names is no fault: both ends learn it. Nor is one from 1492 on, which everything here fits
into, or one that TCP inside the tunnel is already told to keep below (mssfix). Some firewalls drop large pings and
nothing else; so it is certain only where traffic stalls as well, and only possible where all tunnels run at full speed.

Silences: loss of half of the packets or more (the test's own are large), UDP limits, stalled or unconnected tunnels.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    HINT,
    LIKELY,
    MTU_BLACK_HOLE,
    POSSIBLE,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Gateway,
    Listener,
    Observations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    echo_loss,
    low_rate_loss,
    median,
    ratios_to_outside,
    segments_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    OUTSIDE,
    TCP,
    TUNNEL_TCP,
    TUNNEL_UDP,
    Path,
    PathMtu,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    first_number,
    listeners_of,
    whereto,
)

ROOM = 1492
_SMALLEST = 500
_STALLED, _FULL_SPEED = 0.5, 0.85
_STALLED_RATE = 64e3
_IPV4_UDP, _IPV6_UDP = 28, 48
# The clamp of 1380 is made for packets of 1492 outside.
_AROUND_SEGMENT = ROOM - 1380
_PROBING = "net.ipv4.tcp_mtu_probing"
_LOST_ECHOES = 0.01


def find_black_hole(observations: Observations, _found: Found) -> Iterator[Finding]:
    """A path on which large packets vanish."""
    for path in observations.paths:
        holes = [one for one in path.mtus if _is_hole(one)]
        if not holes:
            continue
        size = min(one.passed for one in holes)
        stalls = _stalls(path)
        lost, pings = echo_loss(path)
        doubtful = pings > 0 and lost / pings >= _LOST_ECHOES
        if stalls is not True and (doubtful or not _too_large(observations.gateway, path, size)):
            continue
        yield _finding(observations, path, (holes, stalls))


def _is_hole(one: PathMtu) -> bool:
    vanishes = one.told is None and _SMALLEST <= one.passed < one.failed
    return vanishes and one.place == OUTSIDE and one.passed < ROOM and (one.link <= 0 or one.failed <= one.link)


def _header(path: Path) -> int:
    return _IPV6_UDP if ":" in path.address else _IPV4_UDP


def _too_large(gateway: Gateway, path: Path, size: int) -> bool:
    """Whether a listener makes packets that do not fit."""
    sizes = [_packet_size(one, _header(path)) for one in listeners_of(gateway, TUNNEL_UDP)]
    return not sizes or max(sizes) > size


def _packet_size(listener: Listener, header: int) -> int:
    option = listener.options.get("mssfix")
    size = first_number(option)
    if size is None:
        return ROOM
    if size == 0:
        return 65535
    return size if "mtu" in (option or "") else size + header


def _stalls(path: Path) -> bool | None:
    """Whether traffic of large packets stands still; ``None`` where that was not measured."""
    connected = {one.transport for one in path.tunnels if one.connected}
    if connected and any(one.transport == TCP and not one.connected for one in path.tunnels):
        return True
    tried = [one for one in path.segments if one.place == OUTSIDE and one.protocol == TCP]
    if tried and all(one.error for one in tried):
        return True
    speeds = []
    for direction in DIRECTIONS:
        loss = low_rate_loss(path, OUTSIDE, direction)
        outside = median(one.delivered for one in segments_of(path, OUTSIDE, direction))
        if (loss is not None and loss.middle >= _STALLED) or (outside is not None and outside < _STALLED_RATE):
            return True
        for place in (TUNNEL_UDP, TUNNEL_TCP):
            ratio = median(ratios_to_outside(path, place, direction))
            rate = median(one.delivered for one in segments_of(path, place, direction))
            if rate is not None and rate < _STALLED_RATE:
                return True
            speeds.append(ratio)
    known = [one for one in speeds if one is not None]
    if known and min(known) < _STALLED:
        return True
    return False if known and min(known) >= _FULL_SPEED else None


def _finding(observations: Observations, path: Path, seen: tuple[list[PathMtu], bool | None]) -> Finding:
    holes, stalls = seen
    size = min(one.passed for one in holes)
    directions = sorted({one.direction for one in holes})
    return Finding(
        cause=MTU_BLACK_HOLE,
        weight=HINT if stalls is False else FAULT,
        certainty={True: CERTAIN, None: LIKELY, False: POSSIBLE}[stalls],
        title=f"Packets of more than {size} bytes vanish on the way, and nobody says so",
        explanation=(
            "Small things work: pings, logging in, the first bytes of a page. Large packets never arrive, so that"
            " downloads hang. Some firewall drops the messages by which the two ends would learn the size."
        ),
        evidence=tuple(_evidence(one) for one in holes),
        remedies=_remedies(path, size),
        gateway=observations.gateway.name,
        probe=path.probe,
        direction=directions[0] if len(directions) == 1 else "",
        figures=(("path_mtu_bytes", float(size)),),
    )


def _evidence(one: PathMtu) -> Evidence:
    return Evidence(
        f"Pings that must not be divided are answered up to {one.passed} bytes {whereto(one.direction)}; from"
        f" {one.failed} bytes on nothing comes back, although the sender's own link carries {one.link}.",
        "ping",
    )


def _remedies(path: Path, size: int) -> tuple[Remedy, ...]:
    fits = size - _header(path)
    segment = size - _AROUND_SEGMENT - (_header(path) - _IPV4_UDP)
    return (
        Remedy(
            "Have the firewall's clamp make TCP inside the tunnels small enough; it drops nobody.",
            "openvpn_max_segment_size",
            segment,
        ),
        Remedy(
            f"Have OpenVPN itself make packets that fit into {size} bytes. This restarts the listeners.",
            "openvpn_mssfix",
            fits,
        ),
        Remedy(
            "Have the gateway find by itself, for the TCP listener, what size gets through.",
            "openvpn_sysctl",
            {_PROBING: "1"},
        ),
        Remedy(
            "Ask who runs the firewalls on the way to let ICMP 'fragmentation needed' (IPv6: 'packet too big') pass;"
            " look at your own security groups first."
        ),
    )
