"""Throughput of the real tunnel between network namespaces: ours, the stock sample files, and recipes people follow.

Ours is what the collection's own filters render today. TCP payload inside, one stream, both directions; UDP and TCP
outside. Paths: a clean cable, one that carries jumbo frames, and 100 Mbit/s with a round trip of 40 and of 100 ms
and a queue of as long, by a relay. Floor: the same path without VPN, in packets of 1500 bytes. All ways are measured in
turn in rounds; a ratio is the median of those of the rounds, and two ways closer than 8 % are equal. TCP is cubic
everywhere, whatever the machine prefers. The clean path is limited by the CPU, the others by the path; there the third
and the fourth second count, which is what a person waits for: TCP in TCP without ``tcp-nodelay`` starts very slowly.
Ours has segments as the role's firewall clamps them.

Run it with ``./lab bench throughput [--json] [--quick | --knobs]``.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _recipes as recipes
from benchmarks._namespaces import Namespaces, Relay
from benchmarks._rows import Row, Table, parse_options
from benchmarks._traffic import (
    DIRECTIONS,
    Length,
    Rounds,
    Sample,
    Target,
    in_rounds,
    median_mbit,
    median_ratio,
    medians,
    start_sink,
    transfer,
    transfer_together,
)
from benchmarks._tunnels import SERVER, Ours, Way, Workshop

NAME = "throughput"
FLOOR = "no VPN"
MBIT = 100
LOSS_PER_MILLION = 5_000
JUMBO = Ours("ours, jumbo", server=("tun-mtu 9000", "mssfix 0"), client=("tun-mtu 9000", "mssfix 0"), clamped=False)
CLEAN_PEERS: Mapping[str, tuple[recipes.Recipe, ...]] = {
    "udp": (recipes.STOCK, recipes.OPENVPN_INSTALL, recipes.FIXED_BUFFERS, recipes.COMPRESSED, recipes.SMALL_MTU),
    "tcp": (recipes.STOCK, recipes.OPENVPN_INSTALL, recipes.FIXED_BUFFERS),
}
LONG_PEERS: Mapping[str, tuple[recipes.Recipe, ...]] = {
    "udp": (recipes.STOCK,),
    "tcp": (recipes.STOCK, recipes.FIXED_BUFFERS),
}
# What each line of ours brings, and what the variables of the role would change: name, protocol, and the way.
KNOBS: tuple[tuple[str, Ours], ...] = (
    ("udp", Ours("without fast-io", without=("fast-io",))),
    ("udp", Ours("buffers 2 MiB", server=("sndbuf 2097152", "rcvbuf 2097152"))),
    ("udp", Ours("replay-window 64 15", without=("replay-window 512 15",), server=("replay-window 64 15",))),
    ("udp", Ours("txqueuelen 1000", server=("txqueuelen 1000",))),
    ("udp", Ours("mssfix 0", server=("mssfix 0",), client=("mssfix 0",))),
    ("udp", Ours("CHACHA20-POLY1305", server=("data-ciphers CHACHA20-POLY1305",))),
    ("udp", Ours("without the clamp", clamped=False)),
    ("tcp", Ours("without the clamp", clamped=False)),
    ("tcp", Ours("without tcp-nodelay", without=("tcp-nodelay",))),
    ("tcp", Ours("buffers 2 MiB", server=("sndbuf 2097152", "rcvbuf 2097152"))),
    ("tcp", Ours("buffers 393216", server=recipes.FIXED_BUFFER_LINES)),
    ("tcp", Ours("txqueuelen 1000", server=("txqueuelen 1000",))),
    ("tcp", Ours("tcp-queue-limit 512", server=("tcp-queue-limit 512", "bcast-buffers 1024"))),
)
SHORT, LONG = Length(1), Length(2, omitted=2)


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    clean_rounds: int = 3
    long_rounds: int = 2
    round_trips_ms: tuple[int, ...] = (40, 100)
    directions: tuple[str, ...] = DIRECTIONS
    clean_peers: Mapping[str, tuple[recipes.Recipe, ...]] = field(default_factory=lambda: CLEAN_PEERS)
    long_peers: Mapping[str, tuple[recipes.Recipe, ...]] = field(default_factory=lambda: LONG_PEERS)
    many_rounds: int = 3
    clients: int = 8
    lossy: bool = True
    long: Length = LONG


QUICK = Sizes(
    clean_rounds=1, long_rounds=1, round_trips_ms=(40,), directions=("down",),
    clean_peers={"udp": (recipes.STOCK,), "tcp": (recipes.STOCK,)},
    long_peers={"udp": (), "tcp": (recipes.STOCK, recipes.FIXED_BUFFERS)}, many_rounds=1, clients=4, lossy=False,
    long=Length(2, omitted=1),
)  # fmt: skip


@dataclass
class Bench:
    """Paths and tunnels, made where they are needed."""

    shop: Workshop
    table: Table
    sizes: Sizes
    _octet: int = 0

    @property
    def spaces(self) -> Namespaces:
        return self.shop.spaces

    def path(self, client: str, *, relay: Relay | None = None, **cable: Any) -> Target:
        """A path from a client's namespace to the servers, with a sink of its own."""
        self._octet += 1
        subnet = f"10.77.{self._octet}"
        if relay is None:
            self.spaces.cable(SERVER, client, subnet=subnet, **cable)
        else:
            self.spaces.relayed(SERVER, client, subnet=subnet, relay=relay, **cable)
        start_sink(self.spaces, 5200 + self._octet)
        return Target(client, f"{subnet}.1", 5200 + self._octet)

    def through(self, path: Target, way: Way, protocol: str) -> Target:
        """The same, through a tunnel."""
        tunnel = self.shop.tunnel(way, protocol, client=path.client, address=path.address)
        return Target(path.client, tunnel.inside, path.port, tunnel)

    def sample(self, target: Target, length: Length) -> Callable[[str], Sample]:
        return lambda direction: transfer(self.spaces, target, direction, length)

    def compare(
        self, rounds: Rounds, case: str, direction: str, *, ours: str, peer: str, n: int = 1, floor: str = FLOOR
    ) -> None:
        """A row of one way beside another."""
        mine, other, limit = (rounds.get((name, direction)) for name in (ours, peer, floor))
        if mine is None or other is None:
            raise KeyError(f"{ours} or {peer} was not measured")
        more = {**medians(mine), **medians(other, "peer_")}
        self.table.add(
            Row(
                NAME, case, n, "Mbit/s", median_mbit(mine), median_mbit(other), median_mbit(limit) if limit else None,
                more, less_is_better=False, paired_ratio=median_ratio(mine, other),
            )
        )  # fmt: skip


