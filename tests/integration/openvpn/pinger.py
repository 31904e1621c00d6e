"""A ping for machines that have none: ``pinger.py ADDRESS COUNT`` prints how many of its packets were not answered."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time

INTERVAL_SECONDS = 0.02
LAST_ANSWER_SECONDS = 0.5
ECHO_REQUEST, ECHO_REPLY = 8, 0


def checksum(packet: bytes) -> int:
    """The Internet checksum of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identity: int, number: int) -> bytes:
    """An ICMP echo request."""
    body = struct.pack("!HH", identity, number) + bytes(48)
    return struct.pack("!BBH", ECHO_REQUEST, 0, checksum(struct.pack("!BBH", ECHO_REQUEST, 0, 0) + body)) + body


def answers(icmp: socket.socket, identity: int, until: float) -> set[int]:
    """The numbers of our requests that were answered before a moment of the monotonic clock."""
    found: set[int] = set()
    while (left := until - time.monotonic()) > 0:
        icmp.settimeout(left)
        try:
            packet = icmp.recv(2048)
        except TimeoutError:
            break
        kind, _code, _sum, whose, number = struct.unpack("!BBHHH", packet[20:28])
        if kind == ECHO_REPLY and whose == identity:
            found.add(number)
    return found


def main() -> None:
    """Send, listen, and print the difference."""
    address, count = sys.argv[1], int(sys.argv[2])
    identity, seen = os.getpid() & 0xFFFF, set()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        for number in range(count):
            with contextlib.suppress(OSError):  # no route is a lost packet too
                icmp.sendto(request(identity, number), (address, 0))
            seen |= answers(icmp, identity, time.monotonic() + INTERVAL_SECONDS)
        seen |= answers(icmp, identity, time.monotonic() + LAST_ANSWER_SECONDS)
    print(count - len(seen))


if __name__ == "__main__":
    main()
