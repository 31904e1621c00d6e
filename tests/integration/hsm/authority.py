"""An authority whose key is in a SoftHSM token, and what it signs, written where other programs can read it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from integration.softhsm import SoftToken

from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Token, TokenSettings, open_token
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Reason,
    Revocation,
    build_crl,
    crl_to_pem,
    next_this_update,
)


def settings(token: SoftToken, **more: Any) -> TokenSettings:
    return TokenSettings(**({"module": token.module, "token": token.label, "pin": token.pin} | more))


@contextmanager
def opened(token: SoftToken, **more: Any) -> Iterator[Token]:
    with open_token(settings(token), lock=exclusive_lock, **more) as session:
        yield session


@dataclass(frozen=True)
class Authority:
    """An authority in an open session of a token; every file that it makes is in ``folder``."""

    folder: Path
    key: Any
    certificate: Any
    pss: bool = False

    @property
    def issuer(self) -> dict[str, Any]:
        return {"issuer_certificate": self.certificate, "issuer_key": self.key, "pss": self.pss}

    def issue(self, name: str, profile: profiles.Profile, *, algorithm: str = "ec-p256", **more: Any) -> Any:
        """A certificate; ``NAME.crt`` and ``NAME.key`` are written."""
        key = generate_private_key(algorithm)
        start, end = certificates.validity(datetime.now(UTC), days=365, issuer_certificate=self.certificate)
        serial = certificates.serial_from(os.urandom(20))
        spec = certificates.CertificateSpec(name, profile, key.public_key(), serial, start, end, **more)
        certificate = certificates.build_certificate(spec, **self.issuer)
        self.write(f"{name}.crt", certificates.certificate_pem(certificate))
        self.write(f"{name}.key", certificates.private_key_pem(key))
        return certificate

    def revoke(self, *revoked: Any, number: int = 1, name: str = "crl.pem") -> bytes:
        """The CRL (DER) with these certificates, superseded; its PEM is written."""
        now = datetime.now(UTC)
        return self.publish(
            [Revocation(each.serial_number, now, Reason.SUPERSEDED, now) for each in revoked], number=number, name=name
        )

    def publish(self, revocations: Sequence[Revocation], *, number: int, name: str) -> bytes:
        """A CRL (DER) of these entries; its PEM is written."""
        now = datetime.now(UTC)
        crl = build_crl(
            [each.encode_entry() for each in revocations], number=number, this_update=next_this_update(now, None),
            next_update=now + timedelta(days=7), **self.issuer,
        )  # fmt: skip
        self.write(name, crl_to_pem(crl).decode("ascii"))
        return crl

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content, encoding="ascii")
        return path


@contextmanager
def authority(token: SoftToken, folder: Path, *, algorithm: str = "ec-p256", pss: bool = False) -> Iterator[Authority]:
    """A new authority with a key of that kind in the token; ``ca.crt`` is written."""
    with opened(token) as session:
        yield self_signed(session.generate_key("ca", algorithm), folder, pss=pss)


def self_signed(key: Any, folder: Path, *, pss: bool = False, profile: profiles.Profile = profiles.CA) -> Authority:
    """An authority of a key in an open session; ``ca.crt`` is written."""
    start, end = certificates.validity(datetime.now(UTC), days=3650)
    serial = certificates.serial_from(os.urandom(20))
    spec = certificates.CertificateSpec("Test CA", profile, key.public_key(), serial, start, end)
    made = Authority(folder, key, certificates.build_certificate(spec, issuer_key=key, pss=pss), pss)
    made.write("ca.crt", certificates.certificate_pem(made.certificate))
    return made
