"""Questions to a name server over UDP, so many at once, each answer judged; run inside a namespace.

Whoever is answered asks the next at once, so the rate is what the way allows. The names are numbers, and their
addresses follow from them: an answer is right only if it is the address of its own question. A question without a
right answer counts as one that took as long as a client waits, so that losses show in the percentiles.
"""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import itertools
import json
import math
import select
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

ZONE = "bench.example"
FIRST_ADDRESS = ipaddress.IPv4Address("198.18.0.0")  # A network for measurements (RFC 2544): 131,072 addresses.
MOST_NAMES = 131_072
TIMEOUT_SECONDS = 2.0
MOST_SOCKETS = 8
_ASKED_ZONE = b"".join(bytes([len(label)]) + label.encode() for label in ZONE.split(".")) + b"\0"
_HEADER_BYTES = 12


@dataclass(frozen=True)
class Demand:
    """What is asked.

    :param first: The number of the first name.
    :param names: How many names there are.
    :param again: Whether they are asked again and again; else each is asked once.
    :param seconds: How long questions are sent.
    """

    address: str
    port: int
    at_once: int
    seconds: float
    first: int
    names: int
    again: bool


@dataclass(frozen=True)
class Load:
    """What came of it.

    :param seconds: From the first question to the last answer.
    :param lost: Questions without an answer in time.
    :param wrong: Questions with another answer than the right one.
    """

    answered: int
    lost: int
    wrong: int
    seconds: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.answered / self.seconds


def name_of(number: int) -> str:
    """A name in the zone."""
    return f"n{number:06d}"


def address_of(number: int) -> str:
    """The address that belongs to a name."""
    return str(FIRST_ADDRESS + number)


def question(identifier: int, number: int) -> bytes:
    """The message that asks for the address of a name."""
    label = name_of(number).encode()
    header = struct.pack("!6H", identifier, 0x0100, 1, 0, 0, 0)
    return header + bytes([len(label)]) + label + _ASKED_ZONE + b"\0\1\0\1"


def belongs(answer: bytes, asked: bytes) -> bool:
    """Whether a message is the answer to this question, whatever it says."""
    return (
        len(answer) >= len(asked)
        and answer[:2] == asked[:2]
        and bool(answer[2] & 0x80)
        and answer[_HEADER_BYTES : len(asked)] == asked[_HEADER_BYTES:]
    )


def is_right(answer: bytes, number: int) -> bool:
    """Whether an answer is one record without an error, with the address of this name."""
    return not answer[3] & 0x0F and answer[6:8] == b"\0\1" and answer[-4:] == (FIRST_ADDRESS + number).packed


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0


@dataclass
class _Asker:
    """Keeps so many questions under way."""

    demand: Demand
    numbers: Iterator[int]
    sockets: list[socket.socket]
    waiting: dict[int, tuple[float, int, bytes]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    answered: int = 0
    lost: int = 0
    wrong: int = 0
    last: float = 0.0
    _identifiers: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(65_536)))

    def run(self) -> float:
        """Ask until the time is over or the names are, wait for what is under way, and return when that began."""
        poll = select.epoll()
        by_number = {each.fileno(): each for each in self.sockets}
        for each in self.sockets:
            poll.register(each, select.EPOLLIN)
        began = self.last = time.perf_counter()
        asking = True
        while asking or self.waiting:
            now = time.perf_counter()
            asking = asking and now < began + self.demand.seconds
            while asking and len(self.waiting) < self.demand.at_once:
                asking = self._ask()
            for number, _event in poll.poll(self._patience(now)):
                self._receive(by_number[number])
            self._give_up(time.perf_counter())
        poll.close()
        return began

    def _ask(self) -> bool:
        number = next(self.numbers, None)
        if number is None:
            return False
        identifier = next(self._identifiers)
        message = question(identifier, number)
        self.waiting[identifier] = (time.perf_counter(), number, message)
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):  # What is not sent counts as lost.
            self.sockets[identifier % len(self.sockets)].send(message)
        return True

    def _receive(self, ready: socket.socket) -> None:
        try:
            answer = ready.recv(4096)
        except (BlockingIOError, ConnectionRefusedError):
            return
        now = time.perf_counter()
        identifier = int.from_bytes(answer[:2], "big")
        since, number, message = self.waiting.get(identifier, (0.0, 0, b""))
        if not message or not belongs(answer, message):
            return  # Too late: it was given up.
        del self.waiting[identifier]
        if is_right(answer, number):
            self.answered, self.last = self.answered + 1, now
            self.latencies.append(now - since)
        else:
            self.wrong += 1
            self.latencies.append(TIMEOUT_SECONDS)

    def _patience(self, now: float) -> float:
        """Seconds until the oldest question is given up."""
        for since, _number, _message in self.waiting.values():
            return max(0.0, since + TIMEOUT_SECONDS - now)
        return 0.0

    def _give_up(self, now: float) -> None:
        while self.waiting:
            identifier = next(iter(self.waiting))
            if now < self.waiting[identifier][0] + TIMEOUT_SECONDS:
                return
            del self.waiting[identifier]
            self.lost += 1
            self.latencies.append(TIMEOUT_SECONDS)


def ask(demand: Demand) -> Load:
    """Ask as demanded, and wait for what is under way when the time is over."""
    names: Iterable[int] = range(demand.first, demand.first + demand.names)
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _number in range(min(MOST_SOCKETS, demand.at_once))]
    try:
        for each in sockets:
            each.setblocking(False)
            each.connect((demand.address, demand.port))
        asker = _Asker(demand, itertools.cycle(names) if demand.again else iter(names), sockets)
        began = asker.run()
    finally:
        for each in sockets:
            each.close()
    p99_ms = percentile(asker.latencies, 0.99) * 1000
    return Load(asker.answered, asker.lost, asker.wrong, max(asker.last - began, 1e-6), p99_ms)


def main() -> None:
    """The demand is the argument, the load is printed; both as JSON."""
    demand = Demand(**json.loads(sys.argv[1]))
    gc.disable()
    print(json.dumps(asdict(ask(demand))))


if __name__ == "__main__":
    main()
