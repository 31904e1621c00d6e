# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx with the configuration that the role writes, in a folder of its own, and what a visitor sees of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from integration.dns.name_server import free_port
from integration.openvpn.vpn import USAGES, wait_for

from ansible_collections.privatespace.gateway.plugins.filter.web_plan import web_plan

NAME, FOREIGN = "cambridge2.example.net", "leeds.example.net"
NGINX = "/usr/sbin/nginx"
LIFETIME_SECONDS = 240
CERTIFICATE_DAYS = 47


@dataclass
class Answer:
    """An answer to a request.

    :param headers: By name in small letters.
    """

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Site:
    """The folders of one web server; the configuration leads into them.

    :param inside: What runs a command where the server is, such as in a network namespace.
    """

    folder: Path
    inside: tuple[str, ...] = ()
    http_port: int = field(default_factory=free_port)
    https_port: int = field(default_factory=free_port)
    settings: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.config, self.state, self.live = self.folder / "config", self.folder / "state", self.folder / "live"
        # Workers are nobody.
        self.folder.chmod(0o755)
        for parent in self.folder.parents[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
        for name in ("available", "enabled", "http.d", "server80.d", "server443.d"):
            (self.config / name).mkdir(parents=True)
        for name in ("pages", "challenges", "run"):
            (self.state / name).mkdir(parents=True)
        self.live.mkdir(mode=0o700)
        for name, text in self.files().items():
            (self.config / name).write_text(text)

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    @property
    def root(self) -> Path:
        return self.live / "root.pem"

    def files(self) -> dict[str, str]:
        """What the role would write, with paths of this folder."""
        plan = web_plan(
            {"server_names": [NAME], "http_port": self.http_port, "https_port": self.https_port, **self.settings}
        )
        return {name: self._moved(text) for name, text in plan["files"].items()}

    def _moved(self, text: str) -> str:
        for old, new in (
            ("/var/lib/privatespace/web", str(self.state)),
            ("/etc/privatespace/tls/live", str(self.live)),
            ("syslog:server=unix:/dev/log,nohostname,tag=web", str(self.access_log)),
            ("user privatespace-web;", "user nobody nogroup;"),
        ):
            text = text.replace(old, new)
        # Nothing outside this machine is to reach it.
        text = re.sub(r"listen (\d+)(?=[ ;])", r"listen 127.0.0.1:\1", text)
        return re.sub(r"listen \[::\]", "listen [::1]", text)

    def certify(self, *names: str) -> str:
        """Have a certificate, and the pages with it; the certificate, PEM."""
        chain, key, root = issue_chain(names or (NAME,))
        for path, content in ((self.live / "fullchain.pem", chain), (self.live / "privkey.pem", key)):
            path.write_bytes(content)
            path.chmod(0o600)
        self.root.write_bytes(root)
        link = self.config / "enabled/https.conf"
        if not link.is_symlink():
            link.symlink_to(self.config / "available/https.conf")
        return chain.decode()

    def start(self) -> None:
        argv = (*self.inside, "timeout", "--foreground", str(LIFETIME_SECONDS), NGINX, "-e", "stderr", "-g",
                "daemon off;", "-c", str(self.config / "nginx.conf"))  # fmt: skip
        with (self.folder / "error.log").open("ab") as stream:
            self.process = subprocess.Popen(argv, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        wait_for("web server", 10, self.main_pid)

    def stop(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.main_pid(), signal.SIGQUIT)
            self.process.wait(10)

    def main_pid(self) -> int:
        pid = self.state / "run/nginx.pid"
        return int(pid.read_text() or 0) if pid.is_file() else 0

    def reload(self) -> bool:
        """What the unit does; whether nginx took it."""
        argv = [*self.inside, NGINX, "-t", "-q", "-e", "stderr", "-c", str(self.config / "nginx.conf")]
        if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
            return False
        before = self._workers()
        os.kill(self.main_pid(), signal.SIGHUP)
        wait_for("new workers alone", 10, lambda: self._workers() and not self._workers() & before)
        return True

    def _workers(self) -> set[str]:
        """Those that take visitors; nginx renames the others."""
        argv = ["pgrep", "--parent", str(self.main_pid()), "--full", "^nginx: worker process *$"]
        return set(subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split())

    def ask(self, path: str = "/", *, name: str = NAME, tls: bool = True, method: str = "GET") -> Answer:
        """Ask for a page, over IPv4."""
        with self._connected(name, tls=tls) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _gap, body = received.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = {key.lower(): value for key, _colon, value in (line.partition(": ") for line in lines)}
        return Answer(int(first.split()[1]), headers, body)

    def served(self) -> str:
        """The certificate that visitors get, PEM."""
        with self._connected(NAME, tls=True, verified=False) as connection:
            assert isinstance(connection, ssl.SSLSocket)
            return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")

    @contextlib.contextmanager
    def _connected(self, name: str, *, tls: bool, verified: bool = True) -> Iterator[socket.socket]:
        port = self.https_port if tls else self.http_port
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            if not tls:
                yield plain
                return
            context = ssl.create_default_context(cafile=str(self.root) if self.root.exists() else None)
            context.check_hostname = verified
            context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
            context.set_alpn_protocols(["http/1.1"])
            with context.wrap_socket(plain, server_hostname=name) as secure:
                yield secure


def issue_chain(names: tuple[str, ...]) -> tuple[bytes, bytes, bytes]:
    """A chain as certification authorities give them today, its key, and the certificate of the authority."""
    authority = _Authority()
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = authority.begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key.public_key())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    chain = builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return chain, secret, authority.root()


class _Authority:
    """A certification authority for one certificate."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])

    def begin(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        own = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False)

    def root(self) -> bytes:
        now = datetime.now(UTC)
        builder = self.begin(self.name, self.key.public_key())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        usage = dict.fromkeys(USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@contextlib.contextmanager
def running_site(folder: Path, **options: Any) -> Iterator[Site]:
    """A web server for the time of a block."""
    site = Site(folder, **options)
    site.start()
    try:
        yield site
    finally:
        site.stop()
