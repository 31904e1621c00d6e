# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that overtake each other.

Outside, iperf3 counts datagrams that came after a later one. In the tunnel OpenVPN takes those that come too late for
a replay and drops them, a line for each; how deep they overtake, it says only at verb 4. A depth of a few packets alone
is ordinary and no finding, and so are drops of less than one packet in a thousand: among many users somebody's radio
repeats some. Where the window covers it nothing is lost in the tunnel, and TCP inside is slower still.

Silences: a UDP limit that only tunnels show, slow tunnels without another reason. Not silenced by loss or by a limit:
a lost packet is never out of order.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    HINT,
    LIKELY,
    REORDERING,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Gateway, Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import median, usable
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    LOW_RATE,
    OUTSIDE,
    PAIR,
    UDP,
    LogCount,
    Path,
    Segment,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    first_number,
    logs_of,
)

DISORDERED, NOTICEABLE = 0.01, 0.002
_FEWEST_DROPPED = 5
_MANY_DROPPED = 100
_RARE, _PACKET_BYTES = 0.001, 1000
_DEFAULT_WINDOW, _LARGEST_WINDOW = 64, 65536
_OUR_WINDOW = 512


def find_reordering(observations: Observations, _found: Found) -> Iterator[Finding]:
    """Reordering on a path, or seen by the gateway alone."""
    dropped = sum(one.count for one in logs_of(observations, "replay_bad_id"))
    found = False
    for path in observations.paths:
        share = _disorder(path)
        if share is not None and share >= NOTICEABLE:
            found = True
            weight = FAULT if share >= DISORDERED or dropped >= _FEWEST_DROPPED else HINT
            certainty = CERTAIN if weight == FAULT else LIKELY
            yield _finding(observations, (weight, certainty), path=path, share=share)
    older = sum(one.count for one in logs_of(observations, "replay_bad_id", window=False))
    if not found and dropped >= _FEWEST_DROPPED and not _are_rare(observations):
        certainty = CERTAIN if _depth(observations) is not None else LIKELY
        yield _finding(observations, (FAULT, certainty))
    elif not found and not observations.paths and older >= _MANY_DROPPED:
        yield _finding(observations, (HINT, LIKELY))


def _are_rare(observations: Observations) -> bool:
    """Whether the drops are next to nothing of what the listeners over UDP carried meanwhile, where that is known."""
    carried = sum(one.octets for one in observations.gateway.listeners if one.transport == UDP)
    dropped = sum(one.count for one in logs_of(observations, "replay_bad_id"))
    return carried > 0 and dropped < _RARE * carried / _PACKET_BYTES


def _disorder(path: Path) -> float | None:
    """The share of datagrams outside that came late, in the middle of the segments, the worse direction."""
    shares: dict[str, list[float]] = {}
    for one in path.segments:
        figures = one.protocol == UDP and not one.error and usable(one.delivered) and one.delivered > 0
        if figures and one.place == OUTSIDE and one.purpose in (PAIR, LOW_RATE) and one.datagrams > 0:
            shares.setdefault(one.direction, []).append(_late(one))
    return max((median(values) or 0.0 for values in shares.values()), default=None)


def _late(segment: Segment) -> float:
    """The share that came late; those of the settling time are counted, its datagrams are not."""
    settled = segment.settled if segment.settled is not None and usable(segment.settled) else 0.0
    whole = segment.datagrams * (1 + settled / segment.seconds) if segment.seconds > 0 else segment.datagrams
    return min(1.0, max(0, segment.out_of_order) / whole)


def _depth(observations: Observations) -> float | None:
    """How far packets overtook each other, by the log."""
    depths = [one.number for one in logs_of(observations, "backtrack", window=None) if one.number is not None]
    return max((one for one in depths if usable(one)), default=None)


def _window(gateway: Gateway) -> int:
    windows = [first_number(one.options.get("replay-window")) for one in gateway.listeners if one.transport == UDP]
    known = [one for one in windows if one is not None]
    return min(known) if known else _DEFAULT_WINDOW


def _finding(
    observations: Observations, sure: tuple[str, str], *, path: Path | None = None, share: float | None = None
) -> Finding:
    depth = _depth(observations)
    title = "Packets overtake each other on the way"
    if share is not None:
        title = f"{wording.share(share)} of the packets are overtaken by later ones on the way"
    figures = [("out_of_order_share", share), ("depth_packets", depth)]
    return Finding(
        cause=REORDERING,
        weight=sure[0],
        certainty=sure[1],
        title=title,
        explanation=(
            "OpenVPN drops what comes later than its window allows, as if somebody had sent it again. What is within"
            " the window still makes TCP believe that packets are lost, with the VPN or without, and slow down."
        ),
        evidence=tuple(_evidence(observations, share)),
        remedies=tuple(_remedies(observations, path, depth)),
        gateway=observations.gateway.name,
        probe=path.probe if path is not None else "",
        figures=tuple((name, value) for name, value in figures if value is not None),
    )


def _evidence(observations: Observations, share: float | None) -> Iterator[Evidence]:
    if share is not None:
        yield Evidence(
            f"{wording.share(share)} of the UDP packets outside the tunnel came after a later one.", "iperf3"
        )
    for one in logs_of(observations, "replay_bad_id", window=None):
        when = "during the measurement" if one.window else "before"
        yield Evidence(f"'{one.where}' dropped {one.count} packets as replays {when}.", "journal", _line(one))
    for one in logs_of(observations, "backtrack", window=None):
        if one.number is not None:
            text = f"'{one.where}' saw packets that came {one.number:.0f} packets late."
            yield Evidence(text, "journal", _line(one))


def _line(one: LogCount) -> tuple[str, ...]:
    return (one.example,) if one.example else ()


def _remedies(observations: Observations, path: Path | None, depth: float | None) -> Iterator[Remedy]:
    window = _window(observations.gateway)
    drops = any(not one.where.startswith("client") for one in logs_of(observations, "replay_bad_id", window=None))
    # Twice the greatest depth that was seen; without one, twice the window that was too small.
    needed = 2 * int(depth) if depth is not None else (2 * window if drops else window)
    wanted = min(max(needed, _OUR_WINDOW), _LARGEST_WINDOW)
    if wanted > window:
        text = "Have the gateway take packets that come later: twice as late as was seen."
        yield Remedy(text, "openvpn_replay_window_packets", wanted)
    if any(one.where.startswith("client") for one in logs_of(observations, "replay_bad_id", window=None)):
        yield Remedy(f"The client drops packets, too: its profile needs the line 'replay-window {wanted} 15'.")
    who = f"between '{path.probe}' and the gateway" if path is not None else "on the way"
    yield Remedy(
        f"No window makes the path itself better: ask the provider {who} about packets that overtake each other"
        " (several lines used at once, radio). Where it hurts most, the TCP listener puts them in order outside the"
        " tunnel."
    )
