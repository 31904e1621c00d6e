"""Small packets in a steady stream through many tunnels at once, and whose still come out of them; run in namespaces.

Two programs, each told what to do through a socket in the file system, which namespaces do not separate. ``send`` has
a card for each client and sends on it, a packet each so many seconds; ``sink`` stands behind the servers, notes the
kernel's time of each client's last packet, and sends every packet back. A packet that has no answer is lost; so is one
that could not be sent, since its client has no tunnel any more.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._orders import Answers, listen, obey

PACKET_BYTES = 64
# A packet without an answer for so long is lost.
LATE_SECONDS = 0.6
_HEAD = struct.Struct("!HI")
_TIME = struct.Struct("qq")
_PADDING = bytes(PACKET_BYTES - _HEAD.size)
# Python has no names for these options of Linux: the kernel's time of a packet, and a buffer as large as it takes.
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE, _SO_RXQ_OVFL = 35, 33, 40
_BUFFER_BYTES = 8 << 20
_LONGEST_SLEEP = 1.0


@dataclass
class Stream:
    """One client's packets.

    :param seconds: Between two packets; 0 while none are sent.
    :param waiting: When each packet was sent that is not answered, by its number.
    """

    number: int
    seconds: float = 0.0
    due: float = 0.0
    next: int = 0
    sent: int = 0
    unsent: int = 0
    answered: int = 0
    worst: float = 0.0
    waiting: dict[int, float] = field(default_factory=dict)

    def packet(self, now: float) -> bytes:
        """The next packet, which waits for its answer from now on."""
        number, self.next = self.next, self.next + 1
        self.sent += 1
        self.waiting[number] = now
        return _HEAD.pack(self.number, number) + _PADDING

    def take(self, packet: bytes, now: float) -> None:
        """An answer; one that comes again, or after its packet was forgotten, is nothing."""
        since = self.waiting.pop(_HEAD.unpack_from(packet)[1], None)
        if since is not None:
            self.answered += 1
            self.worst = max(self.worst, now - since)

    def lost(self, now: float) -> int:
        """Packets that were not sent, or not answered in time."""
        return self.unsent + sum(now - since > LATE_SECONDS for since in self.waiting.values())

    def forget(self) -> None:
        """Wait for nothing any more."""
        self.waiting.clear()
        self.unsent, self.worst = 0, 0.0


@dataclass
class Sender:
    """Sends on all cards.

    :param target: The address of the sink in each client's tunnel, by the client's number, with the port.
    """

    sockets: dict[int, socket.socket]
    target: dict[int, tuple[str, int]]
    streams: dict[int, Stream]
    _due: list[tuple[float, int]] = field(default_factory=list)

    def answers(self) -> Answers:
        """What this program can be told."""
        return {"pace": self.pace, "settle": self.settle, "stop": self.stop, "count": self.count}

    def pace(self, numbers: Sequence[int], seconds: float) -> None:
        """Send so often on these from now on; the streams of several begin spread over the time."""
        now = time.monotonic()
        for place, number in enumerate(numbers):
            stream = self.streams[number]
            stream.seconds = seconds
            stream.due = now + seconds * place / len(numbers)
            heapq.heappush(self._due, (stream.due, number))

    def settle(self, numbers: Sequence[int]) -> dict[str, float]:
        """What of these was lost until now, and the longest that an answer took; neither is told again.

        What is under way is not waited for.
        """
        now, streams = time.monotonic(), [self.streams[number] for number in numbers]
        told = {"lost": sum(each.lost(now) for each in streams), "worst": max(each.worst for each in streams)}
        for each in streams:
            each.forget()
        return told

    def stop(self, numbers: Sequence[int]) -> None:
        """Send nothing on these any more."""
        for number in numbers:
            self.streams[number].seconds = 0.0
            self.streams[number].forget()

    def count(self) -> dict[str, int]:
        """How many packets were sent and answered until now."""
        streams = self.streams.values()
        return {"sent": sum(each.sent for each in streams), "answered": sum(each.answered for each in streams)}

    def readable(self, number: int) -> None:
        """Take all answers on a card."""
        stream, one = self.streams[number], self.sockets[number]
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                stream.take(one.recv(PACKET_BYTES), time.monotonic())

    def work(self) -> float:
        """Send what is due; seconds until the next is."""
        while self._due:
            due, number = self._due[0]
            stream, now = self.streams[number], time.monotonic()
            if due > now:
                return due - now
            heapq.heappop(self._due)
            if not stream.seconds or stream.due != due:
                continue  # It was told to stop, or another pace.
            self._send(stream, now)
            # After a standstill nothing is made up for: the stream would be no steady one.
            stream.due = max(due + stream.seconds, now)
            heapq.heappush(self._due, (stream.due, number))
        return _LONGEST_SLEEP

    def _send(self, stream: Stream, now: float) -> None:
        packet = stream.packet(now)
        try:
            self.sockets[stream.number].sendto(packet, self.target[stream.number])
        except OSError:
            stream.unsent += 1
            del stream.waiting[stream.next - 1]


@dataclass
class Sink:
    """Takes all packets, and sends them back."""

    socket: socket.socket
    counts: dict[int, int] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    dropped: int = 0

    def answers(self) -> Answers:
        """What this program can be told."""
        return {"last": self.last_of, "dropped": lambda: self.dropped}

    def last_of(self, numbers: Sequence[int]) -> list[tuple[int, float | None]]:
        """How many packets of each client came, and when the last, seconds since 1970-01-01 UTC."""
        return [(self.counts.get(number, 0), self.last.get(number)) for number in numbers]

    def readable(self, _number: int) -> None:
        """Take all packets that are there."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, notes, _flags, whom = self.socket.recvmsg(PACKET_BYTES, 128)
                self._note(packet, notes)
                with contextlib.suppress(OSError):  # The way back of somebody who was cut is gone.
                    self.socket.sendto(packet, whom)

    def _note(self, packet: bytes, notes: Sequence[tuple[int, int, bytes]]) -> None:
        number = _HEAD.unpack_from(packet)[0]
        self.counts[number] = self.counts.get(number, 0) + 1
        for _level, kind, value in notes:
            if kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIME.unpack(value)
                self.last[number] = seconds + nanoseconds / 1e9
            elif kind == _SO_RXQ_OVFL:
                self.dropped = int.from_bytes(value, sys.byteorder)

    def work(self) -> float:
        """Nothing is due by itself."""
        return _LONGEST_SLEEP