def _ours_and(peers: Sequence[recipes.Recipe]) -> list[Way]:
    return [Ours(), *peers]


def clean_path(bench: Bench) -> None:
    """CPU-bound: UDP and TCP, both directions, beside every recipe."""
    path, flat = bench.path("clean"), bench.path("flat", flat=True)
    ways = {FLOOR: bench.sample(flat, SHORT)}
    for protocol, peers in bench.sizes.clean_peers.items():
        for way in _ours_and(peers):
            ways[f"{protocol} {way.name}"] = bench.sample(bench.through(path, way, protocol), SHORT)
    bench.shop.wait()
    rounds = in_rounds(ways, rounds=bench.sizes.clean_rounds)
    for protocol, peers in bench.sizes.clean_peers.items():
        for direction in DIRECTIONS:
            for peer in peers:
                case = f"clean {protocol} {direction}, {peer.name}"
                bench.compare(rounds, case, direction, ours=f"{protocol} ours", peer=f"{protocol} {peer.name}")


def long_paths(bench: Bench) -> None:
    """Limited by the path. The relays of all round trips are measured at once: together they need half a core."""
    by_path: dict[int, dict[str, Callable[[str], Sample]]] = {}
    warm: dict[int, dict[str, Callable[[str], Sample]]] = {}
    idle: dict[int, Sample] = {}
    for milliseconds in bench.sizes.round_trips_ms:
        path = bench.path(f"ms{milliseconds}", relay=Relay(milliseconds, MBIT, milliseconds))
        idle[milliseconds] = transfer(bench.spaces, path, "up", Length(1, idle=True))
        ways = by_path.setdefault(milliseconds, {FLOOR: bench.sample(path, bench.sizes.long)})
        for protocol, peers in bench.sizes.long_peers.items():
            for way in _ours_and(peers) if peers else ():
                target = bench.through(path, way, protocol)
                ways[f"{protocol} {way.name}"] = bench.sample(target, bench.sizes.long)
                if protocol == "tcp":
                    warm.setdefault(milliseconds, {})[way.name] = bench.sample(target, SHORT)
    bench.shop.wait()
    with ThreadPoolExecutor(len(by_path)) as pool:
        # The first transfer of a tunnel finds connections that have not felt their way yet: it does not count.
        list(pool.map(partial(in_rounds, rounds=1, directions=bench.sizes.directions), warm.values()))
        measure = partial(in_rounds, rounds=bench.sizes.long_rounds, directions=bench.sizes.directions)
        found = dict(zip(by_path, pool.map(measure, by_path.values()), strict=True))
    for milliseconds, rounds in found.items():
        _print_long(bench, milliseconds, rounds, idle[milliseconds])


def _print_long(bench: Bench, milliseconds: int, rounds: Rounds, idle: Sample) -> None:
    what = f"{milliseconds} ms {MBIT} Mbit/s"
    for direction in bench.sizes.directions:
        floor, more = rounds[FLOOR, direction], {"idle_rtt_ms": idle.min_rtt_ms}
        case = f"{what} {direction}, {FLOOR}"
        row = Row(NAME, case, 1, "Mbit/s", median_mbit(floor), floor=MBIT, more=more, less_is_better=False)
        bench.table.add(row)
        for protocol, peers in bench.sizes.long_peers.items():
            for peer in peers:
                case = f"{what} {protocol} {direction}, {peer.name}"
                bench.compare(rounds, case, direction, ours=f"{protocol} ours", peer=f"{protocol} {peer.name}")


