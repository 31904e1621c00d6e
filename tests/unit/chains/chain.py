"""Chains of certificates and their CRLs, and OpenSSL as the judge of them.

Everything is built at :data:`NOW` and judged at a moment that a case chooses, so that nothing waits.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Reason,
    Revocation,
    build_crl,
    crl_to_pem,
    next_this_update,
)

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
TIMEOUT_SECONDS = 30
# An authority that may have others below it, as the root of an organisation does.
ROOT = replace(profiles.CA, path_length=None)
_serials = count(2**150, 7)
_ERROR = re.compile(r"^error (\d+) at (\d+) depth lookup", re.MULTILINE)


@cache
def key(algorithm: str = "ec-p256", which: int = 0) -> Any:
    """A private key, the same one for the same arguments."""
    return generate_private_key(algorithm)


@dataclass(frozen=True)
class Issuer:
    """An authority: what it signs is made by our own code, unless a case says otherwise."""

    key: Any
    certificate: Any
    pss: bool = False

    def issue(
        self,
        name: str,
        profile: profiles.Profile = profiles.CLIENT,
        *,
        now: datetime = NOW,
        days: int = 365,
        subject_key: Any = None,
        serial: int | None = None,
        **more: Any,
    ) -> Any:
        """A certificate that begins an hour before ``now``."""
        start, end = certificates.validity(now, days=days, issuer_certificate=self.certificate)
        public_key = (subject_key or key(which=99)).public_key()
        spec = certificates.CertificateSpec(name, profile, public_key, serial or next(_serials), start, end, **more)
        return certificates.build_certificate(
            spec, issuer_certificate=self.certificate, issuer_key=self.key, pss=self.pss
        )

    def authority(
        self, name: str, *, subject_key: Any = None, profile: profiles.Profile = profiles.CA, **more: Any
    ) -> Issuer:
        """An authority below this one."""
        own = subject_key or key(which=50)
        return Issuer(own, self.issue(name, profile, subject_key=own, days=1000, **more))

    def crl(
        self, *revoked: Any, now: datetime = NOW, days: int = 7, number: int = 1, entries: list[bytes] | None = None
    ) -> bytes:
        """A CRL (DER) that lists these certificates as superseded, and further entries."""
        own = [Revocation(each.serial_number, now, Reason.SUPERSEDED).encode_entry() for each in revoked]
        return build_crl(
            [*own, *(entries or [])], issuer_certificate=self.certificate, issuer_key=self.key, number=number,
            this_update=next_this_update(now, None), next_update=now + days * DAY, pss=self.pss,
        )  # fmt: skip


def root(
    name: str = "Root",
    *,
    algorithm: str = "ec-p256",
    which: int = 1,
    pss: bool = False,
    profile: profiles.Profile = profiles.CA,
    now: datetime = NOW,
    days: int = 3650,
    **more: Any,
) -> Issuer:
    """A self-signed authority; another ``which`` has another key."""
    own = key(algorithm, which)
    start, end = certificates.validity(now, days=days)
    spec = certificates.CertificateSpec(name, profile, own.public_key(), next(_serials), start, end, **more)
    return Issuer(own, certificates.build_certificate(spec, issuer_key=own, pss=pss), pss)


def misissued(issuer: Issuer, name: str, change: Callable[[Any], Any], *, subject_key: Any = None) -> Any:
    """A certificate that our code would refuse to make: built by ``cryptography`` alone, with extensions of the case.

    :param change: Adds them to the builder.
    """
    public_key = (subject_key or key(which=99)).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(public_key)
        .serial_number(next(_serials))
        .not_valid_before(NOW - HOUR)
        .not_valid_after(NOW + 100 * DAY)
    )
    return change(builder).sign(issuer.key, hashes.SHA256())


# The errors of X509_V_ERR_… that the cases meet, by their numbers: their texts change between versions of OpenSSL.
VALID = (0, 0)
NO_CRL, BAD_SIGNATURE, BAD_CRL_SIGNATURE = 3, 7, 8
NOT_YET, EXPIRED, CRL_NOT_YET, CRL_EXPIRED = 9, 10, 11, 12
SELF_SIGNED_LEAF, NO_ISSUER = 18, 20
REVOKED, TOO_LONG, WRONG_PURPOSE = 23, 25, 26
UNKNOWN_CRITICAL, MAY_NOT_SIGN_CRL, UNKNOWN_CRITICAL_CRL = 34, 35, 36
OUTSIDE_NAMES, NOT_AN_AUTHORITY = 47, 79


@dataclass(frozen=True)
class Judge:
    """``openssl verify -crl_check_all`` in a folder of its own."""

    folder: Path

    def __call__(
        self,
        leaf: Any,
        *,
        trusted: list[Issuer],
        crls: list[bytes],
        below: list[Issuer] | None = None,
        purpose: str = "sslclient",
        at: datetime = NOW,
    ) -> tuple[int, int]:
        """``(0, 0)`` for a valid chain, else the error's number and the depth at which it is.

        :param trusted: Authorities that the verifier has; ``below``: those that it is told about.
        :param crls: DER; their PEM is concatenated into one file, as a gateway has it.
        """
        files = {"leaf": _pem(leaf), "trusted": "".join(_pem(each.certificate) for each in trusted)}
        files |= {"crls": "".join(crl_to_pem(crl).decode("ascii") for crl in crls)}
        files |= {"below": "".join(_pem(each.certificate) for each in below or [])}
        for name, content in files.items():
            (self.folder / name).write_text(content, encoding="ascii")
        command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-purpose", purpose, "-CAfile", "trusted"]
        command += ["-no-CApath", "-no-CAstore", "-attime", str(int(at.timestamp()))]
        command += ["-CRLfile", "crls"] if crls else []
        command += ["-untrusted", "below"] if below else []
        done = subprocess.run(
            [*command, "leaf"], cwd=self.folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        return _verdict(done.returncode, done.stdout + done.stderr)


def _verdict(status: int, output: str) -> tuple[int, int]:
    found = _ERROR.search(output)
    if (status == 0) is not (found is None):
        raise AssertionError(output)
    return (int(found[1]), int(found[2])) if found else VALID


def _pem(certificate: Any) -> str:
    return str(certificate.public_bytes(Encoding.PEM).decode("ascii"))
