# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch of certificates: drafted whole before the first is signed, checked before any is handed out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CA, Profile
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import Issue, Revoke
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import Reason, Revocation

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    x509 = serialization = missing_library("cryptography")

SERIAL_BYTES = 20


@dataclass(frozen=True)
class Draft:
    """A certificate that is about to be signed.

    :param private_key: The key that was made for it; ``None`` where there is a CSR.
    """

    step: Issue
    spec: certificates.CertificateSpec
    private_key: Any | None = None

    @property
    def serial(self) -> int:
        """Its serial."""
        return self.spec.serial

    @property
    def common_name(self) -> str:
        """The common name of its subject."""
        return self.spec.common_name

    @property
    def name(self) -> str:
        """The user or the gateway."""
        return self.step.user

    @property
    def device(self) -> str:
        """The device of the user; empty for a gateway."""
        return self.step.device

    @property
    def profile(self) -> str:
        """The name of its profile."""
        return self.spec.profile.name

    @property
    def not_before(self) -> datetime:
        """The beginning of its validity."""
        return self.spec.not_before

    @property
    def not_after(self) -> datetime:
        """The end of its validity."""
        return self.spec.not_after


@dataclass(frozen=True)
class Issued:
    """A certificate that was signed.

    :param x509: The certificate as an object of ``cryptography``.
    :param certificate: Its DER.
    """

    draft: Draft
    x509: Any
    certificate: bytes
    public_key_sha256: str

    @property
    def serial(self) -> int:
        """Its serial."""
        return self.draft.serial


@dataclass(frozen=True)
class Withdrawal:
    """A revocation, ready to be stored.

    :param entry: The encoded entry of the CRL.
    """

    serial: int
    revoked_at: datetime
    reason: str
    entry: bytes


def withdraw(step: Revoke, *, at: datetime) -> Withdrawal:
    """Encode a revocation once; every CRL takes the entry as it is."""
    entry = Revocation(step.serial, at, Reason(step.reason)).encode_entry()
    return Withdrawal(step.serial, at, step.reason, entry)


def check_days(*, validity_days: int, renewal_days: int) -> None:
    """Refuse periods that would renew for ever, or never.

    :raises InputError: naming the option.
    """
    if validity_days < 1:
        raise InputError("The option 'validity_days' must be 1 or more.")
    if not 0 <= renewal_days < validity_days:
        raise InputError(f"The option 'renewal_days' must be from 0 to {validity_days - 1}, less than 'validity_days'.")


def csr_fingerprint(content: str) -> str:
    """SHA-256 of the SubjectPublicKeyInfo in a CSR (PEM), in hexadecimal.

    :raises InputError: it is no CSR, or not one that we sign.
    """
    return certificates.public_key_fingerprint(certificates.load_csr(content).public_key())


def load_der(der: bytes) -> Any:
    """A certificate of ``cryptography`` out of the DER that the store keeps."""
    return x509.load_der_x509_certificate(der)


def to_der(certificate: Any) -> bytes:
    """The DER that the store keeps."""
    der: bytes = certificate.public_bytes(serialization.Encoding.DER)
    return der


def self_signed(
    common_name: str, *, key: Any, valid: tuple[datetime, datetime], random_bytes: Callable[[int], bytes]
) -> Any:
    """The certificate of an authority that is its own issuer, verified.

    :param key: Its private key, in the token.
    :param valid: ``(not_before, not_after)``.
    :raises StateError: what the token signed does not verify.
    """
    spec = certificates.CertificateSpec(
        common_name=common_name,
        profile=CA,
        public_key=key.public_key(),
        serial=certificates.serial_from(random_bytes(SERIAL_BYTES)),
        not_before=valid[0],
        not_after=valid[1],
    )
    certificate = certificates.build_certificate(spec, issuer_certificate=None, issuer_key=key)
    certificates.verify_issued(certificate, certificate)
    return certificate


def draft_batch(
    steps: Sequence[Issue],
    *,
    profile: Profile,
    valid: tuple[datetime, datetime],
    make_key: Callable[[], Any],
    random_bytes: Callable[[int], bytes],
) -> tuple[Draft, ...]:
    """Decide everything that will be in the certificates of a batch.

    :param valid: Their ``(not_before, not_after)``.
    :param make_key: A new private key, for those without a CSR.
    :param random_bytes: That many bytes from a CSPRNG, for the serials.
    """
    drafts: list[Draft] = []
    for step in steps:
        private_key: Any = None if step.csr else make_key()
        source = certificates.load_csr(step.csr) if step.csr else private_key
        spec = certificates.CertificateSpec(
            common_name=step.common_name,
            profile=profile,
            public_key=source.public_key(),
            serial=certificates.serial_from(random_bytes(SERIAL_BYTES)),
            not_before=valid[0],
            not_after=valid[1],
        )
        drafts.append(Draft(step, spec, private_key))
    return tuple(drafts)


def issue_batch(
    drafts: Sequence[Draft],
    *,
    issuer_certificate: Any,
    issuer_key: Any,
    intend: Callable[[Sequence[Draft]], None],
    record: Callable[[Sequence[Issued]], None],
) -> tuple[Issued, ...]:
    """Sign a batch: its intention stored before the first signature, its certificates before they are returned.

    The signature of the last certificate is verified.

    :param intend: Stores what is going to be signed.
    :param record: Stores what was signed, all of it or nothing.
    :raises StateError: what the token signed does not verify; nothing but the intention was stored.
    """
    if not drafts:
        return ()
    intend(drafts)
    issued = tuple(_sign(draft, issuer_certificate=issuer_certificate, issuer_key=issuer_key) for draft in drafts)
    for last in issued[-1:]:
        certificates.verify_issued(last.x509, issuer_certificate)
    record(issued)
    return issued


def _sign(draft: Draft, *, issuer_certificate: Any, issuer_key: Any) -> Issued:
    signed = certificates.build_certificate(draft.spec, issuer_certificate=issuer_certificate, issuer_key=issuer_key)
    return Issued(draft, signed, to_der(signed), certificates.public_key_fingerprint(draft.spec.public_key))


def updated_users(planned: Sequence[Mapping[str, Any]], issued: Sequence[Issued]) -> list[dict[str, Any]]:
    """The ``users`` of a plan's result, with the serials and dates of what was signed."""
    by_name = {item.draft.common_name: item.draft for item in issued}
    users: list[dict[str, Any]] = []
    for user in planned:
        draft = by_name.get(user["common_name"])
        fresh = {} if draft is None else {"serial": str(draft.serial), "not_after": draft.not_after.isoformat()}
        users.append({**user, **fresh})
    return users


def delivery(issued: Issued, *, ca_chain: str, tls_crypt_v2: str | None) -> dict[str, Any]:
    """What a device needs besides the addresses of the gateways. Holds secrets.

    :param ca_chain: PEM of the authority's certificates.
    :param tls_crypt_v2: PEM of the device's tls-crypt-v2 key, if there is one.
    """
    key = issued.draft.private_key
    return {
        "name": issued.draft.name,
        "device": issued.draft.device,
        "common_name": issued.draft.common_name,
        "certificate": certificates.certificate_pem(issued.x509),
        "ca_chain": ca_chain,
        "private_key": None if key is None else certificates.private_key_pem(key),
        "tls_crypt_v2": tls_crypt_v2,
    }
