"""Small talk over UDP between network namespaces, one command each.

answer ADDRESS PORT            answers every packet, after a line "ready"
ask ADDRESS PORT SOURCE        prints "answered" or "silence"; SOURCE is an address, or "-"
flood ADDRESS PORT N [WORD]    a packet from each of N ports; with a word it waits and prints how many were answered
count ADDRESS PORT...          answers, after a line "ready", and prints how many packets each port got once it is quiet
"""

from __future__ import annotations

import contextlib
import errno
import json
import selectors
import socket
import sys
import time
from typing import Any

ANSWER_SECONDS = 0.6
QUIET_SECONDS = 1.0


def bound(address: str, port: int) -> socket.socket:
    """A socket of the family of an address."""
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, port))
    return one


def answer(address: str, port: str) -> None:
    with bound(address, int(port)) as here:
        print("ready", flush=True)
        while True:
            _data, whom = here.recvfrom(100)
            here.sendto(b"yes", whom)


def anywhere(address: str) -> str:
    """The address that stands for all, of the family of another."""
    return "::" if ":" in address else "0.0.0.0"


def ask(address: str, port: str, source: str, local: str = "0") -> None:
    here = bound(source if source != "-" else anywhere(address), int(local))
    with here:
        here.settimeout(ANSWER_SECONDS)
        here.connect((address, int(port)))
        try:
            here.send(b"hello")
            here.recv(100)
        except OSError:
            print("silence")
        else:
            print("answered")


def flood(address: str, port: str, count: str, source: str = "") -> None:
    sockets = [bound(source or anywhere(address), 0) for _number in range(int(count))]
    for one in sockets:
        one.connect((address, int(port)))
        one.setblocking(False)
        # An earlier packet may have been refused, which the next one is told.
        with contextlib.suppress(ConnectionRefusedError):
            one.send(b"hello")
    time.sleep(ANSWER_SECONDS)
    answered = 0
    for one in sockets:
        with contextlib.suppress(OSError):
            answered += one.recv(100) == b"yes"
    print(answered)


def connect(address: str, port: str, count: str) -> None:
    sockets = [socket.socket() for _number in range(int(count))]
    for one in sockets:
        one.setblocking(False)
        one.connect_ex((address, int(port)))
    time.sleep(ANSWER_SECONDS)
    print(sum(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED for one in sockets))


def count(address: str, *ports: str) -> None:
    counted = dict.fromkeys(ports, 0)
    with selectors.DefaultSelector() as selector:
        for port in ports:
            selector.register(bound(address, int(port)), selectors.EVENT_READ, port)
        print("ready", flush=True)
        last = time.monotonic() + 10
        while time.monotonic() < last:
            for key, _events in selector.select(0.1):
                here = key.fileobj
                assert isinstance(here, socket.socket)
                _data, whom = here.recvfrom(100)
                here.sendto(b"yes", whom)
                counted[key.data] += 1
                last = time.monotonic() + QUIET_SECONDS
    print(json.dumps([counted[port] for port in ports]), flush=True)


if __name__ == "__main__":
    commands: dict[str, Any] = {"answer": answer, "ask": ask, "flood": flood, "connect": connect, "count": count}
    commands[sys.argv[1]](*sys.argv[2:])
