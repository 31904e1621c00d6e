# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of iperf3 printed with ``--json`` (3.9 to 3.18 and later), read as a segment.

Nothing that it prints is an error of ours: what cannot be read becomes a segment that says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import TCP, UP, Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.settling import Interval, settled

# What the client says while its server has not finished the transfer before; worth asking again.
_BUSY = ("server is busy", "control message", "control socket has closed", "reset by peer")
_LONGEST_ERROR = 300


@dataclass(frozen=True)
class Transfer:
    """A segment, and what the sender sent for it.

    :param sent: Bytes of payload, ``None`` where iperf3 does not say.
    :param resent: Packets that a TCP sender sent again.
    :param busy: Whether the server served somebody else, so that asking again is worth it.
    """

    segment: Segment
    sent: int | None = None
    resent: int = 0
    busy: bool = False


def read_transfer(text: str, planned: Segment, *, settle: float) -> Transfer:
    """Fill a planned segment with what iperf3 says of it.

    :param planned: With everything that was known before; ``seconds`` and ``delivered`` are replaced.
    :param settle: The least time at the beginning that is left out.
    """
    found = _parse(text)
    if found is None:
        return Transfer(replace(planned, error="iperf3 printed nothing that can be read."))
    problem = found.get("error")
    if problem:
        said = str(problem)[:_LONGEST_ERROR]
        return Transfer(replace(planned, error=f"iperf3: {said}."), busy=any(word in said for word in _BUSY))
    sender, receiver = _sides(found, planned)
    sent = _whole(_part(_part(found, "end"), "sum_sent").get("bytes"))
    try:
        segment = _fill(planned, receiver, _part(found, "end"), settle=settle)
    except (ArithmeticError, ValueError):
        segment = replace(planned, error="iperf3 printed figures that make no sense.")
    if segment.protocol == TCP and sender is not None:
        segment = _with_sender(segment, _part(sender, "end"))
    return Transfer(segment, sent, segment.retransmits or 0)


def _parse(text: str) -> dict[str, Any] | None:
    # A warning may come before it.
    begin = text.find("{")
    try:
        found, _end = json.JSONDecoder().raw_decode(text[begin:]) if begin >= 0 else (None, 0)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _sides(found: dict[str, Any], planned: Segment) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """What the sender and what the receiver printed; the server's half is there only if it prints JSON, too."""
    server = found.get("server_output_json")
    server = server if isinstance(server, dict) else None
    return (found, server) if planned.direction == UP else (server, found)


def _fill(planned: Segment, receiver: dict[str, Any] | None, end: dict[str, Any], *, settle: float) -> Segment:
    intervals = _intervals(receiver)
    counted = settled(intervals, settle)
    seconds = sum(one.seconds for one in counted)
    if seconds <= 0:
        return _whole_segment(planned, end)
    packets, lost = sum(one.packets for one in counted), sum(one.lost for one in counted)
    segment = replace(
        planned,
        seconds=seconds,
        settled=counted[0].start,
        delivered=sum(one.bytes for one in counted) * 8 / seconds,
        intervals=tuple((round(planned.begin + one.start, 3), round(one.rate)) for one in intervals),
    )
    if planned.protocol == TCP:
        return segment
    return replace(
        segment,
        datagrams=packets,
        lost=_share(lost, packets) if packets else _loss_of_all(end),
        out_of_order=_out_of_order(receiver or {}),
    )


def _whole_segment(planned: Segment, end: dict[str, Any]) -> Segment:
    """Without the receiver's intervals there is only the sum, the beginning included."""
    received = _part(end, "sum_received") or _part(end, "sum")
    seconds = _number(received.get("seconds"))
    delivered = _number(received.get("bits_per_second"))
    if not seconds or delivered is None:
        return replace(planned, error="iperf3 says nothing of what arrived.")
    segment = replace(planned, seconds=seconds, delivered=delivered, settled=0.0)
    if planned.protocol == TCP:
        return segment
    packets, lost = _whole(received.get("packets")) or 0, _whole(received.get("lost_packets")) or 0
    return replace(segment, datagrams=packets, lost=_share(lost, packets) if packets else _loss_of_all(end))


def _with_sender(segment: Segment, end: dict[str, Any]) -> Segment:
    streams = end.get("streams")
    first = streams[0] if isinstance(streams, list) and streams and isinstance(streams[0], dict) else {}
    microseconds = _number(_part(first, "sender").get("mean_rtt"))
    resent = _whole(_part(end, "sum_sent").get("retransmits"))
    return replace(segment, retransmits=resent, rtt=microseconds / 1e6 if microseconds else None)


def _intervals(side: dict[str, Any] | None) -> list[Interval]:
    listed = side.get("intervals") if side else None
    found = []
    for entry in listed if isinstance(listed, list) else ():
        total = _part(entry, "sum") if isinstance(entry, dict) else {}
        start, seconds, amount = (_number(total.get(name)) for name in ("start", "seconds", "bytes"))
        if start is None or seconds is None or amount is None or seconds <= 0 or start < 0 or amount < 0:
            continue
        packets, lost = (_whole(total.get(name)) or 0 for name in ("packets", "lost_packets"))
        found.append(Interval(start, seconds, int(amount), packets, lost))
    return found


def _loss_of_all(end: dict[str, Any]) -> float | None:
    """Nothing came: everything was lost if something was sent."""
    return 1.0 if _whole(_part(end, "sum_sent").get("packets")) else None


def _out_of_order(side: dict[str, Any]) -> int:
    streams = _part(side, "end").get("streams")
    parts = [_part(one, "udp") for one in streams if isinstance(one, dict)] if isinstance(streams, list) else []
    return max(0, sum(_whole(one.get("out_of_order")) or 0 for one in parts))


def _share(lost: int, packets: int) -> float:
    # A datagram that comes late is taken off the loss of a later interval, which may go below nothing.
    return min(1.0, max(0.0, lost / packets))


def _part(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and -1e18 < value < 1e18
    return float(value) if is_number else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
