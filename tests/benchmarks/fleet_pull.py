"""A thousand gateways that pull a CRL of 100,000 entries from the authority's web server.

nginx is configured by the role's own template, in a network namespace of its own. The agents ask by the code of the
real one and read its answers by it, in another namespace, over a cable between the two: all at once, and spread over a
minute as the agent's timer spreads them. Once with a new CRL, and once with nothing new, where the agent names what it
has (``If-None-Match``) and is told so (304). Peer: a fleet that fetches every minute whether there is anything new or
not. Bytes are those on the cable, both ways; CPU seconds those of all processes of nginx. Two cores serve nginx and all
agents here: what a gigabit takes is computed from the bytes. Floor of a minute is when the last of them asks.

To verify the CRL and put it in place is each gateway's own work: ``one agent`` is the whole of it, with a CRL that is
new and with nothing new. Floor: ``openssl crl`` verifies the same file. An agent that does not have the CRL at the end
of a round ends it with 1.

Run it with ``./lab bench fleet-pull [--json] [--quick]``.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _pull_fleet
from benchmarks._dns_load import percentile
from benchmarks._namespaces import Namespaces, run
from benchmarks._orders import tell
from benchmarks._publisher import ADDRESS, NAMESPACE, Publisher, configuration
from benchmarks._rows import Row, Table, parse_options
from benchmarks._sessions import wait_for

NAME = "fleet-pull"
AGENTS_NAMESPACE = "agents"
SUBNET = ADDRESS.rpartition(".")[0]
CARD = f"e{SUBNET.replace('.', '-')}"
PROCESSES = 20
GIGABIT = 125e6
MEGABYTE = 1e6
SEED = 7
# Threads of all agents are there by then.
START_SECONDS = 1.5
ROUND_SECONDS = 90.0
PROGRAMS = ("nginx", "openssl", "ip", "nsenter", "pgrep", "prlimit")
AT_ONCE, SPREAD = "at once", "over a minute"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    :param entries: Of the CRL.
    :param minute: How long the timer's spread is, in seconds.
    :param samples: How many agents do all of their work.
    """

    agents: int = 1_000
    entries: int = 100_000
    minute: float = 60.0
    samples: int = 5


QUICK = Sizes(agents=200, entries=10_000, minute=6.0, samples=2)


@dataclass(frozen=True)
class Round:
    """What all agents found in one round, and what it took.

    :param last: Seconds from the beginning until the last had its answer; ``asked`` until the last asked.
    :param bytes: On the cable.
    :param failed: Agents that do not have the CRL, with the reasons of some.
    """

    seconds: Sequence[float]
    asked: float
    bytes: int
    cpu: float
    unchanged: int
    failed: Sequence[str]

    @property
    def last(self) -> float:
        return max(self.seconds)

    def figures(self, prefix: str = "") -> dict[str, float]:
        """For a row."""
        return {
            f"{prefix}MB": self.bytes / MEGABYTE,
            f"{prefix}nginx_cpu_s": self.cpu,
            f"{prefix}seconds_at_1_gbit": self.bytes / GIGABIT,
            f"{prefix}p50_s": percentile(self.seconds, 0.5),
            f"{prefix}unchanged": self.unchanged,
            f"{prefix}without_the_crl": len(self.failed),
        }


@dataclass
class Bench:
    """The web server and the processes of agents."""

    spaces: Namespaces
    publisher: Publisher
    sizes: Sizes
    controls: list[Path] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.publisher.folder

    def start(self) -> None:
        """Start all of them."""
        self.spaces.cable(NAMESPACE, AGENTS_NAMESPACE, subnet=SUBNET)
        self.publisher.publish()
        self.publisher.start(configuration(self.publisher.crl.parent, self.folder))
        for number in range(PROCESSES):
            control = self.folder / f"fleet{number}.sock"
            demand = {
                "url": self.publisher.url, "count": self.sizes.agents // PROCESSES,
                "published": str(self.publisher.crl), "folder": str(self.folder),
            }  # fmt: skip
            argv = [sys.executable, str(Path(_pull_fleet.__file__)), str(control), json.dumps(demand)]
            self.spaces.start(AGENTS_NAMESPACE, argv, folder=self.folder, log=control.with_suffix(".log"))
            self.controls.append(control)
        for control in self.controls:
            wait_for(f"{control.name}", control.is_socket)

    def round(self, spread: float, *, is_conditional: bool) -> Round:
        """Have every agent look once."""
        parts = spread_offsets(self.sizes.agents, PROCESSES, spread)
        cpu, carried = self.publisher.cpu_seconds(), self.spaces.transferred(NAMESPACE, CARD)
        begin = time.time() + START_SECONDS
        pool = ThreadPoolExecutor(PROCESSES)
        try:
            waiting = [
                pool.submit(tell, control, "look", patience=ROUND_SECONDS, begin=begin, offsets=part,
                            is_conditional=is_conditional)
                for control, part in zip(self.controls, parts, strict=True)
            ]  # fmt: skip
            looks = [look for one in waiting for look in one.result()]
        finally:
            # Whoever interrupts this does not wait for the agents, which are ended then.
            pool.shutdown(wait=False)
        return Round(
            seconds=[look["finished"] - begin for look in looks],
            asked=max(offset for part in parts for offset in part),
            bytes=self.spaces.transferred(NAMESPACE, CARD) - carried,
            cpu=self.publisher.cpu_seconds() - cpu,
            unchanged=sum(look["unchanged"] for look in looks),
            failed=[look["problem"] or "another one" for look in looks if not look["has_it"]],
        )

    def whole_agents(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """All of the work of some agents, each the first time and then with nothing new.

        :raises RuntimeError: one of them complains.
        """
        first: list[dict[str, Any]] = []
        again: list[dict[str, Any]] = []
        for number in range(self.sizes.samples):
            folder = self.folder / f"gateway{number}"
            folder.mkdir()
            (folder / "ca.crt").write_text(self.publisher.authority.pem)
            for found in (first, again):
                found.append(tell(self.controls[0], "run", patience=ROUND_SECONDS, name=folder.name))
                if found[-1]["problem"]:
                    raise RuntimeError(f"the agent: {found[-1]['problem']}")
        return first, again

    def floor(self) -> float:
        """Seconds in which ``openssl`` verifies the CRL."""
        ca = self.folder / "ca.crt"
        ca.write_text(self.publisher.authority.pem)
        seconds = []
        for _time in range(self.sizes.samples):
            began = time.perf_counter()
            run("openssl", "crl", "-in", str(self.publisher.crl), "-CAfile", str(ca), "-noout")
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)


