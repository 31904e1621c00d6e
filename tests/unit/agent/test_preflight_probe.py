"""A probe of a preflight waits for the one right answer, and does not let others make it ask faster."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_probe import ask_ports
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import SILENT, Attempt

SECONDS = 0.9


class Chatterer:
    """Another service: it answers everything at once, with something else."""

    def __init__(self) -> None:
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        while not self._stopped.is_set():
            try:
                _said, who = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            self.asked += 1
            for words in (b"", b"something else"):
                self.socket.sendto(words, who)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(5)
        self.socket.close()


@pytest.fixture
def chatterer() -> Iterator[Chatterer]:
    made = Chatterer()
    yield made
    made.close()


def ask(protocol: str, port: int) -> Attempt:
    (found,) = ask_ports(
        [{"protocol": protocol, "port": port}], probe="p", address="127.0.0.1", token="a" * 32, seconds=SECONDS
    )
    return found


def test_who_answers_something_else_is_not_asked_faster(chatterer: Chatterer) -> None:
    found = ask("udp", chatterer.socket.getsockname()[1])
    assert (found.answered, found.outcome) == (False, SILENT)
    assert 2 <= chatterer.asked <= 4


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_who_says_nothing_is_silent_and_not_out_of_reach(protocol: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as mute:
        mute.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            mute.listen(1)
        began = time.monotonic()
        found = ask(protocol, mute.getsockname()[1])
    assert (found.answered, found.outcome) == (False, SILENT)
    assert time.monotonic() - began < SECONDS + 1
