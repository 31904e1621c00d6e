# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of these tests, all real and all on the loopback, and a gateway's folders."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from integration.dns.name_server import CONTROLLER, ZONE, NameServer, free_port

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import acme
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.tsig_key import TsigKey, render_key
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.update_policy import render_update_policy

NAME = f"ely.{ZONE}"
DEADLINE_SECONDS = 20
_FRONT = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/ca.crt;
    ssl_certificate_key {folder}/ca.key;
    default_type application/problem+json;
    proxy_set_header Host $http_host;
    set $after "";
    add_header Retry-After $after always;
    location / {{
        if (-f {folder}/broken) {{
            return 503 '{{"type": "urn:ietf:params:acme:error:serverInternal", "detail": "No"}}';
        }}
        proxy_pass https://127.0.0.1:{pebble};
    }}
    location /order-plz {{
        if (-f {folder}/limited) {{ set $after 7200; }}
        if ($after) {{ return 429 '{{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}}'; }}
        proxy_pass https://127.0.0.1:{pebble};
    }}
}}
"""
_NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
user root;
worker_processes 1;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port}; listen [::1]:{port};
        location /.well-known/acme-challenge/ {{ root {folder}/challenges; default_type text/plain; }}
        location / {{ return 404; }}
    }}
    server {{ listen 127.0.0.1:{secure_port} ssl default_server; ssl_reject_handshake on; }}
    include {folder}/enabled/*.conf;
    include {folder}/front.conf;
}}
"""
_HTTPS = """
server {{
    listen 127.0.0.1:{secure_port} ssl;
    server_name {name};
    ssl_certificate {folder}/tls/live/fullchain.pem;
    ssl_certificate_key {folder}/tls/live/privkey.pem;
    location / {{ return 200 "here\\n"; }}
}}
"""


class Zones(NameServer):
    """BIND with the zone of the gateways, whose policy is the one that the role writes, and all that is above it."""

    def write(self) -> None:
        super().write()
        example = "@ SOA ns.lab h 1 3600 900 86400 1\n@ NS ns.lab\nlab NS ns.lab\nns.lab A 127.0.0.1\n"
        root = "@ SOA ns.lab.example. h. 1 3600 900 86400 1\n@ NS ns.lab.example.\n"
        for zone, text in ((".", root), ("example", example)):
            name = zone if zone != "." else "root"
            (self.folder_of_zones / name).write_text(f"$ORIGIN {zone.rstrip('.')}.\n$TTL 60\n{text}", encoding="ascii")
            with (self.folder / "named.conf").open("a", encoding="ascii") as stream:
                policy = f"update-policy {{ grant {CONTROLLER}. zonesub ANY; }};"
                stream.write(f'zone "{zone}" {{ type primary; file "zones/{name}"; {policy} }};\n')

    def _policy(self) -> str:
        # A comment ends with its line.
        return "\n" + render_update_policy([NAME], zone=ZONE, controller_key=CONTROLLER, challenges=[NAME])

    def have(self, name: str, *addresses: str) -> None:
        """Have a name lead somewhere, whoever had it before."""
        kinds = {True: "AAAA", False: "A"}
        rows = "".join(f"update add {name}.{ZONE}. 60 {kinds[':' in one]} {one}\n" for one in addresses)
        gone = "".join(f"update delete {name}.{ZONE}. {kind}\n" for kind in kinds.values())
        self.update(f"zone {ZONE}\n{gone}{rows}send\n")

    def set_caa(self, name: str, *values: str) -> None:
        """Have these CAA records, and no others."""
        rows = "".join(f"update add {name}. 60 CAA {value}\n" for value in values)
        self.update(f"zone {ZONE}\nupdate delete {name}. CAA\n{rows}send\n")

    def update(self, text: str) -> None:
        key = f"hmac-sha256:{CONTROLLER}:{self.key_secrets[CONTROLLER]}"
        said = f"server 127.0.0.1 {self.port}\n{text}"
        subprocess.run(["nsupdate", "-y", key], input=said, text=True, check=True, capture_output=True)


@dataclass
class Web:
    """nginx as a gateway has it: challenges over HTTP, and HTTPS once there is a certificate."""

    folder: Path
    port: int = field(default_factory=free_port)
    secure_port: int = field(default_factory=free_port)

    @property
    def config(self) -> Path:
        return self.folder / "nginx.conf"

    def start(self) -> None:
        for name in ("challenges", "enabled", "available"):
            (self.folder / name).mkdir()
        facts = {"folder": self.folder, "port": self.port, "secure_port": self.secure_port, "name": NAME}
        self.config.write_text(_NGINX.format(**facts))
        (self.folder / "front.conf").touch()
        (self.folder / "available/https.conf").write_text(_HTTPS.format(**facts))
        # Its folder must be open to its workers, and those above it, too.
        for one in (self.folder, *self.folder.parents[:3]):
            one.chmod(one.stat().st_mode | 0o011)
        subprocess.run(["nginx", "-c", str(self.config)], check=True, capture_output=True)
        wait_for(self.port)

    def stop(self) -> None:
        self.signal("quit")

    def signal(self, name: str) -> None:
        subprocess.run(["nginx", "-c", str(self.config), "-s", name], check=True, capture_output=True)

    def forget(self) -> None:
        """No certificate, as on a gateway that is new."""
        (self.folder / "enabled/https.conf").unlink(missing_ok=True)
        subprocess.run(["rm", "-rf", str(self.folder / "tls")], check=True)
        self.signal("reload")

    def served(self, serial: str = "") -> x509.Certificate | None:
        """The certificate that a browser gets; nothing where the handshake is refused.

        :param serial: Of the certificate that is expected: workers that were told to end may still answer.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            text = self._shake_hands()
            found = x509.load_pem_x509_certificate(text.encode()) if text else None
            is_right = (f"{found.serial_number:x}" if found else "") == serial
            if is_right or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def _shake_hands(self) -> str:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            plain = socket.create_connection(("127.0.0.1", self.secure_port), timeout=5)
            with plain, context.wrap_socket(plain, server_hostname=NAME) as secure:
                return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
        except ssl.SSLError:
            return ""

    def reloads(self) -> int:
        """How often it was told to read its configuration again."""
        return (self.folder / "error.log").read_text().count("(SIGHUP) received")


class Front:
    """The moods of the CA."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reset(self) -> None:
        for name in ("limited", "broken"):
            (self.folder / name).unlink(missing_ok=True)

    def become(self, mood: str) -> None:
        (self.folder / mood).touch()


