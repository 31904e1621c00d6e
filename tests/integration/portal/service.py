"""The real service of one-time links: gunicorn as the role configures it, on a UNIX socket, and a page that asks it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.run_module import CHECKOUT, collections_path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_links import LinkRun
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.sealing import (
    decode_token,
    derive_id,
    unseal,
)

CONFIGURATION = CHECKOUT / "roles/portal/files/gunicorn.conf.py"
APPLICATION = "ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal:make_application"
PATIENCE_SECONDS = 20.0
CANARY = "canary-of-a-private-key"
HOST = "cambridge2.example.net"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass
class Service:
    """The service with a folder of its own.

    :param prefix: A program that runs it, such as strace.
    :param links: The name of the folder of links in it.
    """

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    links: str = "links"

    def __post_init__(self) -> None:
        self.spool = self.folder / self.links
        self.spool.mkdir(mode=0o700, exist_ok=True)
        self.socket = self.folder / "portal.sock"
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, and wait until it takes connections."""
        config = self.folder / "portal.json"
        config.write_text(json.dumps({"folder": str(self.spool), **self.settings}))
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self.prefix, "/usr/bin/gunicorn", "--config", str(CONFIGURATION), "--bind", f"unix:{self.socket}",
                    "--pythonpath", str(collections_path()), f"{APPLICATION}({str(config)!r})",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.get("/link/api/look")
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError(self.log.read_text()) from None
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """A kill -9 of all its processes at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=PATIENCE_SECONDS)
            self.process = None

    def stop(self) -> None:
        """The end that systemd would ask for."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def post(self, action: str, body: Any, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask for something, as the page does."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **(headers or {})}
        return self._send("POST", f"/link/api/{action}", content, told)

    def get(self, path: str) -> Reply:
        """Look at an address, as scanners do."""
        return self._send("GET", path, None, {})

    def _send(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Reply:
        connection = UnixConnection(self.socket)
        try:
            # The service may answer, and close, before it has read what it refuses anyway: the answer is still there.
            with suppress(BrokenPipeError):
                connection.request(method, path, content, dict(headers))
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def make_link(
        self, user: str = "alice", device: str = "laptop", *, hours: int = 24, profile: str = "", qr_code: bool = True
    ) -> str:
        """A link for a device, made as the module makes it; returns its URL."""
        wanted = {
            "links": [{"user": user, "device": device}],
            "profiles": {f"{user}@{device}": profile or f"client\n# {CANARY}\n"},
            "host": HOST, "port": 443, "hours": hours, "qr_code": qr_code,
            "folder": str(self.spool), "state": "present",
        }  # fmt: skip
        with open_front() as front:
            run = LinkRun({**wanted, **front})
            made = run.apply(run.decide())["links"]
        return str(made[0]["url"])

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.spool.iterdir())


@contextmanager
def open_front() -> Iterator[dict[str, str]]:
    """What makes links worth taking, for the time of a block: a web server's part, and a socket that is listened at."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listening:
        part, path = Path(name) / "https.conf", Path(name) / "portal.sock"
        part.touch()
        listening.bind(str(path))
        listening.listen()
        yield {"web_part": str(part), "socket": str(path)}


def new_claim() -> str:
    """What a page makes up to fetch a link again."""
    return secrets.token_urlsafe(32)


@dataclass
class Page:
    """What a browser knows once a link is opened."""

    service: Service
    url: str
    claim: str = field(default_factory=new_claim)
    visitor: str = "192.0.2.7"

    @property
    def token(self) -> bytes:
        return decode_token(self.url.partition("#")[2])

    @property
    def id(self) -> str:
        return derive_id(self.token)

    def ask(self, action: str, **more: Any) -> Reply:
        body = {"id": self.id, "claim": self.claim, **more}
        return self.service.post(action, body, headers={"X-Real-IP": self.visitor})

    def open_sealed(self, reply: Reply) -> dict[str, str]:
        """What the profile holds, decrypted with the key of the link."""
        found: dict[str, str] = json.loads(unseal(self.token, reply.body["sealed"]))
        return found
