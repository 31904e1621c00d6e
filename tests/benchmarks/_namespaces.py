"""Network namespaces with cables and relays between them, and the programs in them; all of it goes away again.

Every program runs under ``timeout``, the relays end with their parent, and what a killed benchmark left behind is
removed by the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from conftest import CHECKOUT

NAMESPACES = Path("/run/netns")
LIFETIME_SECONDS = 400
RELAY_SOURCE = CHECKOUT / "tests/benchmarks/_path_relay.c"
PREFIX = "psgb"


@dataclass(frozen=True)
class Relay:
    """What lies between two ends besides a cable.

    :param round_trip_ms: Half of it each way.
    :param queue_ms: How long a full queue before the bottleneck takes to empty.
    :param loss_per_million: Packets lost at random, each way.
    :param late_per_million: Packets that come ``late_us`` after their time, so that others overtake them, each way.
    """

    round_trip_ms: int
    mbit: int
    queue_ms: int
    loss_per_million: int = 0
    late_per_million: int = 0
    late_us: int = 0

    def arguments(self) -> list[str]:
        """For the program, behind the names of the cards."""
        rate = self.mbit * 1_000_000
        numbers = [self.round_trip_ms * 500, rate, rate * self.queue_ms // 8000, self.loss_per_million]
        late = [self.late_per_million, self.late_us] if self.late_per_million else []
        return [str(number) for number in numbers + late]


def run(*argv: str, check: bool = True) -> str:
    """Run a program that is quick, and return what it printed."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def build_relay(folder: Path) -> Path:
    """Compile the relay."""
    program = folder / "path-relay"
    run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(RELAY_SOURCE))
    return program


def stale_namespaces(names: Sequence[str], running: Sequence[int]) -> list[str]:
    """Those of benchmarks that no longer run, by the process number in their names."""
    owned = ((name, re.match(rf"{PREFIX}(\d+)-", name)) for name in names)
    return [name for name, match in owned if match and int(match[1]) not in running]


