# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that tell a gateway its address: metadata as Amazon EC2 has them, and an echo service that can misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "canary-of-the-metadata-token"


@dataclass
class Service:
    """What is answered, by path, and what was asked.

    :param answers: A body, a status, or both; other paths are not found.
    """

    url: str
    """Over IPv4."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def url6(self) -> str:
        return self.url.replace("127.0.0.1", "[::1]")


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_PUT(self) -> None:
        self.service.asked.append(f"PUT {self.path}")
        if "X-aws-ec2-metadata-token-ttl-seconds" not in self.headers:
            self._answer(400)
        else:
            self._answer(200, TOKEN.encode())

    def do_GET(self) -> None:
        self.service.asked.append(f"GET {self.path}")
        if self.path.startswith("/latest/") and self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self.service.refused.append(self.path)
            self._answer(401)
        elif self.path == "/drip":
            self._drip()
        elif self.path == "/moved":
            self._answer(302, headers={"Location": f"{self.service.url}/ip"})
        elif self.path == "/ip":
            self._answer(200, f"{self.client_address[0].removeprefix('::ffff:')}\n".encode())
        elif self.path in self.service.answers:
            self._answer(200, self.service.answers[self.path])
        else:
            self._answer(404, b"<html>" + b"x" * 1000)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.send_response(200)
        self.flush_headers()
        try:
            for _letter in range(200):
                self.wfile.write(b"X-A: b\r\n")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the library has
        """Nothing is written."""


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


@contextmanager
def running() -> Iterator[Service]:
    """A service on a free port of the loopback, for both families."""
    server = _Server(("::", 0), type("Handler", (_Handler,), {}))
    service = Service(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass.service = service  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
