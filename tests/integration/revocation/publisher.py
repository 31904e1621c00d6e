# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that offers a CRL, well or badly, and notes what it was asked with."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Publisher:
    """What is offered at ``/crl.pem``.

    :param asked: The mark that each question named, or nothing.
    :param how: ``well``, or how it misbehaves: ``unasked`` (nothing has changed, whoever asks), ``short`` (breaks off),
        ``drip`` (takes for ever), ``slow`` (takes some seconds), ``endless`` (never ends), ``stall`` (stops, until it
        ``goes_on``).
    :param mark: An ETag that stays the same, whatever is offered.
    """

    url: str
    content: bytes = b""
    status: int = 200
    how: str = "well"
    location: str = ""
    mark: str = ""
    goes_on: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    @property
    def etag(self) -> str:
        return self.mark or f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


class _Handler(BaseHTTPRequestHandler):
    publisher: Publisher

    def do_GET(self) -> None:
        known = self.headers.get("If-None-Match", "")
        self.publisher.asked.append(known)
        if self.publisher.how == "unasked" or (known == self.publisher.etag and self.publisher.status == 200):
            self.send_response(304)
            self.send_header("ETag", self.publisher.etag)
            self.end_headers()
            return
        self._answer(self.publisher)

    def _answer(self, publisher: Publisher) -> None:
        self.send_response(publisher.status)
        self.send_header("ETag", publisher.etag)
        if publisher.location:
            self.send_header("Location", publisher.location)
        if publisher.how != "endless":
            self.send_header("Content-Length", str(len(publisher.content)))
        self.end_headers()
        try:
            self._write(publisher)
        except OSError:
            return

    def _write(self, publisher: Publisher) -> None:
        if publisher.how == "short":
            self.wfile.write(publisher.content[:-40])
        elif publisher.how == "stall":
            self.wfile.write(publisher.content[:-40])
            self.wfile.flush()
            publisher.goes_on.wait(60)
        elif publisher.how == "slow":
            for position in range(0, len(publisher.content), 50):
                self.wfile.write(publisher.content[position : position + 50])
                self.wfile.flush()
                time.sleep(0.2)
        elif publisher.how == "drip":
            for position in range(len(publisher.content)):
                self.wfile.write(publisher.content[position : position + 1])
                self.wfile.flush()
                time.sleep(0.2)
        elif publisher.how == "endless":
            while True:
                self.wfile.write(publisher.content)
        else:
            self.wfile.write(publisher.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the library has
        """Nothing is written."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def publishing(port: int = 0) -> Iterator[Publisher]:
    """A server on a port of the loopback, a free one unless told otherwise."""
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {}))
    publisher = Publisher(f"http://127.0.0.1:{server.server_address[1]}/crl.pem")
    server.RequestHandlerClass.publisher = publisher  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