@dataclass
class Namespaces:
    """The namespaces of one benchmark; use it as a context.

    :param folder: For the relay's program.
    """

    folder: Path
    _names: list[str] = field(default_factory=list)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)
    _relays: list[subprocess.Popen[str]] = field(default_factory=list)
    _relay_program: Path | None = None

    def __enter__(self) -> Self:
        running = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        existing = [path.name for path in NAMESPACES.glob(f"{PREFIX}*")]
        for name in stale_namespaces(existing, running):
            run("ip", "netns", "delete", name, check=False)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes + self._relays:
            process.terminate()
        for process in self._processes + self._relays:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        for process in self._processes + self._relays:
            process.kill()
            process.wait()
        for name in self._names:
            run("ip", "netns", "delete", name, check=False)

    def name(self, short: str) -> str:
        """The name of a namespace, which is made if need be. It has its loopback."""
        name = f"{PREFIX}{os.getpid()}-{short}"
        if name not in self._names:
            self._names.append(name)
            run("ip", "netns", "add", name)
            self.ip(short, "link", "set", "lo", "up")
        return name

    def ip(self, short: str, *arguments: str) -> str:
        """Run ``ip`` in a namespace."""
        return run("ip", "-n", self.name(short), *arguments)

    def cable(self, first: str, second: str, *, subnet: str, mtu: int = 1500, flat: bool = False) -> None:
        """A pair of cards: address .1 in the first namespace, .2 in the second.

        :param subnet: The first three octets.
        :param flat: Whether the cards carry packets of the MTU only, never several merged into one.
        """
        card = _card(subnet)
        self.ip(first, "link", "add", card, "type", "veth", "peer", "name", card, "netns", self.name(second))
        for number, end in enumerate((first, second), 1):
            self._finish(end, card, f"{subnet}.{number}", mtu=mtu, flat=flat)

    def relayed(self, first: str, second: str, *, subnet: str, relay: Relay, congestion: str = "cubic") -> None:
        """Two cards with a relay between them: address .1 in the first namespace, .2 in the second.

        :param congestion: TCP congestion control of the first; the second has cubic.
        """
        card = _card(subnet)
        middle = f"r{card}-{first}"
        for number, end in enumerate((first, second), 1):
            self.ip(middle, "link", "add", end, "type", "veth", "peer", "name", card, "netns", self.name(end))
            self.ip(middle, "link", "set", end, "up")
            self._finish(end, card, f"{subnet}.{number}", flat=True, congestion=congestion if number == 1 else "cubic")
        if self._relay_program is None:
            self._relay_program = build_relay(self.folder)
        argv = [str(self._relay_program), str(LIFETIME_SECONDS), first, second, *relay.arguments()]
        self._relays.append(self._popen(middle, argv, stdout=subprocess.PIPE))

    def _finish(
        self, end: str, card: str, address: str, *, mtu: int = 1500, flat: bool = False, congestion: str = "cubic"
    ) -> None:
        # A namespace may not choose any congestion control by sysctl, and inherits the machine's; a route may.
        merged = ("gso_max_segs", "1") if flat else ()
        self.ip(end, "link", "set", card, "mtu", str(mtu), *merged)
        self.ip(end, "address", "add", f"{address}/24", "dev", card)
        self.ip(end, "link", "set", card, "up")
        network = f"{address.rpartition('.')[0]}.0/24"
        self.ip(end, "route", "replace", network, "dev", card, "proto", "kernel", "src", address, "congctl", congestion)

    def launch(self, short: str, argv: Sequence[str], *, folder: Path, log: Path) -> subprocess.Popen[str]:
        """Start a program in a namespace that may end at once; what is returned is the ``timeout`` that guards it."""
        with log.open("wb") as stream:
            bounded = ["timeout", "--kill-after=5", str(LIFETIME_SECONDS), *argv]
            process = self._popen(short, bounded, cwd=folder, stdout=stream, stderr=subprocess.STDOUT)
        self._processes.append(process)
        return process

    def start(self, short: str, argv: Sequence[str], *, folder: Path, log: Path) -> int:
        """Start a program in a namespace, and return its process number."""
        process = self.launch(short, argv, folder=folder, log=log)
        for _attempt in range(200):
            children = run("pgrep", "--parent", str(process.pid), check=False).split()
            if children:
                return int(children[0])
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        raise RuntimeError(f"{argv[0]} did not start: {log.read_text(errors='replace')[-400:]}")

    def inside(self, short: str, *argv: str, seconds: float) -> str:
        """Run a program in a namespace to its end."""
        done = subprocess.run(
            self._argv(short, argv), check=False, capture_output=True, text=True, timeout=seconds,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    def transferred(self, short: str, device: str) -> int:
        """Bytes that a device has carried, both ways."""
        (link,) = json.loads(self.ip(short, "-s", "-j", "link", "show", "dev", device))
        return int(link["stats64"]["rx"]["bytes"]) + int(link["stats64"]["tx"]["bytes"])

    def end_relays(self) -> list[dict[str, Any]]:
        """Stop the relays, and return what each counted each way.

        :raises RuntimeError: one of them did not carry everything it should have.
        """
        counts: list[dict[str, Any]] = []
        for relay in self._relays:
            relay.send_signal(signal.SIGTERM)
            counts += [json.loads(line) for line in relay.communicate(timeout=10)[0].splitlines()]
        self._relays.clear()
        if any(count["oversize"] or count["no_slot"] for count in counts):
            raise RuntimeError(f"a relay lost packets of its own: {counts}")
        return counts

    def _argv(self, short: str, argv: Sequence[str]) -> list[str]:
        return ["nsenter", f"--net={NAMESPACES / self.name(short)}", "--", *argv]

    def _popen(self, short: str, argv: Sequence[str], **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(self._argv(short, argv), stdin=subprocess.DEVNULL, text=True, **more)


def _card(subnet: str) -> str:
    return f"e{subnet.replace('.', '-')}"
