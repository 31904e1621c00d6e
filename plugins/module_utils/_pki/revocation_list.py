# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate revocation lists (RFC 5280), written as DER directly so that a million entries cost little but a hash."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from struct import Struct
from typing import Any

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

# OBJECT IDENTIFIER as DER: id-ce-cRLReasons, -invalidityDate, -authorityKeyIdentifier, -cRLNumber.
_OID_REASON = bytes.fromhex("0603551d15")
_OID_INVALIDITY_DATE = bytes.fromhex("0603551d18")
_OID_AUTHORITY_KEY = bytes.fromhex("0603551d23")
_OID_CRL_NUMBER = bytes.fromhex("0603551d14")
_CRL_VERSION_2 = der.encode_integer(1)
_KEY_IDENTIFIER_TAG = 0x80
_LONGEST_SERIAL = 21  # 20 bytes, and a zero before them where their first bit is set
_EXTENSIONS_TAG = 0xA0
_PEM_BEGIN = b"-----BEGIN X509 CRL-----\n"
_PEM_END = b"-----END X509 CRL-----\n"
_PEM_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----\s([A-Za-z0-9+/=\s]*)-----END X509 CRL-----")
_PEM_COLUMNS = 64
_PEM_LINES_AT_ONCE = 4096


class Reason(Enum):
    """Why a certificate was revoked; the value is the name in RFC 5280."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    CERTIFICATE_HOLD = "certificateHold"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


_REASON_CODES = {
    Reason.KEY_COMPROMISE: 1,
    Reason.CA_COMPROMISE: 2,
    Reason.AFFILIATION_CHANGED: 3,
    Reason.SUPERSEDED: 4,
    Reason.CESSATION_OF_OPERATION: 5,
    Reason.CERTIFICATE_HOLD: 6,
    Reason.PRIVILEGE_WITHDRAWN: 9,
}


@dataclass(frozen=True)
class Revocation:
    """One revoked certificate.

    :param revoked_at: UTC with its zone; microseconds are dropped.
    :param invalidity_date: Since when the key must be taken to have been in wrong hands.
    """

    serial: int
    revoked_at: datetime
    reason: Reason = Reason.UNSPECIFIED
    invalidity_date: datetime | None = None

    def encode_entry(self) -> bytes:
        """The DER of the entry, complete in itself: stored entries are concatenated into a CRL as they are."""
        serial = self.serial.to_bytes(self.serial.bit_length() // 8 + 1, "big")
        size = len(serial)
        if size > _LONGEST_SERIAL:
            raise InputError(f"The serial {self.serial} is longer than the 20 bytes that RFC 5280 allows.")
        rest = _encode_after_serial(self.revoked_at, self.reason, self.invalidity_date)
        return bytes((der.SEQUENCE, size + 2 + len(rest), der.INTEGER, size)) + serial + rest


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
    """The DER of a signed CRL.

    :param entries: DER of entries; an element may hold one entry, or thousands that were concatenated before.
    :param number: The CRL number, greater than that of every CRL before.
    :param pss: RSA-PSS instead of PKCS#1 v1.5; for an RSA issuer only.
    :raises InputError: the dates are the wrong way round, or the number is negative.
    """
    if next_update <= this_update or number < 0:
        raise InputError(f"The CRL number {number} is negative, or the CRL would expire before it begins.")
    algorithm = signature_algorithm(issuer_key, pss=pss)
    before = b"".join(
        (
            _CRL_VERSION_2,
            algorithm,
            issuer_certificate.subject.public_bytes(),
            der.encode_time(this_update),
            der.encode_time(next_update),
        )
    )
    revoked = b"".join(entries)
    if revoked:
        before += der.header(der.SEQUENCE, len(revoked))
    after = _encode_crl_extensions(issuer_certificate, number)
    before = der.header(der.SEQUENCE, len(before) + len(revoked) + len(after)) + before
    signature = der.encode(der.BIT_STRING, b"\0", sign_parts(issuer_key, [before, revoked, after], pss=pss))
    parts = (before, revoked, after, algorithm, signature)
    return b"".join((der.header(der.SEQUENCE, sum(map(len, parts))), *parts))


def _encode_crl_extensions(issuer_certificate: Any, number: int) -> bytes:
    key_identifier = authority_key_identifier(issuer_certificate).key_identifier
    authority_key = der.encode(der.SEQUENCE, der.encode(_KEY_IDENTIFIER_TAG, key_identifier))
    extensions = (
        _encode_extension(_OID_AUTHORITY_KEY, authority_key),
        _encode_extension(_OID_CRL_NUMBER, der.encode_integer(number)),
    )
    return der.encode(_EXTENSIONS_TAG, der.encode(der.SEQUENCE, *extensions))


@lru_cache(maxsize=65536)
def _encode_after_serial(revoked_at: datetime, reason: Reason, invalidity_date: datetime | None) -> bytes:
    """The date and the extensions of an entry: short enough, with its serial, for a length of one byte."""
    return der.encode_time(revoked_at) + _encode_entry_extensions(reason, invalidity_date)


def _encode_entry_extensions(reason: Reason, invalidity_date: datetime | None) -> bytes:
    """The extensions of an entry, or nothing; ``unspecified`` must be left out, says RFC 5280."""
    extensions = []
    if reason is not Reason.UNSPECIFIED:
        code = der.encode_integer(_REASON_CODES[reason], tag=der.ENUMERATED)
        extensions.append(_encode_extension(_OID_REASON, code))
    if invalidity_date is not None:
        extensions.append(_encode_extension(_OID_INVALIDITY_DATE, der.encode_generalized_time(invalidity_date)))
    return der.encode(der.SEQUENCE, *extensions) if extensions else b""


def _encode_extension(identifier: bytes, value: bytes) -> bytes:
    return der.encode(der.SEQUENCE, identifier, der.encode(der.OCTET_STRING, value))


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


def crl_to_pem(content: bytes) -> bytes:
    """The PEM of a CRL in DER, lines of 64 characters, ending with a newline."""
    text = base64.b64encode(content)
    whole = len(text) - len(text) % (_PEM_COLUMNS * _PEM_LINES_AT_ONCE)
    lines = Struct(f"{_PEM_COLUMNS}s" * _PEM_LINES_AT_ONCE)
    pieces = [b"\n".join(block) for block in lines.iter_unpack(memoryview(text)[:whole])]
    pieces.extend(text[start : start + _PEM_COLUMNS] for start in range(whole, len(text), _PEM_COLUMNS))
    return b"".join((_PEM_BEGIN, b"\n".join(pieces), b"\n", _PEM_END))


def crl_to_der(content: bytes) -> bytes:
    """The DER of a PEM that holds exactly one CRL.

    :raises InputError: it holds none, or several, or a damaged one.
    """
    blocks = _PEM_BLOCK.findall(content)
    if len(blocks) != 1:
        raise InputError(f"One CRL in PEM was expected, and there are {len(blocks)}.")
    try:
        return base64.b64decode(re.sub(rb"\s", b"", blocks[0]), validate=True)
    except binascii.Error as error:
        raise InputError("The CRL cannot be read: its PEM is damaged.") from error
