# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of one batch, written as DER directly.

Issuer, dates, profile and addresses are the same in a whole batch; only serial, common name and key differ. What is the
same is encoded once, by :mod:`extensions` and ``cryptography``, so that a certificate costs little more than its
signature. The result is byte for byte what :func:`certificates.build_certificate` makes.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import signing_hash
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import (
    CertificateSpec,
    not_after,
    not_before,
    verify_issued,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.extensions import extensions_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import (
    is_rsa,
    rsa_padding,
    signature_algorithm,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    x509 = serialization = ec = missing_library("cryptography")

_VERSION_3 = b"\xa0\x03\x02\x01\x02"
_COMMON_NAME = b"\x06\x03\x55\x04\x03"
_UTF8_STRING = 0x0C
_SET = 0x31
_EXTENSIONS = 0xA3
_NO_UNUSED_BITS = b"\x00"
# What stands before the 65 bytes of a P-256 key: the commonest kind of key is not parsed.
_EC_P256_HEADER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_EC_P256_BITS, _EC_P256_BYTES = len(_EC_P256_HEADER), len(_EC_P256_HEADER) + 65
# What stands before and after the 32 bytes of a P-256 private key in PKCS#8; the 65 bytes of its public key follow.
_EC_P256_PRIVATE_HEADER = bytes.fromhex("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420")
_EC_P256_PUBLIC_HEADER = bytes.fromhex("a144034200")
_EC_P256_PRIVATE_END = len(_EC_P256_PRIVATE_HEADER) + 32
_EC_P256_PUBLIC = _EC_P256_PRIVATE_END + len(_EC_P256_PUBLIC_HEADER)
_EC_P256_PRIVATE_BYTES = _EC_P256_PUBLIC + 65
_SEVEN_BITS = 7
_MORE = 0x80


class LeafTemplate:
    """What the certificates of a batch have in common.

    :param pattern: A certificate of the batch; its name, its serial and its key are replaced in every one.
    :param pss: RSA-PSS instead of PKCS#1 v1.5; for an RSA issuer only.
    :raises StateError: the certificates would live outside the life of their issuer.
    """

    def __init__(self, pattern: CertificateSpec, *, issuer_certificate: Any, pss: bool = False) -> None:
        _require_life(pattern, issuer_certificate)
        self.pattern, self.issuer_certificate, self.pss = pattern, issuer_certificate, pss
        self._algorithm = signature_algorithm(issuer_certificate.public_key(), pss=pss)
        dates = der.encode(der.SEQUENCE, der.encode_time(pattern.not_before), der.encode_time(pattern.not_after))
        self._before_subject = self._algorithm + issuer_certificate.subject.public_bytes() + dates
        self._before_key_identifier, self._after_key_identifier = _split_extensions(pattern, issuer_certificate)

    def to_be_signed(self, *, serial: int, common_name: str, key_info: bytes) -> bytes:
        """The TBSCertificate of one certificate.

        :param key_info: The DER of its SubjectPublicKeyInfo.
        """
        name = common_name.encode("utf-8")
        number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        body = b"".join(
            (
                _VERSION_3,
                bytes((der.INTEGER, len(number))),
                number,
                self._before_subject,
                _subject_header(len(name)),
                name,
                key_info,
                self._before_key_identifier,
                key_identifier(key_info),
                self._after_key_identifier,
            )
        )
        return der.header(der.SEQUENCE, len(body)) + body

    def assemble(self, to_be_signed: bytes, signature: bytes) -> bytes:
        """The DER of a certificate."""
        after = self._algorithm + _signature_header(len(signature))
        length = len(to_be_signed) + len(after) + len(signature)
        return der.header(der.SEQUENCE, length) + to_be_signed + after + signature

    def verify(self, certificate: bytes, *, serial: int, common_name: str, key_info: bytes) -> None:
        """Read a certificate back and compare it with what it has to be; verify its signature.

        :raises StateError: it does not bear the signature of the issuer, or says something else.
        """
        found = x509.load_der_x509_certificate(certificate)
        verify_issued(found, self.issuer_certificate)
        key = found.public_key()
        spec = replace(self.pattern, serial=serial, common_name=common_name, public_key=key)
        names = [attribute.value for attribute in found.subject]
        said = (found.serial_number, names, not_before(found), not_after(found), public_key_info(key))
        wanted = (serial, [common_name], spec.not_before, spec.not_after, key_info)
        if said != wanted or list(found.extensions) != extensions_of(spec, self.issuer_certificate):
            raise StateError(
                f"The certificate of '{common_name}' does not say what it has to.", remedy="Do not use it."
            )


def _require_life(pattern: CertificateSpec, issuer_certificate: Any) -> None:
    if not not_before(issuer_certificate) <= pattern.not_before < pattern.not_after <= not_after(issuer_certificate):
        raise StateError(
            "The certificates would be valid outside the life of their issuer, which ends at "
            f"{not_after(issuer_certificate).isoformat()}.",
            remedy="Ask for fewer days, or renew the certificate of the authority.",
        )


def _split_extensions(pattern: CertificateSpec, issuer_certificate: Any) -> tuple[bytes, bytes]:
    """The encoded extensions before and after the subject key identifier, whose length never changes."""
    stand_in = issuer_certificate.public_key()
    identifier = key_identifier(public_key_info(stand_in))
    found = extensions_of(replace(pattern, public_key=stand_in), issuer_certificate)
    encoded = [_encode_extension(extension) for extension in found]
    place = next(
        index for index, extension in enumerate(found) if isinstance(extension.value, x509.SubjectKeyIdentifier)
    )
    own = encoded[place]
    cut = len(own) - len(identifier)
    whole = der.encode(_EXTENSIONS, der.encode(der.SEQUENCE, *encoded))
    start = len(whole) - sum(len(each) for each in encoded[place:]) + cut
    return whole[:start], whole[start + len(identifier) :]


def _encode_extension(extension: Any) -> bytes:
    return der.encode(
        der.SEQUENCE,
        encode_object_identifier(extension.oid.dotted_string),
        der.TRUE if extension.critical else b"",
        der.encode(der.OCTET_STRING, extension.value.public_bytes()),
    )


def encode_object_identifier(dotted: str) -> bytes:
    """The DER of an object identifier in its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return der.encode(der.OBJECT_IDENTIFIER, *(_encode_arc(arc) for arc in (40 * first + second, *rest)))


def _encode_arc(arc: int) -> bytes:
    octets = [arc % _MORE]
    while arc >= _MORE:
        arc >>= _SEVEN_BITS
        octets.append(_MORE | arc % _MORE)
    return bytes(reversed(octets))


@lru_cache(maxsize=256)
def _subject_header(length: int) -> bytes:
    """What stands before a common name of so many bytes in a subject that holds nothing else."""
    value = der.encode(_UTF8_STRING, bytes(length))
    return der.encode(der.SEQUENCE, der.encode(_SET, der.encode(der.SEQUENCE, _COMMON_NAME, value)))[:-length]


@lru_cache(maxsize=64)
def _signature_header(length: int) -> bytes:
    return der.header(der.BIT_STRING, length + 1) + _NO_UNUSED_BITS


def public_key_info(public_key: Any) -> bytes:
    """The DER of the SubjectPublicKeyInfo of a public key."""
    return bytes(public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def private_key_info(private_key: Any) -> bytes:
    """The DER of the PrivateKeyInfo (PKCS#8, unencrypted) of a private key in software. A secret."""
    return bytes(private_key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, _plain()))


@lru_cache(maxsize=1)
def _plain() -> Any:
    return serialization.NoEncryption()


def key_infos(private_key: Any) -> tuple[bytes, bytes]:
    """What :func:`private_key_info` and :func:`public_key_info` write of a new key.

    The PKCS#8 of a P-256 key holds its public key, which is not computed anew.
    """
    info = private_key_info(private_key)
    if (
        len(info) == _EC_P256_PRIVATE_BYTES
        and info.startswith(_EC_P256_PRIVATE_HEADER)
        and info.startswith(_EC_P256_PUBLIC_HEADER, _EC_P256_PRIVATE_END)
    ):
        return info, _EC_P256_HEADER + info[_EC_P256_PUBLIC:]
    return info, public_key_info(private_key.public_key())


def key_identifier(key_info: bytes) -> bytes:
    """The subject key identifier of RFC 5280, section 4.2.1.2, method 1: SHA-1 over the bits of the key.

    :param key_info: The DER of a SubjectPublicKeyInfo.
    :raises InputError: it is none.
    """
    start = _EC_P256_BITS if key_info.startswith(_EC_P256_HEADER) and len(key_info) == _EC_P256_BYTES else 0
    return hashlib.sha1(key_info[start or _start_of_bits(key_info) :], usedforsecurity=False).digest()


def _start_of_bits(key_info: bytes) -> int:
    whole = der.read_tag(key_info, 0, len(key_info), der.SEQUENCE)
    algorithm = der.read_tag(key_info, whole.content, whole.end, der.SEQUENCE)
    bits = der.read_tag(key_info, algorithm.end, whole.end, der.BIT_STRING)
    if bits.content == bits.end or bits.end != len(key_info):
        raise InputError("This is not the DER of a public key.")
    return bits.content + 1


def signing_function(key: Any, *, pss: bool = False) -> Callable[[bytes], bytes]:
    """What signs a message with the key of an issuer; everything that does not depend on the message is done here."""
    algorithm = signing_hash(key)
    if algorithm is None:
        return lambda message: bytes(key.sign(message))
    if is_rsa(key):
        padding = rsa_padding(key, pss=pss)
        return lambda message: bytes(key.sign(message, padding, algorithm))
    ecdsa = ec.ECDSA(algorithm)
    return lambda message: bytes(key.sign(message, ecdsa))
