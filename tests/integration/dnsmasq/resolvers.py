"""A gateway's resolver between a tunnel and the Internet, in network namespaces; everything ends itself.

    client --- tun-udp (10.91.0.1) gateway (10.77.53.1) --- Internet (10.77.53.2, .3: a real BIND)

10.77.53.2 knows the world, 10.77.53.3 the domain corp.test, and nobody is at 10.77.53.4.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from integration.run_module import collections_path

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_config import (
    render_config,
    render_hosts,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_settings import parse_resolver
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.stubby_config import render_stubby

LIFETIME_SECONDS = "120"
TUNNEL, OUTSIDE, WORLD, CORP, NOBODY = "10.91.0.1", "10.77.53.1", "10.77.53.2", "10.77.53.3", "10.77.53.4"
TLS_NAME, TLS_PORT, LOCAL_PORT = "dns.right.test", 853, 5335
# Addresses that are nobody's by their looks (192.0.2.0/24 and others) are private to dnsmasq.
ZONES = {
    ".": "@ NS ns.example.\nns.example. A 10.77.53.2\n",
    "example": "@ NS ns\nns A 10.77.53.2\nwww A 45.60.70.5\nhome A 192.168.1.1\nself A 127.0.0.1\n"
    "ads A 45.60.70.6\nx.ads A 45.60.70.6\nwww.lan A 192.168.7.7\n",
    "signed.test": "@ NS ns\nns A 10.77.53.2\nwww A 45.60.70.7\n",
    "bogus.test": "@ NS ns\nns A 10.77.53.2\nwww A 45.60.70.8\n",
    "corp.test": "@ NS ns\nns A 10.77.53.3\nwiki A 10.20.0.7\n",
}
NAMED = """
options {{ directory "{folder}"; pid-file none; session-keyfile none; listen-on-v6 {{ none; }}; recursion no;
  listen-on {{ 10.77.53.2; 10.77.53.3; }}; listen-on port 853 tls right {{ 10.77.53.2; }};
  dnssec-validation no; querylog yes; allow-transfer {{ none; }}; }};
