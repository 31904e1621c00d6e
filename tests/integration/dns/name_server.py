"""BIND on a free port of the loopback, with signed updates and an update policy, gone at the end of the tests."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

ZONE = "lab.example"
WILD_ZONE = "wild.example"
CONTROLLER, GATEWAY, STRANGER = "controller", "cambridge.lab.example", "stranger"
DEADLINE_SECONDS = 20


def new_secret() -> str:
    return b64encode(secrets.token_bytes(32)).decode("ascii")


@dataclass
class NameServer:
    """A server that only this test run knows.

    :param frozen: Whether it takes no updates, as a secondary that is not told anything.
    """

    folder: Path
    port: int
    key_secrets: dict[str, str]
    frozen: bool = False
    process: subprocess.Popen[bytes] | None = None
    algorithms: dict[str, str] = field(default_factory=lambda: {STRANGER: "hmac-sha512"})

    @property
    def folder_of_zones(self) -> Path:
        return self.folder / "zones"

    def write(self) -> None:
        self.folder_of_zones.mkdir()
        for zone, more in ((ZONE, "big TXT ( " + " ".join(f'"{number:0200}"' for number in range(8)) + " )\n"),
                           (WILD_ZONE, "* A 192.0.2.99\n")):  # fmt: skip
            text = (
                f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 900 86400 1\n@ NS ns\n"
                f"ns A 127.0.0.1\nns AAAA ::1\nchild NS ns.elsewhere.example.\n{more}"
            )
            (self.folder_of_zones / zone).write_text(text, encoding="ascii")
        keys = "".join(
            f'key "{name}." {{ algorithm {self.algorithms.get(name, "hmac-sha256")}; secret "{secret}"; }};\n'
            for name, secret in self.key_secrets.items()
        )
        zones = "".join(
            f'zone "{zone}" {{ type primary; file "zones/{zone}"; notify no; {self._policy()} }};\n'
            for zone in (ZONE, WILD_ZONE)
        )
        (self.folder / "named.conf").write_text(
            f'{keys}options {{ directory "{self.folder}"; pid-file none; session-keyfile none; managed-keys-directory '
            f'"{self.folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 port {self.port} {{ ::1; }}; '
            f"recursion no; dnssec-validation no; querylog yes; }};\ncontrols {{ }};\n"
            f'logging {{ channel own {{ file "log"; severity info; }}; category default {{ own; }}; '
            f"category queries {{ own; }}; category update {{ own; }}; }};\n{zones}",
            encoding="ascii",
        )

    def _policy(self) -> str:
        if self.frozen:
            return ""
        return f'update-policy {{ grant {CONTROLLER}. zonesub ANY; grant "{GATEWAY}." name {GATEWAY}. A AAAA; }};'

    def start(self) -> None:
        with (self.folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [_program(), "-f", "-c", str(self.folder / "named.conf")],
                stdout=subprocess.DEVNULL, stderr=errors, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.ask("ns") != ["127.0.0.1"]:
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"BIND did not start:\n{(self.folder / 'errors').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(DEADLINE_SECONDS)
            self.process = None

    def ask(self, name: str, kind: str = "A", *, zone: str = ZONE) -> list[str]:
        """What it answers, as text, sorted."""
        return sorted(text for text, _ttl in self.answers(name, kind, zone=zone))

    def answers(self, name: str, kind: str, *, zone: str = ZONE) -> list[tuple[str, int]]:
        question = dns.message.make_query(f"{name}.{zone}.", kind, flags=0)
        try:
            answer = dns.query.tcp(question, "127.0.0.1", port=self.port, timeout=5)
        except (dns.exception.DNSException, OSError, EOFError):
            return []
        return [(one.to_text(), found.ttl) for found in answer.answer for one in found]

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def updates(self) -> int:
        """How many updates were carried out, of whichever size."""
        return self.log().count("adding an RR") + self.log().count("deleting")

    def options(self, key: str = CONTROLLER, **others: Any) -> dict[str, Any]:
        """Options of the module for this server."""
        return {
            "provider": "rfc2136", "zone": ZONE, "servers": ["127.0.0.1"], "port": self.port, "key_name": key,
            "key_secret": self.key_secrets[key], "key_algorithm": self.algorithms.get(key, "hmac-sha256"),
            "timeout_seconds": 3, "verify_seconds": 5, **others,
        }  # fmt: skip


def _program() -> str:
    found = shutil.which("named", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if found is None:
        pytest.fail("BIND is not installed: apt-get install bind9")
    return found


def free_port() -> int:
    """A port that is free for UDP and TCP, of both address families."""
    while True:
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as stream:
            port: int = stream.getsockname()[1]
            try:
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
                    probe.bind(("::", port))
            except OSError:
                continue
            return port


@contextmanager
def running(folder: Path, *, frozen: bool = False, key_secrets: dict[str, str] | None = None) -> Iterator[NameServer]:
    names = (CONTROLLER, GATEWAY, STRANGER)
    server = NameServer(folder, free_port(), key_secrets or {name: new_secret() for name in names}, frozen)
    server.write()
    server.start()
    try:
        yield server
    finally:
        server.stop()
