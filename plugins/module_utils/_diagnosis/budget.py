# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one stretch of traffic may cost: in time, and in bytes on the wire both ways; never more than the limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import OUTSIDE, PAIR, TCP, UP

LEAST_SECONDS, MOST_SECONDS = 15, 3600
LEAST_MEGABYTES, MOST_MEGABYTES = 5, 100_000
# Before the traffic: connections, echoes on the empty path, the largest packet, hops and lookups.
QUIET_SECONDS = 6.0
# Kept free at the end, for stopping everything.
END_SECONDS = 1.5
# Echoes, handshakes, lookups, the search for the largest packet: 5 echoes a second in three places for a minute.
RESERVED_BYTES = 400_000
RESERVED_BYTES_A_SECOND = 5_000
# What a run of iperf3 says to its server and back besides the traffic, and a block by which it may exceed the rate.
CONTROL_BYTES, BLOCK_BYTES = 40_000, 131_072
# Acknowledgements against the stream, as a share of its bytes.
ANSWERS = 0.06
# Headers of a packet: Ethernet, IP, TCP with options or UDP; and what a tunnel adds.
TCP_HEADERS, UDP_HEADERS, TUNNEL_HEADERS = 66, 42, 80
RESENT = 1.05
# Below this nothing can be told.
LEAST_RATE = 50_000.0
# Measured: 0.35 s at 40 ms, 1.44 s at 200 ms.
STARTING_SECONDS = 0.12
STARTING_ROUND_TRIPS = 9


@dataclass(frozen=True)
class Limits:
    """The most that a measurement may take and send, each way."""

    seconds: float = 60.0
    megabytes: float = 200.0

    def __post_init__(self) -> None:
        if not LEAST_SECONDS <= self.seconds <= MOST_SECONDS:
            raise InputError(
                f"'seconds' is {self.seconds:g}, and should be between {LEAST_SECONDS} and {MOST_SECONDS}.",
                remedy="A minute is enough for a verdict on most paths.",
            )
        if not LEAST_MEGABYTES <= self.megabytes <= MOST_MEGABYTES:
            raise InputError(
                f"'megabytes' is {self.megabytes:g}, and should be between {LEAST_MEGABYTES} and {MOST_MEGABYTES}.",
                remedy="200 each way are enough to judge lines of up to 100 Mbit/s.",
            )

    @property
    def bytes(self) -> float:
        """What may be used for traffic each way."""
        return self.megabytes * 1e6 - RESERVED_BYTES - RESERVED_BYTES_A_SECOND * self.seconds

    @property
    def payload_bits(self) -> float:
        """What that carries of payload each way, at least, when the other way carries as much."""
        return self.bytes * 8 / 1.2


@dataclass(frozen=True)
class Order:
    """A segment to be sent.

    :param second_port: Whether the gateway's second port outside is used.
    :param seconds: How long; whole, since iperf3 takes no others. :param settle: The least that is left out of it.
    :param rate: The most that the sender may send, payload, bit/s. :param packet: Payload of one packet.
    """

    round: int
    place: str
    protocol: str
    direction: str
    purpose: str
    seconds: int
    settle: float
    rate: float
    packet: int
    second_port: bool = False

    @property
    def key(self) -> tuple[int, str, str, str, str]:
        """What makes it the same as another one: not how much it may send."""
        return (self.round, self.place, self.protocol, self.direction, self.purpose)


@dataclass(frozen=True)
class Spent:
    """What has been used so far: seconds since the beginning of the measurement, bytes on the wire each way."""

    seconds: float = 0.0
    down: float = 0.0
    up: float = 0.0

    def plus(self, order: Order, payload: float | None = None, resent: int = 0) -> Spent:
        """With the bytes of a segment added: those it sent, or all it was allowed to where that is not known."""
        there, back = cost(order, payload, resent)
        down, up = (back, there) if order.direction == UP else (there, back)
        return replace(self, down=self.down + down, up=self.up + up)


def cost(order: Order, payload: float | None = None, resent: int = 0) -> tuple[float, float]:
    """Bytes on the wire in the direction of a segment and against it, at most."""
    if payload is None:
        payload = order.rate * order.seconds / 8 + BLOCK_BYTES
    headers = TCP_HEADERS if order.protocol == TCP else UDP_HEADERS
    if order.place != OUTSIDE:
        headers += TUNNEL_HEADERS
    wire = payload * RESENT * (order.packet + headers) / order.packet + resent * (order.packet + headers)
    return wire + CONTROL_BYTES, (wire * ANSWERS if order.protocol == TCP else 0.0) + CONTROL_BYTES


def duration(order: Order, round_trip: float) -> float:
    """How long a segment takes with everything around it."""
    return order.seconds + STARTING_SECONDS + STARTING_ROUND_TRIPS * round_trip


def fit_time(orders: Sequence[Order], limits: Limits, spent: Spent, *, round_trip: float) -> bool:
    """Whether there is time for all of them."""
    needed = sum(duration(one, round_trip) for one in orders)
    return spent.seconds + needed <= limits.seconds - END_SECONDS


def fit_bytes(orders: Sequence[Order], limits: Limits, spent: Spent) -> Order | None:
    """The first of the orders, if the bytes allow all of them; by itself it may be slowed to half, but not in a pair.

    :param orders: One, or the halves of a pair.
    """
    for share in (1.0,) if orders[0].purpose == PAIR else (1.0, 0.85, 0.7, 0.5):
        asked = [replace(one, rate=one.rate * share) for one in orders]
        after = spent
        for one in asked:
            after = after.plus(one)
        if max(after.down, after.up) <= limits.bytes and asked[0].rate >= LEAST_RATE:
            return asked[0]
    return None
