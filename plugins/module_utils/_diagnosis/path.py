# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured on one path: from a probe to a gateway, outside the tunnel and through it.

Times are seconds; those called ``at`` or ``begin`` count from the start of the measurement. Rates are bits per second
of payload at the receiving end. Shares lie between 0 and 1. ``None`` means that it was not measured or is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Where traffic went: on the path itself, or through the tunnel of the UDP or the TCP listener.
OUTSIDE, TUNNEL_UDP, TUNNEL_TCP = "outside", "tunnel_udp", "tunnel_tcp"
PLACES = (OUTSIDE, TUNNEL_UDP, TUNNEL_TCP)
# From the gateway to the probe, and back.
DOWN, UP = "down", "up"
DIRECTIONS = (DOWN, UP)
TCP, UDP = "tcp", "udp"
# Why a segment was sent: one half of a pair (TCP as fast as it goes, then UDP at 1.2 times that), a quarter of what
# UDP delivered, or TCP without a limit of rate to see what saturates first.
PAIR, LOW_RATE, FULL = "pair", "low_rate", "full"


@dataclass(frozen=True)
class Segment:
    """A stretch of traffic of one kind; the settling time at its beginning is left out of all figures.

    :param round: Counted from 1; the segments of one round belong together.
    :param place: One of ``PLACES``. :param protocol: Of the traffic itself, not of the tunnel.
    :param port: The gateway's port outside, 0 in a tunnel.
    :param offered: What the sender was told to send; ``None`` for TCP without a limit.
    :param delivered: What arrived; 0 where nothing did.
    :param lost: Share of the datagrams. :param out_of_order: Datagrams that came after a later one.
    :param retransmits: Of the TCP sender. :param rtt: Smoothed, as the TCP sender saw it.
    :param intervals: ``(at, rate)``, the settling time included: for plots.
    :param settled: Seconds at the beginning that are left out of the figures.
    :param error: Why there are no figures, in a sentence; empty where there are some.
    """

    round: int
    place: str
    protocol: str
    direction: str
    purpose: str
    begin: float
    seconds: float
    delivered: float
    offered: float | None = None
    port: int = 0
    lost: float | None = None
    datagrams: int = 0
    out_of_order: int = 0
    retransmits: int | None = None
    rtt: float | None = None
    intervals: tuple[tuple[float, float], ...] = ()
    settled: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Echo:
    """One ping; ``rtt`` is ``None`` where no answer came.

    :param loaded: Whether a segment was being sent at the time.
    """

    at: float
    place: str
    rtt: float | None
    loaded: bool


@dataclass(frozen=True)
class PathMtu:
    """What fits through the path, found by pings that must not be fragmented; sizes of whole IP packets.

    :param passed: The largest that was answered, 0 if none. :param failed: The smallest that was not, 0 if none.
    :param told: The MTU that a router or the sender's own kernel named; ``None`` where larger packets vanish silently.
    :param link: The MTU of the sender's own interface.
    """

    place: str
    direction: str
    passed: int
    failed: int
    told: int | None
    link: int


@dataclass(frozen=True)
class Hop:
    """One router of the path; the address is empty where it does not answer."""

    number: int
    address: str
    lost: float
    rtt: float | None


@dataclass(frozen=True)
class Reach:
    """Whether a port of the gateway answers from the probe; ``answered`` is ``None`` where that cannot be told."""

    protocol: str
    port: int
    answered: bool | None
    detail: str = ""


@dataclass(frozen=True)
class Lookup:
    """One question to one resolver.

    :param place: ``outside`` or the tunnel in which it was asked. :param source: Why this resolver is asked, such as
        ``pushed`` by the gateway, ``system`` (what the probe uses while connected) or ``gateway``.
    :param answered: Whether an answer came in time. :param seconds: Until it came.
    """

    resolver: str
    place: str
    source: str
    name: str
    answered: bool
    seconds: float | None
    detail: str = ""


@dataclass(frozen=True)
class LogCount:
    """How often a kind of line was logged.

    :param kind: One of ``_diagnosis.openvpn_log.KINDS``. :param where: Who logged it: a listener's name, or
        ``client_udp``, ``client_tcp``. :param number: The figure of the newest line, such as the depth of a
        backtrack. :param clients: Whom the lines name, the probes left out. :param example: The newest line, addresses
        kept.
    :param window: Whether it was logged during the measurement.
    :param own: How many of the lines are about a client at the address of a probe.
    """

    kind: str
    where: str
    count: int
    number: float | None = None
    clients: tuple[str, ...] = ()
    example: str = ""
    window: bool = True
    own: int = 0


@dataclass(frozen=True)
class Tunnel:
    """A tunnel that the probe opened for the measurement.

    :param transport: ``udp`` or ``tcp``. :param error: Why it did not connect, in a sentence.
    :param device_mtu: Of the tunnel's device. :param cipher: Of the data channel.
    :param compression: What is in use, empty for none. :param resolvers: What the gateway pushed.
    :param pushed: Further options that it pushed, as they are, such as ``redirect-gateway def1``; nothing secret.
    :param answered: Whether anything came back from the port, also where no connection came of it.
    """

    transport: str
    port: int
    connected: bool
    seconds: float | None = None
    error: str = ""
    device_mtu: int | None = None
    cipher: str = ""
    compression: str = ""
    resolvers: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    answered: bool = False


@dataclass(frozen=True)
class Path:
    """Everything that one probe measured towards one gateway.

    :param started: Seconds since 1970-01-01 UTC. :param ceiling: The most that a segment was allowed to send, bit/s:
        what lies above it was not looked for. :param sent_down: Bytes from the gateway, ``sent_up`` from the probe.
    :param clock_offset: The probe's clock less the gateway's. :param probe_cpu: The busiest core of the probe, share.
    :param unmeasured: What was left out, and why, a sentence each.
    """

    probe: str
    gateway: str
    address: str
    started: float
    seconds: float
    ceiling: float
    sent_down: int = 0
    sent_up: int = 0
    segments: tuple[Segment, ...] = ()
    echoes: tuple[Echo, ...] = ()
    mtus: tuple[PathMtu, ...] = ()
    hops: tuple[Hop, ...] = ()
    reaches: tuple[Reach, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    logs: tuple[LogCount, ...] = ()
    clock_offset: float | None = None
    probe_cpu: float | None = None
    probe_version: str = ""
    unmeasured: tuple[str, ...] = field(default=())