def jumbo_path(bench: Bench) -> None:
    """A cable that carries 9000 bytes: ours told so, beside stock."""
    path = bench.path("jumbo", mtu=9000)
    ways = {way.name: bench.sample(bench.through(path, way, "udp"), SHORT) for way in (JUMBO, recipes.STOCK)}
    bench.shop.wait()
    rounds = in_rounds(ways, rounds=bench.sizes.clean_rounds, directions=bench.sizes.directions)
    for direction in bench.sizes.directions:
        bench.compare(rounds, f"jumbo udp {direction}, stock", direction, ours=JUMBO.name, peer="stock")


def many_clients(bench: Bench) -> None:
    """Several clients at once, on one process and on two of the same listener; beside it stock, and one client."""
    count = bench.sizes.clients
    paths = [bench.path(f"w{number}") for number in range(count)]
    ways: dict[str, Callable[[str], Sample]] = {}
    for name, way, processes in (("stock", recipes.STOCK, 1), ("one", Ours(), 1), ("two", Ours(), 2)):
        servers = bench.shop.servers(way, "udp", processes=processes)
        targets = []
        for number, path in enumerate(paths):
            tunnel = bench.shop.join(servers[number % len(servers)], client=path.client, address=path.address)
            targets.append(Target(path.client, tunnel.inside, path.port, tunnel))
        ways[name] = partial(_together, bench, targets)
        if name == "one":
            ways["alone"] = partial(_together, bench, targets[:1])
    bench.shop.wait()
    rounds = in_rounds(ways, rounds=bench.sizes.many_rounds, directions=bench.sizes.directions)
    for direction in bench.sizes.directions:
        for ours, peer, what in (
            ("one", "stock", "stock"),
            ("one", "alone", "as one client"),
            ("two", "one", "two processes as one"),
        ):
            bench.compare(rounds, f"{count} clients {direction}, {what}", direction, ours=ours, peer=peer, n=count)


def _together(bench: Bench, targets: Sequence[Target], direction: str) -> Sample:
    return transfer_together(bench.spaces, targets, direction, SHORT)


def lossy_path(bench: Bench) -> None:
    """The gateway's TCP listener under bbr beside cubic, where one packet in two hundred is lost."""
    if "bbr" not in Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split():
        bench.table.say("this kernel has no bbr: no row with losses")
        return
    relay = Relay(40, MBIT, 40, loss_per_million=LOSS_PER_MILLION)
    ways = {}
    for congestion in ("bbr", "cubic"):
        path = bench.path(f"lossy-{congestion}", relay=relay, congestion=congestion)
        ways[congestion] = bench.sample(bench.through(path, Ours(), "tcp"), LONG)
    bench.shop.wait()
    rounds = in_rounds(ways, rounds=bench.sizes.long_rounds, directions=("down",))
    bench.compare(rounds, "40 ms, 0.5 % lost, tcp down, bbr to cubic", "down", ours="bbr", peer="cubic")


def knobs(bench: Bench) -> None:
    """What single settings change, each beside ours: on the clean path, then on a long one."""
    for what, path, length in (
        ("clean", bench.path("clean"), SHORT),
        ("40 ms", bench.path("ms40", relay=Relay(40, MBIT, 40)), LONG),
    ):
        ways = {protocol: bench.sample(bench.through(path, Ours(), protocol), length) for protocol in ("udp", "tcp")}
        for protocol, way in KNOBS:
            ways[f"{protocol} {way.name}"] = bench.sample(bench.through(path, way, protocol), length)
        bench.shop.wait()
        rounds = in_rounds(ways, rounds=2 if length is SHORT else 1)
        for direction in DIRECTIONS:
            for protocol, way in KNOBS:
                case = f"{what} {protocol} {direction}, {way.name}"
                bench.compare(rounds, case, direction, ours=f"{protocol} {way.name}", peer=protocol)


def measure(bench: Bench) -> None:
    """All rows."""
    clean_path(bench)
    jumbo_path(bench)
    many_clients(bench)
    long_paths(bench)
    if bench.sizes.lossy:
        lossy_path(bench)
    drops = sum(count["queue_drops"] for count in bench.spaces.end_relays())
    bench.table.say(f"the relays' queues dropped {drops} packets, as queues of that length do")


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


def main() -> None:
    """Measure in namespaces that go away again, also after Ctrl-C."""
    options = parse_options(NAME, __doc__ or "", knobs="what single settings change, each beside ours")
    missing = [program for program in ("openvpn", "iperf3", "gcc", "ip", "nsenter") if shutil.which(program) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not installed: ./lab installs what is missing")
    signal.signal(signal.SIGTERM, _interrupt)
    with tempfile.TemporaryDirectory(prefix="psgb", dir="/tmp") as name, Namespaces(Path(name)) as spaces:
        try:
            bench = Bench(Workshop(Path(name), spaces), Table(options), QUICK if options.quick else Sizes())
            knobs(bench) if options.knobs else measure(bench)
        except KeyboardInterrupt:
            sys.exit("interrupted; the namespaces are gone")


if __name__ == "__main__":
    main()