tls right {{ cert-file "{folder}/tls.crt"; key-file "{folder}/tls.key"; }};
controls {{ }};
view corp {{ match-destinations {{ 10.77.53.3; }}; zone "corp.test" {{ type primary; file "corp.test.zone"; }}; }};
view world {{
{zones}
}};
"""


def command(*argv: str, check: bool = True) -> str:
    """Run a program that is quick, and return what it printed."""
    return subprocess.run(argv, check=check, capture_output=True, text=True, timeout=30).stdout


def wait_for(what: str, ready: Callable[[], Any], *, seconds: float = 10) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ready():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {seconds} s")


@dataclass(frozen=True)
class Answer:
    """What a question brought; the status is empty where nobody answered."""

    status: str
    records: tuple[str, ...]


class Resolvers:
    """The three namespaces, BIND, and dnsmasq and stubby on demand."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="psgdns", dir="/tmp"))
        self.folder.chmod(0o755)
        self.names = {part: f"psgdns{os.getpid()}{part}" for part in ("client", "gateway", "world")}
        self.anchors: list[dict[str, Any]] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._make_network()
            self._write_zones()
            self._write_certificate()
            self.start("named", "world", "named", "-g", "-n", "1", "-c", str(self.folder / "named.conf"))
            wait_for("BIND", lambda: self.ask("www.example", server=WORLD, where="gateway").records)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.stop(name)
        for namespace in self.names.values():
            command("ip", "netns", "delete", namespace, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def inside(self, where: str, *argv: str, check: bool = True) -> str:
        return command("ip", "netns", "exec", self.names[where], *argv, check=check)

    def _make_network(self) -> None:
        for part, namespace in self.names.items():
            command("ip", "netns", "add", namespace)
            self.inside(part, "ip", "link", "set", "lo", "up")
        gateway, world = self.names["gateway"], self.names["world"]
        command("ip", "link", "add", "outside", "netns", gateway, "type", "veth", "peer", "wire", "netns", world)
        self._address("gateway", "outside", f"{OUTSIDE}/24")
        self._address("world", "wire", f"{WORLD}/24", f"{CORP}/24")
        self.add_tunnel()

    def _address(self, where: str, device: str, *addresses: str) -> None:
        for address in addresses:
            self.inside(where, "ip", "address", "add", address, "dev", device)
        self.inside(where, "ip", "link", "set", device, "up")

    def add_tunnel(self) -> None:
        gateway, client = self.names["gateway"], self.names["client"]
        command("ip", "link", "add", "tun-udp", "netns", gateway, "type", "veth", "peer", "tun", "netns", client)
        self._address("gateway", "tun-udp", f"{TUNNEL}/24")
        self._address("client", "tun", "10.91.0.2/24")
        self.inside("client", "ip", "route", "replace", "default", "via", TUNNEL)

    def remove_tunnel(self) -> None:
        self.inside("gateway", "ip", "link", "delete", "tun-udp")

    def _write_zones(self) -> None:
        for zone, records in ZONES.items():
            head = f"$TTL 60\n$ORIGIN {zone.rstrip('.')}.\n@ SOA ns.example. root.example. 1 60 60 60000 5\n"
            (self.folder / f"{zone}.zone").write_text(head + records)
        for zone in ("signed.test", "bogus.test"):
            self._sign(zone)
        spoiled = self.folder / "bogus.test.zone.signed"
        spoiled.write_text(spoiled.read_text().replace("45.60.70.8", "45.60.70.66"))
        files = {zone: f"{zone}.zone{'.signed' * zone.endswith('.test')}" for zone in ZONES if zone != "corp.test"}
        zones = "\n".join(f'zone "{zone}" {{ type primary; file "{file}"; }};' for zone, file in files.items())
        (self.folder / "named.conf").write_text(NAMED.format(folder=self.folder, zones=zones))

    def _sign(self, zone: str) -> None:
        key = command("dnssec-keygen", "-q", "-K", str(self.folder), "-a", "ECDSAP256SHA256", "-f", "KSK", zone).strip()
        file = self.folder / f"{zone}.zone"
        with file.open("a") as stream:
            stream.write((self.folder / f"{key}.key").read_text())
        command(
            "dnssec-signzone", "-q", "-z", "-P", "-K", str(self.folder), "-d", str(self.folder), "-o", zone, str(file)
        )
        tag, algorithm, kind, digest = (
            command("dnssec-dsfromkey", "-2", str(self.folder / f"{key}.key")).split(" DS ")[1].strip().split(" ", 3)
        )
        anchor = {"key_tag": int(tag), "algorithm": int(algorithm), "digest_type": int(kind)}
        self.anchors.append({"domain": zone, "digest": digest.replace(" ", ""), **anchor})

    def _write_certificate(self) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, TLS_NAME)])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(TLS_NAME)]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (self.folder / "tls.crt").write_bytes(certificate)
        (self.folder / "tls.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def start(self, name: str, where: str, *argv: str) -> None:
        """Start a program that stays; it ends by itself after two minutes."""
        full = ("ip", "netns", "exec", self.names[where], "timeout", LIFETIME_SECONDS, *argv)
        with (self.folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(full, stdout=log, stderr=log)

    def pid(self, name: str) -> int:
        """The program itself, below the ``timeout`` that guards it."""
        process = self._running[name].pid
        return int(wait_for(name, lambda: command("pgrep", "--parent", str(process), check=False).split())[0])

    def stop(self, name: str) -> None:
        process = self._running.pop(name)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in command("pgrep", "--parent", str(process.pid), check=False).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
                return
        raise AssertionError(f"{name} cannot be ended")

    @contextlib.contextmanager
    def dnsmasq(self, **settings: Any) -> Iterator[None]:
        """Have dnsmasq run as the role's unit runs it: no user but an unprivileged one, and one capability."""
        wanted = parse_resolver(
            {"upstreams": [WORLD], "folder": str(self.folder), "state_folder": str(self.folder / "state"), **settings}
        )
        (self.folder / "state").mkdir(exist_ok=True)
        (self.folder / "state").chmod(0o777)
        (self.folder / "dnsmasq.hosts").write_text(render_hosts(wanted))
        (self.folder / "dnsmasq.blocklist").write_text("")
        config = self.folder / "dnsmasq.conf"
        config.write_text(render_config(wanted))
        command("dnsmasq", "--test", f"--conf-file={config}")
        capability = ("--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service")
        as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *capability)
        program = ("dnsmasq", "--keep-in-foreground", f"--conf-file={config}")
        self.start("dnsmasq", "gateway", *as_nobody, *program)
        try:
            wait_for("dnsmasq", lambda: self.ask("localhost", server="127.0.0.1", where="gateway").records)
            yield
        finally:
            self.stop("dnsmasq")

    @contextlib.contextmanager
    def stubby(self, name: str) -> Iterator[None]:
        """Have stubby ask BIND over TLS, and believe that it is called like this."""
        settings = {
            "upstreams": [{"address": WORLD, "name": name}], "port": TLS_PORT, "local_port": LOCAL_PORT,
            "ca_file": str(self.folder / "tls.crt"),
        }  # fmt: skip
        config = self.folder / "stubby.yml"
        config.write_text(render_stubby(settings))
        self.start("stubby", "gateway", "stubby", "-C", str(config))
        try:
            listening = ("ss", "-H", "-l", "-n", "-u", f"sport = :{LOCAL_PORT}")
            wait_for("stubby", lambda: self.inside("gateway", *listening))
            yield
        finally:
            self.stop("stubby")

    def ask(
        self, name: str, kind: str = "A", *, server: str = TUNNEL, where: str = "client", seconds: int = 1
    ) -> Answer:
        """Ask as somebody in a namespace would; ``PTR`` is asked for an address."""
        what = ("-x", name) if kind == "PTR" else (name, kind)
        printed = self.inside(
            where,
            "dig",
            f"@{server}",
            f"+time={seconds}",
            "+tries=1",
            "+noall",
            "+comments",
            "+answer",
            *what,
            check=False,
        )
        status = re.search(r"status: (\w+)", printed)
        records = [line.split()[-1] for line in printed.splitlines() if line and line[0] != ";"]
        return Answer(status.group(1) if status else "", tuple(records))

    def asked(self) -> str:
        """What BIND was asked so far, a line each, with the view that was asked."""
        return "\n".join(line for line in (self.folder / "named.log").read_text().splitlines() if " query: " in line)

    def python(self, where: str, text: str) -> str:
        """Run a few lines with the collection at hand."""
        path = f"import sys; sys.path.insert(0, {str(collections_path())!r}); "
        return self.inside(where, sys.executable, "-c", path + text).strip()
