# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers probes that know the token: the time here, and that a port is reached. Everybody else gets nothing.

A probe sends ``TOKEN time`` in a line, over TCP or in a datagram, and gets ``TOKEN SECONDS``, since 1970-01-01 UTC.
"""

from __future__ import annotations

import hmac
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds

LONGEST_QUESTION = 128
MOST_CONNECTIONS = 32
PATIENCE_SECONDS = 5.0
# Answers a second, and how many may come at once.
RATE, BURST = 50.0, 100.0


@dataclass
class _Connection:
    """A probe on TCP."""

    socket: socket.socket
    until: float
    received: bytes = b""


@dataclass
class Responder:
    """Use :meth:`open`, then :meth:`serve` again and again, then :meth:`close`."""

    token: str
    port: int
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    _listening: list[socket.socket] = field(default_factory=list)
    _connections: dict[int, _Connection] = field(default_factory=dict)
    _allowance: float = BURST
    _counted_at: float = field(default_factory=time.monotonic)

    def open(self, addresses: Sequence[str]) -> None:
        """Wait for probes on these addresses; an answer has the address that was asked.

        :raises StateError: somebody else has the port.
        """
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            for kind, name in ((socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")):
                made = socket.socket(family, kind)
                self._listening.append(made)
                try:
                    self._bind(made, address)
                except OSError as error:
                    raise StateError(
                        f"The port {self.port} ({name}) of {address} cannot be opened: {error.strerror}.",
                        remedy="Give the window another port, or end what has it: 'ss -lntup' names it.",
                    ) from error

    def _bind(self, made: socket.socket, address: str) -> None:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if made.type == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, self.port))
        made.settimeout(0)
        if made.type == socket.SOCK_STREAM:
            made.listen(MOST_CONNECTIONS)
        asked = self._accept if made.type == socket.SOCK_STREAM else self._datagram
        self._selector.register(made, selectors.EVENT_READ, asked)

    def serve(self, seconds: float) -> None:
        """Answer those who ask within some time."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            for key, _events in self._selector.select(max(0.0, left)):
                with suppress(OSError):
                    key.data(key.fileobj)
            self._forget_late()
            if left <= 0:
                return

    def close(self) -> None:
        """Be gone."""
        for one in (*self._listening, *(connection.socket for connection in self._connections.values())):
            one.close()
        self._listening.clear()
        self._connections.clear()
        self._selector.close()

    def _accept(self, listening: socket.socket) -> None:
        made, _peer = listening.accept()
        if len(self._connections) >= MOST_CONNECTIONS:
            made.close()
            return
        made.settimeout(0)
        self._connections[made.fileno()] = _Connection(made, time.monotonic() + PATIENCE_SECONDS)
        self._selector.register(made, selectors.EVENT_READ, self._stream)

    def _stream(self, made: socket.socket) -> None:
        connection = self._connections[made.fileno()]
        try:
            received = made.recv(LONGEST_QUESTION)
        except OSError:
            received = b""
        connection.received += received
        if b"\n" in connection.received:
            answer = self._answer(connection.received.partition(b"\n")[0])
            if answer:
                with suppress(OSError):
                    made.send(answer)
            self._drop(connection)
        elif not received or len(connection.received) > LONGEST_QUESTION:
            self._drop(connection)

    def _datagram(self, listening: socket.socket) -> None:
        question, peer = listening.recvfrom(LONGEST_QUESTION)
        answer = self._answer(question.partition(b"\n")[0]) if b"\n" in question else b""
        if answer:
            listening.sendto(answer, peer)

    def _answer(self, question: bytes) -> bytes:
        known = hmac.compare_digest(question, f"{self.token} time".encode())
        if not self._is_allowed() or not known:
            return b""
        return f"{self.token} {epoch_seconds():.6f}\n".encode()

    def _is_allowed(self) -> bool:
        """Whoever asks, known or not, uses up some of what is answered in a second."""
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._counted_at) * RATE)
        self._counted_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _forget_late(self) -> None:
        now = time.monotonic()
        for connection in [one for one in self._connections.values() if one.until <= now]:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        number = connection.socket.fileno()
        self._selector.unregister(connection.socket)
        self._connections.pop(number, None)
        connection.socket.close()
