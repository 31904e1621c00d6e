# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch of certificates: drafted whole before the first is signed, checked before any is handed out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import Issue, Revoke
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import (
    LeafTemplate,
    key_infos,
    public_key_info,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import Reason, Revocation

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    x509 = serialization = missing_library("cryptography")

SERIAL_BYTES = 20
PART = 250


Signatures = Callable[[Iterable[bytes]], Iterator[bytes]]


class _Planned:
    """What the step of a certificate says about it."""

    step: Issue

    @property
    def common_name(self) -> str:
        """The common name of its subject."""
        return self.step.common_name

    @property
    def name(self) -> str:
        """The user or the gateway."""
        return self.step.user

    @property
    def device(self) -> str:
        """The device of the user; empty for a gateway."""
        return self.step.device


@dataclass(eq=False)
class Draft(_Planned):
    """A certificate that is about to be signed. Never changed, yet not frozen, since making that costs more.

    :param profile: The name of its profile.
    :param key_info: The DER of the SubjectPublicKeyInfo in its CSR; empty where a key is to be made.
    """

    step: Issue
    serial: int
    profile: str
    not_before: datetime
    not_after: datetime
    key_info: bytes = b""


@dataclass(eq=False)
class Issued(Draft):
    """A certificate that was signed.

    :param certificate: Its DER.
    :param private_key: The key that was made for it; ``None`` where there was a CSR.
    :param private_key_info: The DER of that key as PKCS#8; empty where there was a CSR.
    """

    certificate: bytes = b""
    private_key: Any = field(default=None, repr=False)
    private_key_info: bytes = field(default=b"", repr=False)

    @property
    def public_key_sha256(self) -> str:
        """SHA-256 of its SubjectPublicKeyInfo, in hexadecimal."""
        return fingerprint(self.key_info)


@dataclass(frozen=True)
class Batch:
    """Certificates that are drafted whole, and what they have in common."""

    drafts: tuple[Draft, ...]
    template: LeafTemplate


@dataclass(frozen=True)
class Ledger:
    """Where a batch is written down.

    :param intend: Stores what is going to be signed.
    :param recording: For a block, gives a function that stores signed certificates part by part; the end of the block
        commits them all, an error none.
    :param keep: Takes every part for the result.
    :param progress: Told how many are signed, and how many there are.
    """

    intend: Callable[[Sequence[Draft]], None]
    recording: Callable[[], AbstractContextManager[Callable[[Sequence[Issued]], None]]]
    keep: Callable[[Sequence[Issued]], None]
    progress: Callable[[int, int], None]


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
    entry = Revocation(step.serial, at, Reason(step.reason), step.invalidity_date).encode_entry()
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


def draft_batch(
    steps: Sequence[Issue],
    *,
    pattern: certificates.CertificateSpec,
    issuer_certificate: Any,
    pss: bool = False,
    random_bytes: Callable[[int], bytes],
) -> Batch:
    """Decide everything about a batch but the keys that are made for it.

    :param pattern: What its certificates have in common.
    :param random_bytes: That many bytes from a CSPRNG, for the serials.
    :raises InputError: a CSR cannot be used, or RSA-PSS is asked of an issuer with another kind of key.
    :raises StateError: the certificates would outlive their issuer.
    """
    chance, profile = random_bytes(SERIAL_BYTES * len(steps)), pattern.profile.name
    drafts = tuple(
        Draft(
            step,
            certificates.serial_from(chance[index * SERIAL_BYTES : (index + 1) * SERIAL_BYTES]),
            profile,
            pattern.not_before,
            pattern.not_after,
            public_key_info(certificates.load_csr(step.csr).public_key()) if step.csr else b"",
        )
        for index, step in enumerate(steps)
    )
    return Batch(drafts, LeafTemplate(pattern, issuer_certificate=issuer_certificate, pss=pss))


def issue_batch(
    batch: Batch, *, sign: Signatures, make_key: Callable[[], Any], ledger: Ledger
) -> tuple[int, CollectionError | None]:
    """Sign a batch: its intention is stored before the first signature, its certificates before anybody gets them.

    They are stored while others are being signed, and committed at the end, all that were signed together. Of every
    part the last one is read back, compared and verified.

    :param sign: Signs messages, in their order; it may take several before it gives the first signature.
    :param make_key: A new private key, for those without a CSR.
    :returns: How many were signed and stored, the first ones; and what kept the token from signing the rest.
    :raises StateError: what the token signed does not verify; nothing but the intention was stored.
    :raises CollectionError: they cannot be stored; nothing but the intention was.
    """
    total, done = len(batch.drafts), 0
    ledger.intend(batch.drafts)
    signed = _signed(batch, sign, make_key)
    with ledger.recording() as record:
        failure: CollectionError | None = None
        while done < total and failure is None:
            part, failure = _take(signed, PART)
            for last in part[-1:]:
                batch.template.verify(
                    last.certificate, serial=last.serial, common_name=last.common_name, key_info=last.key_info
                )
                record(part)
                ledger.keep(part)
            done += len(part)
            ledger.progress(done, total)
    return done, failure


def _signed(batch: Batch, sign: Signatures, make_key: Callable[[], Any]) -> Iterator[Issued]:
    template, waiting = batch.template, deque[tuple[Draft, bytes, Any, bytes, bytes]]()

    def messages() -> Iterator[bytes]:
        for draft in batch.drafts:
            private_key, private_info, key_info = None, b"", draft.key_info
            if not key_info:
                private_key = make_key()
                private_info, key_info = key_infos(private_key)
            message = template.to_be_signed(serial=draft.serial, common_name=draft.common_name, key_info=key_info)
            waiting.append((draft, key_info, private_key, private_info, message))
            yield message

    for signature in sign(messages()):
        draft, key_info, private_key, private_info, message = waiting.popleft()
        certificate = template.assemble(message, signature)
        yield Issued(
            draft.step,
            draft.serial,
            draft.profile,
            draft.not_before,
            draft.not_after,
            key_info,
            certificate,
            private_key,
            private_info,
        )


def _take(signed: Iterator[Issued], most: int) -> tuple[list[Issued], CollectionError | None]:
    """The next certificates, as many as there are and the token signs."""
    taken: list[Issued] = []
    try:
        taken.extend(islice(signed, most))
    except CollectionError as error:
        return taken, error
    return taken, None
