"""Observations as a probe and a gateway would make them, of a world whose troubles are known.

The behaviour is what was measured: TCP in a tunnel reaches 0.95 of the path, a policer cuts UDP and leaves TCP alone,
fixed buffers cap TCP at 0.75 x size x 8 / round trip, random loss slows TCP more than UDP. The segments are those that
the probe plans: a look at TCP, five pairs (three where they agree), a low rate twice, each tunnel twice.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Buffers,
    Clock,
    Expiry,
    ForeignConfig,
    Gateway,
    Listener,
    Machine,
    Observations,
    Resolver,
    Sample,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    DOWN,
    FULL,
    LOW_RATE,
    OUTSIDE,
    PAIR,
    TCP,
    TUNNEL_TCP,
    TUNNEL_UDP,
    UDP,
    UP,
    Echo,
    LogCount,
    Lookup,
    Path,
    PathMtu,
    Reach,
    Segment,
    Tunnel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOW = 1_800_000_000.0
MBIT = 1e6
DAY = 86400.0
FOLDER = "/etc/openvpn/server/privatespace"
TCP_SHARE, UDP_SHARE = 0.94, 0.957
UDP_PORT, TCP_PORT, MEASURING_PORT, SECOND_PORT = 1194, 443, 5201, 5202
# What one core does, bit/s, and what TCP makes of it.
CORE_RATE, TCP_LISTENER_SHARE = 700e6, 0.75
GOOD_SYSCTL = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.tcp_window_scaling": "1",
    "net.ipv4.tcp_sack": "1",
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_wmem": "4096 16384 4194304",
    "net.core.rmem_max": "4194304",
    "net.core.wmem_max": "4194304",
    "net.core.netdev_max_backlog": "1000",
    "net.ipv4.tcp_congestion_control": "cubic",
}
OPTIONS = {
    "udp": {"server": "10.91.0.0 255.255.240.0 nopool", "replay-window": "512 15", "allow-compression": "no"},
    "tcp": {"server": "10.91.16.0 255.255.240.0 nopool", "replay-window": "512 15", "allow-compression": "no"},
}


@dataclass(frozen=True)
class World:
    """A path and a gateway, and what is wrong with them.

    :param noise: Standard deviation of each segment's rate, as a share. :param limits: Of UDP, by direction, bit/s.
    :param hole: The largest packet that passes, where larger ones vanish. :param core: What one core would do, bit/s.
    :param buffers: The size that was asked for, of the TCP listener; 0 leaves it to the system.
    :param errors: Share of the segments that end with an error.
    """

    rate: float = 100 * MBIT
    rtt: float = 0.040
    ceiling: float = 84 * MBIT
    noise: float = 0.05
    seed: int = 0
    limits: tuple[tuple[str, float], ...] = ()
    limited_ports: tuple[int, ...] = (MEASURING_PORT, SECOND_PORT)
    loss: float = 0.0
    reordering: float = 0.0
    depth: int = 0
    bad_ids: int = 0
    hole: int = 0
    core: float = CORE_RATE
    quota: float | None = None
    waiting: float = 0.0
    steal: float = 0.0
    burstable: bool = False
    buffers: int = 0
    blocked: bool = False
    saturated: int = 0
    outside: bool = True
    probes: tuple[str, ...] = ("alice",)
    errors: float = 0.0
    probe_cpu: float = 0.4
    lookup_seconds: float = 0.05
    lookups_lost: float = 0.0
    pushed: tuple[str, ...] = ("redirect-gateway def1",)
    resolvers: tuple[str, ...] = ("10.91.0.1",)
    gateway: Mapping[str, Any] = field(default_factory=dict)
    listener: Mapping[str, Any] = field(default_factory=dict)


def observe(world: World) -> Observations:
    """What would be seen of a world."""
    chance = random.Random(world.seed)  # noqa: S311
    paths = tuple(_path(world, chance, name, NOW + 70 * number) for number, name in enumerate(world.probes))
    return Observations(_gateway(world, chance, paths), paths, NOW + 100)


def healthy(**changes: Any) -> Observations:
    """A gateway and a path without a fault, with fields of the gateway changed."""
    observations = observe(World())
    return replace(observations, gateway=replace(observations.gateway, **changes))


def tcp_rate(world: World) -> float:
    """What TCP does outside."""
    rate = world.rate * TCP_SHARE
    if world.loss:
        rate = min(rate, 1.22 * 1448 * 8 / (max(world.rtt, 0.005) * math.sqrt(world.loss)))
    if world.reordering:
        rate *= 0.6
    return 0.0 if world.hole else min(rate, world.ceiling)


def limit_of(world: World, direction: str) -> float:
    return dict(world.limits).get(direction, math.inf)


def tunnel_rate(world: World, place: str, direction: str) -> float:
    """What TCP does in a tunnel."""
    if world.hole:
        return 0.0
    cores = min(1.0, world.quota or 1.0) * (1 - min(0.9, world.waiting)) * (1 - world.steal)
    if place == TUNNEL_UDP:
        return min(0.98 * tcp_rate(world), cores * world.core, 0.9 * limit_of(world, direction))
    capped = min(0.97 * tcp_rate(world), cores * world.core * TCP_LISTENER_SHARE)
    return min(capped, 0.75 * world.buffers * 8 / world.rtt) if world.buffers else capped


def _path(world: World, chance: random.Random, probe: str, started: float) -> Path:
    segments = tuple(_segments(world, chance))
    return Path(
        probe, "gateway1", "192.0.2.1", started, 58.0, world.ceiling, 90_000_000, 90_000_000,
        segments=segments,
        echoes=tuple(_echoes(world, chance)),
        mtus=tuple(_mtus(world)),
        reaches=tuple(_reaches(world)),
        lookups=tuple(_lookups(world, chance)),
        tunnels=tuple(_tunnels(world)),
        clock_offset=0.001,
        probe_cpu=world.probe_cpu,
    )  # fmt: skip


def _segments(world: World, chance: random.Random) -> Iterator[Segment]:
    begin = 2.0
    for one in _planned(world, chance):
        moved = replace(one, begin=begin)
        begin += (one.settled or 0.0) + one.seconds + 0.3
        failed = chance.random() < world.errors
        yield replace(moved, delivered=0.0, lost=None, error="iperf3 gave no answer.") if failed else moved


def _planned(world: World, chance: random.Random) -> Iterator[Segment]:
    yield from (_tcp(world, chance, 1, (OUTSIDE, one, FULL)) for one in DIRECTIONS if world.outside)
    for number in range(1, (5 if world.limits else 3) + 1):
        if world.outside:
            for direction in DIRECTIONS:
                yield from _pair(world, chance, number, direction)
        if number in (1, 3):
            yield from (
                _tcp(world, chance, number, (place, direction, FULL))
                for place in _places(world)
                for direction in DIRECTIONS
            )
        if number in (2, 4) and world.outside:
            yield from _low(world, chance, number)
    if world.limits and world.outside:
        for number in range(6, 9):
            for direction in DIRECTIONS:
                yield from _pair(world, chance, number, direction, port=SECOND_PORT)


def _low(world: World, chance: random.Random, number: int) -> Iterator[Segment]:
    for direction in DIRECTIONS:
        arrived = min(world.rate * UDP_SHARE, limit_of(world, direction), world.ceiling)
        yield _udp(world, chance, number, (direction, LOW_RATE, max(arrived * 0.25, 6e4)))


def _places(world: World) -> list[str]:
    return [TUNNEL_TCP] if world.blocked else [TUNNEL_UDP, TUNNEL_TCP]


def _pair(
    world: World, chance: random.Random, number: int, direction: str, *, port: int = MEASURING_PORT
) -> Iterator[Segment]:
    tcp = _tcp(world, chance, number, (OUTSIDE, direction, PAIR), port=port)
    yield tcp
    offered = 1.2 * (tcp.delivered or 5e6)
    yield _udp(world, chance, number, (direction, PAIR, offered), port=port)


def _noisy(world: World, chance: random.Random, rate: float) -> float:
    return max(0.0, rate * chance.gauss(1, world.noise))


def _tcp(
    world: World, chance: random.Random, number: int, kind: tuple[str, str, str], *, port: int = MEASURING_PORT
) -> Segment:
    place, direction, purpose = kind
    rate = tcp_rate(world) if place == OUTSIDE else tunnel_rate(world, place, direction)
    delivered = _noisy(world, chance, rate)
    if place == OUTSIDE:
        delivered = min(delivered, world.ceiling)
    return Segment(
        number, place, TCP, direction, purpose, 0.0, 1.2, delivered, port=port if place == OUTSIDE else 0,
        offered=None if place == OUTSIDE else 1.4 * world.ceiling, settled=0.8,
        retransmits=int(delivered / 12000 * world.loss), rtt=world.rtt * 1.3,
    )  # fmt: skip


def _udp(
    world: World, chance: random.Random, number: int, kind: tuple[str, str, float], *, port: int = MEASURING_PORT
) -> Segment:
    direction, purpose, offered = kind
    size = 1200 if purpose == PAIR else 400
    limit = limit_of(world, direction) if port in world.limited_ports else math.inf
    most = min(world.rate * UDP_SHARE, limit)
    packets = max(1, int(offered * 1.2 / 8 / size))
    drawn = min(packets, 4000) if world.loss else 1
    random_loss = sum(chance.random() < world.loss for _repeat in range(drawn)) / drawn
    arriving = offered * (1 - random_loss)
    if arriving > most:
        arriving = min(arriving, _noisy(world, chance, most))
    # Nothing measures under load without losing a packet now and then.
    stray = chance.choice((0, 0, 0, 1, 2)) / packets
    lost = min(1.0, max(0.0, 1 - arriving / offered) + stray)
    if world.blocked:
        arriving, lost = 0.0, 1.0
    late = int(packets * world.reordering) if not world.blocked else 0
    return Segment(
        number, OUTSIDE, UDP, direction, purpose, 0.0, 1.2, arriving, offered, port, lost, packets, late, settled=0.4
    )


def _echoes(world: World, chance: random.Random) -> Iterator[Echo]:
    for number in range(100):
        lost = chance.random() < 2 * world.loss
        yield Echo(number * 0.02, OUTSIDE, None if lost else world.rtt * chance.uniform(1, 1.1), loaded=False)
    for number in range(100):
        yield Echo(3 + number * 0.2, OUTSIDE, world.rtt * chance.uniform(1, 3), loaded=True)


def _mtus(world: World) -> Iterator[PathMtu]:
    for direction in DIRECTIONS:
        if world.hole:
            yield PathMtu(OUTSIDE, direction, world.hole, world.hole + 1, None, 1500)
        else:
            yield PathMtu(OUTSIDE, direction, 1500, 0, None, 1500)


def _reaches(world: World) -> Iterator[Reach]:
    yield Reach(UDP, UDP_PORT, answered=not world.blocked)
    yield Reach(TCP, TCP_PORT, answered=True)
    yield Reach(TCP, MEASURING_PORT, answered=True)


def _lookups(world: World, chance: random.Random) -> Iterator[Lookup]:
    for number in range(6):
        name = f"host{number}.example.net"
        answered = chance.random() >= world.lookups_lost
        seconds = world.lookup_seconds * chance.uniform(0.8, 1.3) + world.rtt if answered else None
        yield Lookup("10.91.0.1", TUNNEL_TCP, "pushed", name, answered, seconds)
        yield Lookup("198.51.100.53", OUTSIDE, "system", name, True, 0.05 * chance.uniform(0.8, 1.3))


def _tunnels(world: World) -> Iterator[Tunnel]:
    options: dict[str, Any] = {"resolvers": world.resolvers, "pushed": world.pushed, "device_mtu": 1500}
    error = "The server gave no answer within 10 seconds." if world.blocked else ""
    yield Tunnel("udp", UDP_PORT, not world.blocked, 0.4, error, **options)
    # Over a hole the certificates of the handshake do not arrive.
    error = "The handshake was not finished within 20 seconds." if world.hole else ""
    yield Tunnel("tcp", TCP_PORT, not world.hole, 0.5, error, **options)


def _gateway(world: World, chance: random.Random, paths: tuple[Path, ...]) -> Gateway:
    gateway = Gateway(
        "gateway1", NOW,
        Machine(4, "a processor", 3000.0, has_aes=True, burstable=world.burstable, instance_type="t3.small"),
        Clock(synchronised=True, offset=0.002, source="ntp"),
        listeners=tuple(_listener(world, name) for name in ("udp", "tcp")),
        samples=tuple(_samples(world, chance, paths)),
        logs=tuple(_logs(world)),
        resolvers=(Resolver("127.0.0.1", "dnsmasq", "/etc/resolv.conf", answered=True, seconds=0.01),),
        expiries=(
            Expiry("gateway certificate", f"{FOLDER}/server.crt", NOW + 300 * DAY, NOW - 90 * DAY),
            Expiry("CRL", f"{FOLDER}/crl.pem", NOW + 28 * DAY, NOW - 2 * DAY),
            Expiry("CA certificate", f"{FOLDER}/ca.crt", NOW + 3000 * DAY, NOW - 90 * DAY),
        ),
        sysctl=GOOD_SYSCTL,
    )  # fmt: skip
    return replace(gateway, **world.gateway)


def _listener(world: World, name: str) -> Listener:
    options = dict(OPTIONS[name])
    buffers = Buffers(212992, 212992, 212992, 212992) if name == "udp" else Buffers(131072, 131072, 16384, 16384)
    if name == "tcp" and world.buffers:
        options |= {"sndbuf": str(world.buffers), "rcvbuf": str(world.buffers)}
        buffers = Buffers(131072, 2 * world.buffers, 16384, 2 * world.buffers)
    listener = Listener(
        name, name, UDP_PORT if name == "udp" else TCP_PORT, "answered", 4711, "2.6.14", NOW - DAY,
        f"/etc/openvpn/server/{name}.conf", NOW - 2 * DAY, dco="unavailable", options=options, buffers=buffers,
        quota=world.quota, sessions=3, octets=10**9, cpu_seconds=8.0,
    )  # fmt: skip
    return replace(listener, **world.listener)


def _samples(world: World, chance: random.Random, paths: tuple[Path, ...]) -> Iterator[Sample]:
    cores = min(1.0, world.quota or 1.0)
    for path in paths:
        spans = [
            (path.started + one.begin, path.started + one.begin + (one.settled or 0.0) + one.seconds, one)
            for one in path.segments
        ]
        for tick in range(int(60 / 0.25)):
            at = path.started + tick * 0.25
            active = next((one for begin, end, one in spans if begin <= at - 0.125 <= end), None)
            busiest = 0.05
            for name, place in (("udp", TUNNEL_UDP), ("tcp", TUNNEL_TCP)):
                cpu, waiting, throttled = 0.01, 0.0, 0.0
                if active is not None and active.place == place:
                    share = TCP_LISTENER_SHARE if place == TUNNEL_TCP else 1.0
                    wanted = tunnel_rate(world, place, active.direction) / (world.core * share)
                    cpu = min(cores, wanted * chance.uniform(0.95, 1.05))
                    waiting = world.waiting if wanted >= 0.1 else 0.0
                    throttled = 0.9 - cpu if world.quota and cpu >= 0.9 * cores else 0.0
                busiest = max(busiest, cpu)
                yield Sample(at, 0.25, name, cpu, waiting, max(0.0, throttled))
            yield Sample(at, 0.25, "", busiest, steal=world.steal, softirq=0.05)


def _logs(world: World) -> Iterator[LogCount]:
    if world.depth:
        line = f"alice/203.0.113.5:40000 PID_ERR replay-window backtrack occurred [{world.depth}]"
        yield LogCount("backtrack", "udp", 3, float(world.depth), ("alice",), line)
    if world.bad_ids:
        line = "alice/203.0.113.5:40000 AEAD Decrypt error: bad packet ID (may be a replay): [ #4711 ]"
        yield LogCount("replay_bad_id", "udp", world.bad_ids, None, ("alice",), line)
    if world.saturated:
        line = "bob/203.0.113.9:40000 MULTI: packet dropped due to output saturation (multi_process_incoming_tun)"
        yield LogCount("output_saturation", "tcp", world.saturated, None, ("bob",), line)


def expired(what: str = "CRL", days: float = 1.0) -> dict[str, Any]:
    """A gateway on which something ended so many days ago, or ends in so many, less than nothing."""
    return {"expiries": (Expiry(what, f"/etc/openvpn/{what}.pem", NOW + 100 - days * DAY, NOW - 400 * DAY),)}


def foreign(running: tuple[int, ...] = (4712,), starts: bool | None = True) -> dict[str, Any]:
    path = "/etc/openvpn/server/udp-old.conf"
    return {"foreign_configs": (ForeignConfig(path, "not written by this collection", running, starts),)}


LIMIT_DOWN, LIMIT_UP = (DOWN, 10 * MBIT), (UP, 10 * MBIT)
