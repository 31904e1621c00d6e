"""The pages as the role writes them, served by a real nginx on loopback, before the real service of one-time links."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from integration.openvpn.run_playbook import local, run_playbook
from integration.portal.service import Service
from integration.run_module import CHECKOUT

# What nginx is told of the pages; the role hands it to the role web.
FRAGMENT = CHECKOUT / "roles/portal/templates/pages.conf.j2"
NAME = "cambridge2.example.net"
START_SECONDS = 20.0
CRL = "-----BEGIN X509 CRL-----\nMA==\n-----END X509 CRL-----\n"
# As the role web sends them.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def render_pages(folder: Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Write the pages below a folder, by the role's own tasks."""
    web = folder / "web"
    # Stronger than the variables of the role itself.
    places = {
        "__portal_web_folder": str(web),
        "__portal_pages_folder": str(web / "pages"),
        "__portal_status_folder": str(web / "status"),
        "__portal_ca_file": str(folder / "ca.crt"),
    }
    fragment = {"src": str(FRAGMENT), "dest": str(folder / "pages.conf"), "mode": "0644"}
    tasks = [
        *({"ansible.builtin.include_role": _role(name), "vars": places} for name in ("preflight", "pages")),
        # In the place of the role web, which has nginx read it.
        {"ansible.builtin.template": fragment, "vars": places},
    ]
    play = {"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}
    # A host is called as the gateway is.
    return run_playbook(folder, [play], {"all": {"hosts": {NAME: local()}}}, *arguments)


def _role(tasks: str) -> dict[str, Any]:
    return {"name": "privatespace.gateway.portal", "tasks_from": f"{tasks}.yml"}


@dataclass
class Authority:
    """An authority of these tests, that browsers may be told to trust."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root of the test")])
        self.certificate = self._build(self.name, self.key, ca=True)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, name: str) -> None:
        """Write ``web.crt`` and ``web.key`` for a name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._build(subject, key, ca=False, san=name)
        (self.folder / "web.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "web.key").write_bytes(private)

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool, san: str = ""
    ) -> x509.Certificate:
        begin = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        builder = (
            x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if san:
            names, usage = x509.SubjectAlternativeName([x509.DNSName(san)]), ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(names, critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Site:
    """nginx with the pages, and the service behind it.

    :param folder: Holds ``web`` with the pages, ``web.crt``, ``web.key`` and ``ca.crt``.
    """

    folder: Path
    service: Service
    root: str

    def __post_init__(self) -> None:
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    @property
    def access_log(self) -> str:
        return (self.folder / "access.log").read_text()

    def start(self) -> None:
        config = self.folder / "nginx.conf"
        config.write_text(self._config())
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", str(config), "-e", str(self.folder / "error.log")], start_new_session=True
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "error.log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def write_status(self, status: str, *, checked_at: float | None = None) -> None:
        """What the gateway's program would write."""
        now = int(time.time())
        crl = {"number": 42, "this_update": now - 3600, "next_update": now + 6 * 86400, "sha256": "5f" * 32}
        told = {"status": status, "checked_at": now if checked_at is None else int(checked_at), "crl": crl}
        (self.folder / "web/status/status.json").write_text(json.dumps(told))
        (self.folder / "web/status/crl.pem").write_text(CRL)

    def link(self, **options: Any) -> str:
        """A fresh link that leads here."""
        made = self.service.make_link(**options)
        return f"{self.url}/link#{made.partition('#')[2]}"

    def curl(self, url: str, *arguments: str) -> str:
        """What a program gets that is no browser."""
        command = [
            "curl", "--silent", "--show-error", "--cacert", str(self.folder / "ca.crt"), "--noproxy", "*",
            "--resolve", f"{NAME}:{self.port}:127.0.0.1", *arguments, url,
        ]  # fmt: skip
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def _config(self) -> str:
        headers = "".join(f'add_header {name} "{value}" always;\n' for name, value in HEADERS.items())
        folder = self.folder
        return f"""
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{"user root;" if os.getuid() == 0 else ""}
events {{ worker_connections 256; }}
http {{
include /etc/nginx/mime.types;
access_log {folder}/access.log;
client_body_temp_path {folder}/body;
proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi;
scgi_temp_path {folder}/scgi;
charset utf-8;
server {{
listen 127.0.0.1:{self.port} ssl;
server_name {NAME};
ssl_certificate {folder}/web.crt;
ssl_certificate_key {folder}/web.key;
root {folder}/web/pages;
index index.html;
try_files $uri $uri.html $uri/index.html =404;
{headers}
include {folder}/pages.conf;
location /link/api/ {{
    proxy_pass http://unix:{self.service.socket};
    proxy_set_header X-Real-IP 192.0.2.7;
    proxy_connect_timeout 2s;
}}
}}
}}
"""


def serve(folder: Path, service: Service, variables: Mapping[str, Any]) -> Site:
    """Everything in its place, and running."""
    authority = Authority(folder)
    authority.issue(NAME)
    (folder / "ca.crt").write_text(authority.pem)
    run = render_pages(folder, **variables)
    assert run.returncode == 0, run.stdout + run.stderr
    site = Site(folder, service, authority.pem)
    site.write_status("ok")
    site.start()
    return site


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
