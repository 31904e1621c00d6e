"""A client, a gateway with a tunnel and its resolvers, and upstreams, each in a namespace; and who of them is asked."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import _dns_load
from benchmarks._dns_load import TIMEOUT_SECONDS, Demand, Load
from benchmarks._dns_servers import bind_text, names_zone, our_text, start_bind, start_dnsmasq, stock_text
from benchmarks._namespaces import Namespaces, Relay
from benchmarks._tunnels import SERVER, Ours, Tunnel, Workshop

CLIENT = "client"
OURS, DIRECT, STOCK, FLOOR = "ours", "upstream", "stock dnsmasq", "tunnel alone"
# Names of the zone that are asked again and again, those that fill a cache, and from which on names are new.
REPEATED, FILLING, FIRST_NEW = 1_000, 11_000, 12_000
AT_ONCE_WARMING = 150
WARMING_SECONDS = 20.0


@dataclass(frozen=True)
class Case:
    """Names, and how many questions are under way.

    :param names: How many names are asked again and again; 0 for names that are asked once.
    """

    names: int
    at_once: int

    def __str__(self) -> str:
        return f"{self.names or 'new'} names, {self.at_once} at once"


@dataclass(frozen=True)
class Target:
    """Who is asked.

    :param watched: The gateway's card to the upstream, where it is of interest how much is asked there.
    """

    address: str
    port: int = 53
    watched: str = ""


@dataclass(frozen=True)
class Answered:
    """A load, and how many packets it brought to the upstream for each right answer."""

    load: Load
    asked_upstream: float | None = None


Rounds = Mapping[str, Sequence[Answered]]


@dataclass
class Paths:
    """Made once, and measured case by case."""

    shop: Workshop
    rounds: int
    seconds: float
    _tunnel: Tunnel | None = None
    _port: int = 5300

    @property
    def spaces(self) -> Namespaces:
        return self.shop.spaces

    def tunnel(self) -> Tunnel:
        """The tunnel between the client and the gateway, and the cable beside it."""
        if self._tunnel is None:
            self.spaces.cable(SERVER, CLIENT, subnet="10.77.1")
            self.spaces.inside(SERVER, "sysctl", "-qw", "net.ipv4.ip_forward=1", seconds=10)
            self._tunnel = self.shop.tunnel(Ours(), "udp", client=CLIENT, address="10.77.1.1")
            self.shop.wait()
        return self._tunnel

    def upstream(self, name: str, *, octet: int, relay: Relay | None = None) -> dict[str, Target]:
        """An upstream, and all ways to it: it has an address beside the tunnel and one behind it."""
        subnet, behind, tunnel = f"10.78.{octet}", f"10.79.{octet}.2", self.tunnel()
        if relay is None:
            self.spaces.cable(SERVER, name, subnet=subnet)
        else:
            self.spaces.relayed(SERVER, name, subnet=subnet, relay=relay)
        self.spaces.ip(name, "address", "add", f"{behind}/32", "dev", "lo")
        self.spaces.ip(name, "route", "add", "default", "via", f"{subnet}.1")
        self.spaces.ip(SERVER, "route", "add", f"{behind}/32", "via", f"{subnet}.2")
        self.spaces.ip(CLIENT, "route", "add", f"{subnet}.0/24", "via", "10.77.1.1")
        self.spaces.ip(CLIENT, "route", "add", f"{behind}/32", "via", tunnel.inside)
        folder = self.shop.folder / name
        folder.mkdir()
        (folder / "named.conf").write_text(bind_text(folder, zone='file "zone";'))
        (folder / "zone").write_text(names_zone())
        start_bind(self.spaces, name, folder)
        return {
            DIRECT: Target(f"{subnet}.2"),
            FLOOR: Target(behind),
            OURS: self.dnsmasq(our_text, octet=octet),
            STOCK: self.dnsmasq(stock_text, octet=octet),
        }

    def dnsmasq(self, render: Callable[..., str], *, octet: int) -> Target:
        """A dnsmasq on the gateway, reached through the tunnel.

        :param render: Called with the upstream, and with ``folder`` and ``port``.
        """
        self._port += 1
        text = render(f"10.78.{octet}.2", folder=self.shop.folder, port=self._port)
        start_dnsmasq(self.spaces, SERVER, self.shop.folder, name=f"dnsmasq-{self._port}", text=text)
        return Target(self.tunnel().inside, self._port, f"e10-78-{octet}")

    def fill(self, target: Target) -> None:
        """Fill the cache of a dnsmasq with names that nobody asks for any more: it is slower then."""
        self._ask(target, AT_ONCE_WARMING, WARMING_SECONDS, range(REPEATED, FILLING))

    def measure(self, targets: Mapping[str, Target], case: Case, new: range) -> dict[str, list[Answered]]:
        """All ways in turn, again and again, each round beginning with another one.

        :param new: Names of which no cache knows: those that are asked once are taken from these, a part each round.
        """
        ways, share = list(targets), len(new) // self.rounds
        found: dict[str, list[Answered]] = {way: [] for way in ways}
        for target in targets.values() if case.names else ():
            if target.watched:
                self._ask(target, AT_ONCE_WARMING, WARMING_SECONDS, range(case.names))
        for number in range(self.rounds):
            start = number % len(ways)
            names = range(case.names) if case.names else new[number * share :][:share]
            for way in ways[start:] + ways[:start]:
                found[way].append(self._ask(targets[way], case.at_once, self.seconds, names, again=bool(case.names)))
        return found

    def _ask(self, target: Target, at_once: int, seconds: float, names: range, *, again: bool = False) -> Answered:
        demand = Demand(target.address, target.port, at_once, seconds, names.start, len(names), again)
        before = self._sent(target.watched)
        argv = (sys.executable, "-P", str(Path(_dns_load.__file__)), json.dumps(asdict(demand)))
        load = Load(**json.loads(self.spaces.inside(CLIENT, *argv, seconds=seconds + 10 * TIMEOUT_SECONDS)))
        if not load.answered:
            raise RuntimeError(f"{target.address} port {target.port} gave no right answer: {load}")
        asked = (self._sent(target.watched) - before) / load.answered if target.watched else None
        return Answered(load, asked)

    def _sent(self, card: str) -> int:
        if not card:
            return 0
        (link,) = json.loads(self.spaces.ip(SERVER, "-s", "-j", "link", "show", "dev", card))
        return int(link["stats64"]["tx"]["packets"])


def median_rate(found: Sequence[Answered]) -> float:
    """The median of the rounds, in right answers a second."""
    return statistics.median(each.load.rate for each in found)


def median_ratio(ours: Sequence[Answered], peer: Sequence[Answered]) -> float:
    """The median of the ratios of the rounds: what a round suffered from, both did."""
    return statistics.median(mine.load.rate / other.load.rate for mine, other in zip(ours, peer, strict=True))


def figures(found: Sequence[Answered], prefix: str = "") -> dict[str, float]:
    """Medians of the rounds, and sums of what went wrong, by name with the unit."""
    values: dict[str, float] = {
        "p99_ms": statistics.median(each.load.p99_ms for each in found),
        "lost": sum(each.load.lost for each in found),
        "wrong": sum(each.load.wrong for each in found),
    }
    asked = [each.asked_upstream for each in found if each.asked_upstream is not None]
    if asked:
        values["asked_upstream_an_answer"] = statistics.median(asked)
    return {f"{prefix}{name}": value for name, value in values.items()}
