"""A small VPN of real OpenVPN processes in network namespaces, which ends itself.

    client namespace --- veth --- server namespace (bridge 10.77.0.1/24, fd77::1/64) with the processes of the listeners

Every process runs under ``timeout``, so that a killed test run leaves nothing behind for long.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import parse_listeners
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import plan_processes
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile import render_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import render_server_config
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_settings

LIFETIME_SECONDS = 300
ADDRESS, ADDRESS6 = "10.77.0.1", "fd77::1"
LISTENERS = (
    {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24", "max_clients": 20},
    {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.1.0/24", "max_clients": 20},
)


def command(*argv: str, check: bool = True) -> str:
    """Run a program that is quick, and return what it printed."""
    return subprocess.run(argv, check=check, capture_output=True, text=True, timeout=30).stdout


def wait_for(what: str, seconds: float, ready: Any) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ready()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {seconds} s")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@dataclass
class Authority:
    """A CA in memory that signs what a test needs.

    :param age: Of all its certificates, its own included. :param life: What they have left of their time.
    """

    name: str = "Test CA"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    number: int = 0
    serials: dict[str, int] = field(default_factory=dict)
    revoked: list[int] = field(default_factory=list)
    age: timedelta = timedelta(hours=1)
    life: timedelta = timedelta(days=2)

    def __post_init__(self) -> None:
        usage = {one: one in ("key_cert_sign", "crl_sign") for one in USAGES}
        builder = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(x509.KeyUsage(**usage), True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _builder(self, subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(self.name))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - self.age).not_valid_after(now + self.life)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)

    def issue(self, common_name: str, *, server: bool = False) -> tuple[str, str]:
        """A certificate and its key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(common_name, key).add_extension(x509.ExtendedKeyUsage([usage]), False)
        builder = builder.add_extension(x509.KeyUsage(**{one: one == "digital_signature" for one in USAGES}), True)
        certificate = builder.sign(self.key, hashes.SHA256())
        self.serials[common_name] = certificate.serial_number
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), _pem(key)

    def crl(self, *, age: timedelta = timedelta(minutes=5), life: timedelta = timedelta(days=1)) -> str:
        """A CRL with the next number; each is a second younger than the one before."""
        self.number += 1
        this_update = datetime.now(UTC) - age + timedelta(seconds=self.number)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(this_update).next_update(this_update + life)
        builder = builder.add_extension(x509.CRLNumber(self.number), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(this_update)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def revoke(self, common_name: str) -> int:
        self.revoked.append(self.serials[common_name])
        return self.serials[common_name]


USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes below ``timeout``: openvpn itself, also when it is stopped."""
    return [int(pid) for pid in command("pgrep", "--parent", str(process.pid), check=False).split()]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End openvpn, politely at first, and with it the ``timeout`` that guards it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _children(process):
            for one in (number, signal.SIGCONT):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, one)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
            return
    raise AssertionError(f"{process.args!r} cannot be ended")


@dataclass
class Client:
    """A client in its own namespace."""

    namespace: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def connected(self) -> bool:
        return "Initialization Sequence Completed" in self.log.read_text()

    def lost_packets(self, seconds: float, target: str) -> int:
        """Ping through the tunnel fifty times a second; how many answers did not come."""
        pinger = Path(__file__).with_name("pinger.py")
        argv = (sys.executable, str(pinger), target, str(int(seconds * 50)))
        return int(command("ip", "netns", "exec", self.namespace, *argv))

    def pid(self) -> int:
        """The process of openvpn itself, below ``timeout``, which would pass on few signals."""
        if self.process is None:
            raise AssertionError("this client does not run")
        (pid,) = _children(self.process)
        return pid

    def stop(self) -> None:
        if self.process is not None:
            _end(self.process)
            self.process = None


class Vpn:
    """The server processes, and clients on demand.

    :param extra: Lines that every server's configuration gets.
    :param settings: For :func:`parse_settings`.
    """

    def __init__(
        self, *, extra: tuple[str, ...] = (), listeners: Any = LISTENERS, cores: int = 1, **settings: Any
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="psgvpn", dir="/tmp"))
        self.folder.chmod(0o755)
        self.authority = Authority()
        self.prefix = f"psg{os.getpid()}{self.folder.name[-3:]}"
        self.server_namespace = f"{self.prefix}s"
        self.listeners = plan_processes(parse_listeners(listeners), cores)
        self._extra = extra
        self._settings = settings
        self._clients: list[Client] = []
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def crl_path(self) -> Path:
        return self.folder / "crl.pem"

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(self._clients)

    @property
    def sockets(self) -> list[str]:
        return [str(self.folder / f"{listener.name}.sock") for listener in self.listeners]

    def __enter__(self) -> Self:
        try:
            self._write_files()
            self._make_network()
            for listener in self.listeners:
                self.start_server(listener.name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [client.process for client in self._clients] + list(self._servers.values()):
            if process is not None:
                _end(process)
        for namespace in [client.namespace for client in self._clients] + [self.server_namespace]:
            command("ip", "netns", "delete", namespace, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_files(self) -> None:
        certificate, key = self.authority.issue("gateway-test", server=True)
        (self.folder / "ca.crt").write_text(self.authority.pem)
        (self.folder / "server.crt").write_text(certificate)
        (self.folder / "server.key").write_text(key)
        (self.folder / "server.key").chmod(0o600)
        self.crl_path.write_text(self.authority.crl())
        # In a chroot it takes the place of /tmp.
        (self.folder / "tmp").mkdir()
        (self.folder / "tmp").chmod(0o1777)
        command("openvpn", "--genkey", "tls-crypt-v2-server", str(self.folder / "tls-crypt-v2-server.key"))
        paths = {"folder": str(self.folder), "runtime_folder": str(self.folder)}
        settings = parse_settings({**paths, **self._settings})
        for listener in self.listeners:
            (self.folder / "ccd" / listener.name).mkdir(parents=True)
            text = render_server_config(listener, settings) + "".join(f"{line}\n" for line in self._extra)
            (self.folder / f"{listener.name}.conf").write_text(text)

    def _make_network(self) -> None:
        command("ip", "netns", "add", self.server_namespace)
        for argv in (
            ("link", "set", "lo", "up"),
            # Without an address of its own it takes the least of its ports', which changes with every new client.
            ("link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge"),
            ("addr", "add", f"{ADDRESS}/24", "dev", "br0"),
            ("addr", "add", f"{ADDRESS6}/64", "dev", "br0", "nodad"),
            ("link", "set", "br0", "up"),
        ):
            command("ip", "-n", self.server_namespace, *argv)

    def start_server(self, name: str) -> None:
        """Start a listener and wait until it takes management connections."""
        self._servers[name] = self._spawn(self.server_namespace, f"{name}.conf", log=self.folder / f"{name}.log")
        wait_for(f"server {name}", 10, lambda: "Initialization Sequence Completed" in self.server_log(name))

    def stop_server(self, name: str) -> None:
        """Stop a listener, and forget what it said."""
        _end(self._servers.pop(name))
        (self.folder / f"{name}.log").write_text("")

    def server_pid(self, name: str) -> int:
        """The process of openvpn itself, below ``timeout``."""
        (pid,) = _children(self._servers[name])
        return pid

    def server_log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def client(self) -> Client:
        """A namespace with a cable to the server, and no OpenVPN in it yet."""
        number = len(self._clients) + 2
        client = Client(f"{self.prefix}c{number}", self.folder / f"client{number}.log")
        self._clients.append(client)
        inside, outside = f"v{number}", "eth0"
        command("ip", "netns", "add", client.namespace)
        command("ip", "-n", self.server_namespace, "link", "add", inside, "type", "veth", "peer", "name", outside,
                "netns", client.namespace)  # fmt: skip
        command("ip", "-n", self.server_namespace, "link", "set", inside, "master", "br0", "up")
        command("ip", "-n", client.namespace, "addr", "add", f"10.77.0.{number}/24", "dev", outside)
        command("ip", "-n", client.namespace, "addr", "add", f"fd77::{number:x}/64", "dev", outside, "nodad")
        command("ip", "-n", client.namespace, "link", "set", outside, "up")
        return client

    def profile(self, common_name: str, protocol: str, *, address: str = ADDRESS, extra: tuple[str, ...] = ()) -> Path:
        """The profile of a new certificate, for one protocol and one address of the server, with further lines."""
        certificate, key = self.authority.issue(common_name)
        wrapped = self.folder / f"{common_name}.tls"
        server_key = str(self.folder / "tls-crypt-v2-server.key")
        command("openvpn", "--tls-crypt-v2", server_key, "--genkey", "tls-crypt-v2-client", str(wrapped))
        delivery = {
            "common_name": common_name, "certificate": certificate, "private_key": key,
            "ca_chain": self.authority.pem, "tls_crypt_v2": wrapped.read_text(),
        }  # fmt: skip
        ways = [one.as_dict() for one in self.listeners if one.protocol == protocol]
        path = self.folder / f"{common_name}.ovpn"
        text = render_profile(delivery, gateways=[{"name": "g", "address": address, "listeners": ways}])
        path.write_text("".join(f"{line}\n" for line in extra) + text)
        return path

    def connect(self, common_name: str, protocol: str = "udp", **options: Any) -> Client:
        """A connected client with a new certificate; options as for :meth:`profile`."""
        client = self.client()
        self.start_client(client, self.profile(common_name, protocol, **options))
        wait_for(f"connection of {common_name}", 15, client.connected)
        return client

    def start_client(self, client: Client, profile: Path) -> None:
        client.log.write_text("")
        client.process = self._spawn(client.namespace, str(profile), log=client.log)

    def _spawn(self, namespace: str, config: str, *, log: Path) -> subprocess.Popen[bytes]:
        bounded = ("timeout", "--foreground", str(LIFETIME_SECONDS), "openvpn", "--config", config)
        with log.open("ab") as stream:
            return subprocess.Popen(
                ("ip", "netns", "exec", namespace, *bounded),
                cwd=self.folder, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL,
            )  # fmt: skip


@contextlib.contextmanager
def running(**options: Any) -> Iterator[Vpn]:
    """A VPN for the time of a block."""
    with Vpn(**options) as vpn:
        yield vpn
