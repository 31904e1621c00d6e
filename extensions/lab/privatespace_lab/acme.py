# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's ACME server: the certificate of its own HTTPS, and how a test makes it busy, broken or silent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from privatespace_lab.engine import write_text
from privatespace_lab.remote import LabHost
from privatespace_lab.topology import ACME_NAME, ACME_PORT

DAYS = 3650
MANAGEMENT = f"https://{ACME_NAME}:15000"
SWITCHES = "/run/lab-acme"


@dataclass(frozen=True)
class AcmeServer(LabHost):
    """Pebble on the host ``nameserver``; what it has issued lives until it is restarted."""

    name: str = "nameserver"

    def root(self) -> str:
        """The PEM root of the certificates that it issues: another one after each of its restarts."""
        return self._ask(f"{MANAGEMENT}/roots/0") + "\n"

    def _ask(self, url: str) -> str:
        return self.run(f"curl --silent --show-error --fail --cacert /etc/lab-acme/ca.pem {url}")

    @contextmanager
    def limited(self, *, briefly: bool = False) -> Iterator[None]:
        """Refuse accounts and orders with 429 and ``Retry-After``: 3600 seconds, or 5."""
        with self._switch("limited-briefly" if briefly else "limited"):
            yield

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Answer 503 to everything."""
        with self._switch("broken"):
            yield

    @contextmanager
    def _switch(self, name: str) -> Iterator[None]:
        self.run(f"touch {SWITCHES}/{name}")
        try:
            yield
        finally:
            self.run(f"rm -f {SWITCHES}/{name}")

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections; accounts and certificates are kept."""
        self.run("systemctl stop nginx")
        try:
            yield
        finally:
            self.run("systemctl start nginx")
            self._ask(f"https://{ACME_NAME}:{ACME_PORT}/dir")


def write_acme_certificate(ca_file: Path, folder: Path) -> None:
    """Write a CA certificate, and ``acme.crt`` and ``acme.key`` of the server from it; the CA's key is not kept."""
    certificate_file, key_file = folder / "acme.crt", folder / "acme.key"
    if all(path.is_file() for path in (ca_file, certificate_file, key_file)):
        return
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Lab {ca_file.parent.name} HTTPS of ACME")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), ca_key.public_key(), ca=True).sign(ca_key, hashes.SHA256())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ACME_NAME)])
    builder = _certificate(name, ca_name, key.public_key(), ca_key.public_key(), ca=False)
    own_name = x509.SubjectAlternativeName([x509.DNSName(ACME_NAME), x509.DNSName("localhost")])
    certificate = builder.add_extension(own_name, critical=False).sign(ca_key, hashes.SHA256())
    write_text(certificate_file, certificate.public_bytes(Encoding.PEM).decode())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    write_text(key_file, private, mode=0o600)
    write_text(ca_file, ca.public_bytes(Encoding.PEM).decode())


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    *,
    ca: bool,
) -> x509.CertificateBuilder:
    """What both certificates have in common."""
    begin = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