def spread_offsets(agents: int, processes: int, minute: float) -> list[list[float]]:
    """When each agent looks next, in seconds from now, by process.

    As the role's timer does once it has run for a while: five sixths of a minute after the last look, and then by
    chance up to a sixth more.
    """
    chance = random.Random(SEED)  # noqa: S311 - the same ones in every round

    def next_look() -> float:
        return chance.uniform(0.0, minute * (5 + chance.random()) / 6)

    return [[next_look() for _agent in range(agents // processes)] for _process in range(processes)]


def rounds_of(bench: Bench, spread: float, table: Table) -> dict[str, Round]:
    """A new CRL, nothing new, and the peer's round with nothing new."""
    bench.publisher.publish()
    found = {
        "new": bench.round(spread, is_conditional=True),
        "nothing new": bench.round(spread, is_conditional=True),
        "peer": bench.round(spread, is_conditional=False),
    }
    for name, one in found.items():
        if one.failed:
            table.say(f"    {name}: {len(one.failed)} agents do not have the CRL, such as: {one.failed[0]}")
    return found


def rows_of(name: str, found: Mapping[str, Round], agents: int) -> list[Row]:
    """The rows of one way to spread."""
    new, same, peer = found["new"], found["nothing new"], found["peer"]
    floor = new.asked or None
    more = {**new.figures(), **peer.figures("peer_")}
    return [
        Row(NAME, f"new CRL, {name}: the last has it", agents, "s", new.last, peer.last, floor, more),
        Row(
            NAME, f"nothing new, {name}: on the cable", agents, "MB", same.bytes / MEGABYTE, peer.bytes / MEGABYTE,
            more={**same.figures(), "last_s": same.last},
        ),
        Row(NAME, f"nothing new, {name}: nginx", agents, "CPU s", same.cpu, peer.cpu),
    ]  # fmt: skip


def agent_rows(bench: Bench, entries: int) -> list[Row]:
    """The rows of one agent's whole work."""
    first, again = bench.whole_agents()
    floor = bench.floor()
    return [
        Row(
            NAME, f"one agent, {what}", entries, "s", statistics.median(one["seconds"] for one in found), floor=floor,
            more={"cpu_s": statistics.median(one["cpu"] for one in found)},
        )
        for what, found in (("a new CRL", first), ("nothing new", again))
    ]  # fmt: skip


def measure(bench: Bench, table: Table) -> int:
    """All rows; how many agents did not get a CRL."""
    sizes, failed = bench.sizes, 0
    bench.start()
    # Everybody has the first one, so that there is something to name in the question for the next.
    bench.round(sizes.minute / 10, is_conditional=True)
    for name, spread in ((AT_ONCE, 0.0), (SPREAD, sizes.minute)):
        found = rounds_of(bench, spread, table)
        failed += sum(len(one.failed) for one in found.values())
        for row in rows_of(name, found, sizes.agents):
            table.add(row)
    for row in agent_rows(bench, sizes.entries):
        table.add(row)
    return failed


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


def main() -> int:
    """Measure in namespaces that go away again, also after Ctrl-C; 1 where an agent did not get a CRL."""
    options = parse_options(NAME, __doc__ or "")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not installed: ./lab installs what is missing")
    signal.signal(signal.SIGTERM, _interrupt)
    sizes = QUICK if options.quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="psgb", dir="/tmp") as name, Namespaces(Path(name)) as spaces:
        Path(name).chmod(0o755)
        try:
            bench = Bench(spaces, Publisher(spaces, Path(name), sizes.entries), sizes)
            return int(measure(bench, Table(options)) > 0)
        except KeyboardInterrupt:
            sys.exit("interrupted; the namespaces are gone")


if __name__ == "__main__":
    sys.exit(main())