class Authority:
    """Pebble, which rejects good nonces now and then and takes its time to validate."""

    def __init__(self, web: Web, zones: Zones) -> None:
        self.web, self.zones = web, zones
        self.folder = web.folder
        self.front = Front(web.folder)
        self.port, self.own_port, self.management_port = free_port(), free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def log(self) -> str:
        return (self.folder / "pebble.log").read_text()

    def orders(self) -> int:
        return self.log.count("Added order")

    def start(self) -> None:
        subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        new = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "9",
        )
        files = ("-keyout", f"{self.folder}/ca.key", "-out", f"{self.folder}/ca.crt")
        subprocess.run([*new, *subject, *files], check=True, capture_output=True)
        facts = {"port": self.port, "folder": self.folder, "pebble": self.own_port}
        (self.folder / "front.conf").write_text(_FRONT.format(**facts))
        self.web.signal("reload")
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.own_port}",
            "managementListenAddress": f"127.0.0.1:{self.management_port}",
            "certificate": f"{self.folder}/ca.crt", "privateKey": f"{self.folder}/ca.key",
            "httpPort": self.web.port, "tlsPort": 1, "ocspResponderURL": "", "certificateValidityPeriod": 7776000,
            "externalAccountBindingRequired": False,
            "externalAccountMACKeys": {"lab": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"},
        }}))  # fmt: skip
        with (self.folder / "pebble.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["pebble", "-config", f"{self.folder}/pebble.json", "-dnsserver", f"127.0.0.1:{self.zones.port}"],
                stdout=log, stderr=log,
                env={**os.environ, "PEBBLE_WFE_NONCEREJECT": "20", "PEBBLE_VA_SLEEPTIME": "1"},
            )  # fmt: skip
        wait_for(self.own_port)
        wait_for(self.port)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(DEADLINE_SECONDS)
            self.process = None

    def is_revoked(self, serial: str) -> bool:
        """What the CA says of a certificate."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        url = f"https://127.0.0.1:{self.management_port}/cert-status-by-serial/{serial}"
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            return bool(json.load(answer)["Status"] == "Revoked")


@dataclass
class Gateway:
    """A configuration and folders, and the program that works with them."""

    folder: Path
    certbot: Path
    web: Web
    zones: Zones
    authority: Authority
    settings: dict[str, Any] = field(default_factory=dict)

    def write(self, **changes: Any) -> None:
        base = {
            "names": [NAME], "directory": self.authority.directory, "addresses": ["127.0.0.1", "::1"],
            "http_port": self.web.port, "ca_bundle": f"{self.authority.folder}/ca.crt",
            "caa_identity": "pebble.example",
            "test_command": ["nginx", "-t", "-q", "-c", str(self.web.config)],
            "reload_command": ["nginx", "-c", str(self.web.config), "-s", "reload"],
            "places": {
                "certbot": str(self.certbot), "config_folder": str(self.folder / "config"),
                "work_folder": str(self.folder / "work"), "log_folder": str(self.folder / "log"),
                "tls_folder": str(self.web.folder / "tls"), "webroot": str(self.web.folder / "challenges"),
                "site": str(self.web.folder / "available/https.conf"),
                "enabled_site": str(self.web.folder / "enabled/https.conf"),
                "announcement": str(self.folder / "announce.json"),
            },
        }  # fmt: skip
        self.settings = {**(self.settings or base), **changes}
        (self.folder / "acme.json").write_text(json.dumps(self.settings))

    def have_key(self) -> str:
        path = self.folder / "dns.key"
        path.write_text(render_key(TsigKey(NAME, "hmac-sha256", self.zones.key_secrets[NAME])))
        path.chmod(0o600)
        return str(path)

    def run(self, *options: str) -> int:
        return acme.main([
            "--config", str(self.folder / "acme.json"), "--resolver", "127.0.0.1",
            "--dns-port", str(self.zones.port), *options,
        ])  # fmt: skip

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "work/state.json").read_text())
        return found


def wait_for(port: int) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                pytest.fail(f"nobody listens on port {port}")
            time.sleep(0.05)
        else:
            return
