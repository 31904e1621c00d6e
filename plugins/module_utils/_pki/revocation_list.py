# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate revocation lists (RFC 5280), written as DER directly so that a million entries cost little but a hash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import (
    BACKDATED,
    common_name_of,
    require_authority,
    require_issuer_key,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import (
    Reason,
    Revocation,
    encode_entries,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import crl_to_der, crl_to_pem
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.extensions import authority_key_identifier
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import (
    is_signed_by,
    sign_parts,
    signature_algorithm,
)

try:
    from cryptography import x509
except ImportError:
    x509 = missing_library("cryptography")

__all__ = [
    "CrlFacts",
    "CrlFields",
    "Reason",
    "Revocation",
    "build_crl",
    "count_listed",
    "crl_to_der",
    "crl_to_pem",
    "encode_entries",
    "load_crl",
    "next_this_update",
    "sign_crl",
    "verify_crl",
]

Piece = Union[bytes, memoryview]

# OBJECT IDENTIFIER as DER: id-ce-authorityKeyIdentifier, -cRLNumber.
_OID_AUTHORITY_KEY = bytes.fromhex("0603551d23")
_OID_CRL_NUMBER = bytes.fromhex("0603551d14")
_CRL_VERSION_2 = der.encode_integer(1)
_KEY_IDENTIFIER_TAG = 0x80
_EXTENSIONS_TAG = 0xA0


@dataclass(frozen=True)
class CrlFacts:
    """What a CRL says about itself. Dates are UTC with their zone.

    :param number: The CRL number, ``None`` where it has none.
    :param authority_key_identifier: Hexadecimal digits; empty where it has none.
    :param fingerprint: SHA-256 over the DER, 64 hexadecimal digits.
    """

    issuer: str
    number: int | None
    this_update: datetime
    next_update: datetime | None
    revoked_count: int
    authority_key_identifier: str
    fingerprint: str


def next_this_update(now: datetime, previous: datetime | None) -> datetime:
    """The ``thisUpdate`` of a CRL: backdated an hour for clocks that are late, and a second or more after the previous.

    OpenVPN notices a new file by its size and its time in whole seconds, so that two CRLs of one second are one to it.
    """
    backdated = now.replace(microsecond=0) - BACKDATED
    return backdated if previous is None else max(backdated, previous.replace(microsecond=0) + timedelta(seconds=1))


@dataclass(frozen=True)
class CrlFields:
    """What a CRL holds besides its entries and its issuer.

    :param number: The CRL number, greater than that of every CRL before.
    :param pss: RSA-PSS instead of PKCS#1 v1.5; for an RSA issuer only.
    """

    number: int
    this_update: datetime
    next_update: datetime
    pss: bool = False


def sign_crl(
    entries: Iterable[Piece],
    fields: CrlFields,
    *,
    issuer_certificate: Any,
    issuer_key: Any,
    is_verified: bool = True,
) -> tuple[Piece, ...]:
    """The DER of a signed CRL in parts, which were hashed once: signed and verified by the same digest.

    :param entries: DER of entries; an element may hold one entry, or a million that were concatenated before.
    :param is_verified: Whether the signature has to verify with the issuer's certificate.
    :raises InputError: the dates are the wrong way round, or the number is negative.
    :raises StateError: what the key signed does not verify with the issuer's certificate.
    """
    if fields.next_update <= fields.this_update or fields.number < 0:
        raise InputError(f"The CRL number {fields.number} is negative, or the CRL would expire before it begins.")
    algorithm = signature_algorithm(issuer_key, pss=fields.pss)
    before = b"".join(
        (
            _CRL_VERSION_2,
            algorithm,
            issuer_certificate.subject.public_bytes(),
            der.encode_time(fields.this_update),
            der.encode_time(fields.next_update),
        )
    )
    revoked = tuple(entries)
    size = sum(map(len, revoked))
    if size:
        before += der.header(der.SEQUENCE, size)
    after = _encode_crl_extensions(issuer_certificate, fields.number)
    before = der.header(der.SEQUENCE, len(before) + size + len(after)) + before
    public_key = issuer_certificate.public_key() if is_verified else None
    signature = sign_parts(issuer_key, (before, *revoked, after), pss=fields.pss, public_key=public_key)
    after += algorithm + der.encode(der.BIT_STRING, b"\0", signature)
    return (der.header(der.SEQUENCE, len(before) + size + len(after)) + before, *revoked, after)


def build_crl(
    entries: Iterable[bytes],
    *,
    issuer_certificate: Any,
    issuer_key: Any,
    number: int,
    this_update: datetime,
    next_update: datetime,
    pss: bool = False,
) -> bytes:
    """The DER of a CRL in one piece, signed and not verified yet: see :func:`verify_crl`."""
    fields = CrlFields(number, this_update, next_update, pss)
    parts = sign_crl(entries, fields, issuer_certificate=issuer_certificate, issuer_key=issuer_key, is_verified=False)
    return b"".join(parts)


def _encode_crl_extensions(issuer_certificate: Any, number: int) -> bytes:
    key_identifier = authority_key_identifier(issuer_certificate).key_identifier
    authority_key = der.encode(der.SEQUENCE, der.encode(_KEY_IDENTIFIER_TAG, key_identifier))
    extensions = (
        der.encode_extension(_OID_AUTHORITY_KEY, authority_key),
        der.encode_extension(_OID_CRL_NUMBER, der.encode_integer(number)),
    )
    return der.encode(_EXTENSIONS_TAG, der.encode(der.SEQUENCE, *extensions))


def verify_crl(content: bytes, issuer_certificate: Any) -> None:
    """Check that an issuer signed a CRL (DER): names, key identifiers, the issuer's rights, signature.

    Whether it is fresh is for the caller, who knows the time: see :func:`load_crl`.

    :raises InputError: it is not a CRL.
    :raises StateError: naming what does not fit.
    """
    crl, issuer = _parse(content), common_name_of(issuer_certificate)
    if crl.issuer != issuer_certificate.subject:
        raise StateError(f"The CRL was issued by '{crl.issuer.rfc4514_string()}', not by '{issuer}'.")
    require_authority(issuer_certificate, usage="crl_sign")
    require_issuer_key(crl.extensions, issuer_certificate, what="The CRL")
    if not is_signed_by(issuer_certificate.public_key(), content):
        raise StateError(f"The CRL does not bear the signature of '{issuer}'.", remedy="Do not use it.")


def load_crl(content: bytes) -> CrlFacts:
    """The facts of a CRL in DER or PEM.

    :raises InputError: it is not a CRL.
    """
    encoded = crl_to_der(content) if content.lstrip().startswith(b"-----") else content
    crl = _parse(encoded)
    number = _extension(crl, "CRLNumber")
    authority_key = _extension(crl, "AuthorityKeyIdentifier")
    this_update = _moment(crl, "last_update")
    if this_update is None:
        raise InputError("The CRL has no date.")
    return CrlFacts(
        issuer=crl.issuer.rfc4514_string(),
        number=None if number is None else number.crl_number,
        this_update=this_update,
        next_update=_moment(crl, "next_update"),
        revoked_count=len(crl),
        authority_key_identifier="" if authority_key is None else (authority_key.key_identifier or b"").hex(),
        fingerprint=fingerprint(encoded),
    )


def count_listed(content: bytes) -> int:
    """How many certificates a CRL (DER) lists, by a reading of all of it.

    :raises InputError: it is not a CRL.
    """
    return len(_parse(content))


def _parse(content: bytes) -> Any:
    try:
        return x509.load_der_x509_crl(content)
    except ValueError as error:
        raise InputError("The CRL cannot be read: it is damaged, or it is not a CRL.") from error


def _extension(crl: Any, name: str) -> Any:
    try:
        return crl.extensions.get_extension_for_class(getattr(x509, name)).value
    except x509.ExtensionNotFound:
        return None


def _moment(crl: Any, name: str) -> datetime | None:
    """The attribute of cryptography 42 and later, or the one without a zone of those before."""
    if hasattr(crl, f"{name}_utc"):
        moment: datetime | None = getattr(crl, f"{name}_utc")
        return moment
    naive: datetime | None = getattr(crl, name)
    return None if naive is None else naive.replace(tzinfo=timezone.utc)
