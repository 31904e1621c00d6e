"""Somebody in a call while others measure: packets through a tunnel and back, as many a second as a call has.

``call`` is the user's end and ``echo`` the other one, programs for a namespace each. ``call`` writes a line of JSON for
each packet once it knows what became of it: when it was sent, seconds since 1970-01-01 UTC, and how long the answer
took, ``null`` where none came.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PORT = 7100
# 4 Mbit/s each way: a call with picture.
PACKET_BYTES, PACKETS_A_SECOND = 1200, 420
# An answer that comes later is of no use to a call.
LATE_SECONDS = 0.5
_HEAD = struct.Struct("!I")


@dataclass(frozen=True)
class Packet:
    """One packet of the call."""

    sent: float
    took: float | None


@dataclass(frozen=True)
class Quality:
    """Of a stretch of the call.

    :param mbit: What came back. :param p50_ms: The answer's time, and ``p99_ms``; ``None`` where nothing came.
    """

    packets: int
    lost: int
    mbit: float
    p50_ms: float | None
    p99_ms: float | None

    @property
    def lost_share(self) -> float:
        """Of the packets."""
        return self.lost / self.packets if self.packets else 0.0


def quality(packets: Sequence[Packet], begin: float, end: float) -> Quality:
    """What the user had between two moments."""
    mine = [each for each in packets if begin <= each.sent < end]
    took = sorted(each.took * 1000 for each in mine if each.took is not None)
    mbit = len(took) * PACKET_BYTES * 8 / 1e6 / (end - begin) if end > begin else 0.0
    p50 = statistics.median(took) if took else None
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))] if took else None
    return Quality(len(mine), len(mine) - len(took), mbit, p50, p99)


def parse_packets(lines: Iterable[str]) -> list[Packet]:
    """What ``call`` has written; a line that is not finished is left out."""
    return [Packet(*json.loads(line)) for line in lines if line.endswith("]\n")]


def echo(address: str) -> None:
    """Send back what comes."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, PORT))
    while True:
        packet, whom = one.recvfrom(PACKET_BYTES)
        one.sendto(packet, whom)


def call(card: str, address: str) -> None:
    """Send through a card until ended."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
    one.setblocking(False)
    waiting: dict[int, tuple[float, float]] = {}
    due, number = time.monotonic(), 0
    while True:
        now = time.monotonic()
        if now >= due:
            waiting[number] = (now, time.time())
            with contextlib.suppress(OSError):  # What cannot be sent is lost.
                one.sendto(_HEAD.pack(number) + bytes(PACKET_BYTES - _HEAD.size), (address, PORT))
            number += 1
            due = max(due + 1 / PACKETS_A_SECOND, now - LATE_SECONDS)
        while waiting and now - (first := next(iter(waiting.values())))[0] > LATE_SECONDS:
            print(json.dumps([first[1], None]), flush=True)
            del waiting[next(iter(waiting))]
        if select.select([one], [], [], max(0.0, due - time.monotonic()))[0]:
            try:
                (back,) = _HEAD.unpack_from(one.recv(PACKET_BYTES))
            except OSError:
                continue
            since = waiting.pop(back, None)
            if since is not None:
                print(json.dumps([since[1], time.monotonic() - since[0]]), flush=True)


if __name__ == "__main__":
    echo(sys.argv[2]) if sys.argv[1] == "echo" else call(sys.argv[2], sys.argv[3])