def open_card(card: str) -> socket.socket:
    """A socket that sends and hears on one card only, whatever the routes say."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
    one.bind(("0.0.0.0", 0))
    return one


def open_sink(port: int) -> socket.socket:
    """A socket for everybody's packets, with their times."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    for option in (_SO_TIMESTAMPNS, _SO_RXQ_OVFL):
        one.setsockopt(socket.SOL_SOCKET, option, 1)
    one.bind(("0.0.0.0", port))
    return one


def serve(program: Sender | Sink, sockets: Mapping[int, socket.socket], control: Path) -> None:
    """Run a program until it is ended."""
    poll = select.epoll()
    by_file = {each.fileno(): number for number, each in sockets.items()}
    listening = listen(control)
    for file in (*by_file, listening.fileno()):
        poll.register(file, select.EPOLLIN)
    while True:
        for file, _event in poll.poll(program.work()):
            if file in by_file:
                program.readable(by_file[file])
            else:
                obey(listening, program.answers())


def _cards(demand: Mapping[str, Any]) -> Iterator[tuple[int, str, tuple[str, int]]]:
    for card in demand["cards"]:
        yield card["number"], card["name"], (card["target"], demand["port"])


def main() -> None:
    """``send`` or ``sink``, the socket for orders, and as JSON the ``port``, and for ``send`` the ``cards``."""
    gc.disable()
    control, demand = Path(sys.argv[2]), json.loads(sys.argv[3])
    if sys.argv[1] == "sink":
        one = open_sink(demand["port"])
        serve(Sink(one), {0: one}, control)
    cards = list(_cards(demand))
    sockets = {number: open_card(name) for number, name, _target in cards}
    streams = {number: Stream(number) for number in sockets}
    sender = Sender(sockets, {number: target for number, _name, target in cards}, streams)
    serve(sender, sockets, control)


if __name__ == "__main__":
    main()
