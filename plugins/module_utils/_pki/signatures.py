# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature algorithms of issuers: their identifiers, signing and verifying."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import (
    KeyAlgorithm,
    algorithm_of,
    signing_hash,
)

try:
    from cryptography import exceptions, x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
except ImportError:
    exceptions = x509 = hashes = ec = padding = utils = missing_library("cryptography")

# AlgorithmIdentifier as DER: RFC 5758 (ECDSA), RFC 8017 with RFC 4055 (RSA), RFC 8410 (Ed25519).
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
_ED25519 = bytes.fromhex("300506032b6570")
_RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
_RSA_PSS_SHA256 = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)
# What other authorities sign with, too: the family of the key, and the name of the hash in cryptography.
_FOREIGN = {
    _ECDSA_SHA256: ("ec", "SHA256"),
    _ECDSA_SHA384: ("ec", "SHA384"),
    bytes.fromhex("300a06082a8648ce3d040304"): ("ec", "SHA512"),
    _RSA_SHA256: ("rsa", "SHA256"),
    bytes.fromhex("300d06092a864886f70d01010c0500"): ("rsa", "SHA384"),
    bytes.fromhex("300d06092a864886f70d01010d0500"): ("rsa", "SHA512"),
    _RSA_PSS_SHA256: ("rsa", "SHA256"),
    _ED25519: ("ed25519", ""),
}


def is_rsa(key: Any) -> bool:
    """Whether a key, private or public, is one of RSA."""
    return algorithm_of(key) in (KeyAlgorithm.RSA_2048, KeyAlgorithm.RSA_3072, KeyAlgorithm.RSA_4096)


def rsa_padding(key: Any, *, pss: bool) -> Any:
    """What the builders of ``cryptography`` take as ``rsa_padding``; ``None`` for keys other than RSA.

    :raises InputError: PSS was asked of a key that is not RSA.
    """
    if not is_rsa(key):
        if pss:
            raise InputError(f"RSA-PSS was asked of a key of the kind {algorithm_of(key).value}.")
        return None
    return _pss_padding() if pss else padding.PKCS1v15()


def _pss_padding() -> Any:
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256().digest_size)


def signature_algorithm(key: Any, *, pss: bool = False) -> bytes:
    """The AlgorithmIdentifier (DER) of the signatures that an issuer's key makes.

    :raises InputError: PSS was asked of a key that is not RSA.
    """
    if rsa_padding(key, pss=pss) is not None:
        return _RSA_PSS_SHA256 if pss else _RSA_SHA256
    return {KeyAlgorithm.ED25519: _ED25519, KeyAlgorithm.EC_P384: _ECDSA_SHA384}.get(algorithm_of(key), _ECDSA_SHA256)


def is_pss(signed: Any) -> bool:
    """Whether a certificate or CRL of ``cryptography`` bears a signature of RSA-PSS."""
    return bool(signed.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS)


def sign_parts(key: Any, parts: Iterable[bytes | memoryview], *, pss: bool = False, public_key: Any = None) -> bytes:
    """Sign the concatenation of some parts, which is hashed once and without being built (except for Ed25519).

    :param public_key: The key that has to verify the signature, by the same digest.
    :raises StateError: it does not.
    """
    algorithm = signing_hash(key)
    if algorithm is None:
        message = b"".join(parts)
        form: tuple[Any, ...] = ()
    else:
        prehashed = utils.Prehashed(algorithm)
        message = _digest(parts, algorithm)
        form = (rsa_padding(key, pss=pss), prehashed) if is_rsa(key) else (ec.ECDSA(prehashed),)
    signature = bytes(key.sign(message, *form))
    try:
        if public_key is not None:
            public_key.verify(signature, message, *form)
    except exceptions.InvalidSignature as error:
        raise StateError(
            "The token made a signature that does not verify with the certificate of the authority.",
            remedy="What it signed was thrown away. Check the token before anything else is signed with it.",
        ) from error
    return signature


def is_signed_by(public_key: Any, signed_object: bytes) -> bool:
    """Whether a certificate or CRL (DER) was signed by the private half of a key.

    Authorities of others may sign with another hash than ours do; SHA-1 is not accepted from anybody.

    :raises InputError: the DER is damaged.
    """
    whole = der.read_tag(signed_object, 0, len(signed_object), der.SEQUENCE)
    body = der.read_tag(signed_object, whole.content, whole.end, der.SEQUENCE)
    identifier = der.read_tag(signed_object, body.end, whole.end, der.SEQUENCE)
    signature = der.read_tag(signed_object, identifier.end, whole.end, der.BIT_STRING)
    algorithm = signed_object[identifier.start : identifier.end]
    family, hash_name = _FOREIGN.get(algorithm, ("", ""))
    if not algorithm_of(public_key).value.startswith(family or "none"):
        return False
    signed = memoryview(signed_object)[body.start : body.end]
    content = signed_object[signature.content + 1 : signature.end]
    try:
        _verify(public_key, content, signed, hash_name=hash_name, pss=algorithm == _RSA_PSS_SHA256)
    except exceptions.InvalidSignature:
        return False
    return True


def _verify(public_key: Any, signature: bytes, signed: memoryview, *, hash_name: str, pss: bool) -> None:
    if not hash_name:
        public_key.verify(signature, bytes(signed))
        return
    algorithm = getattr(hashes, hash_name)()
    digest, prehashed = _digest([signed], algorithm), utils.Prehashed(algorithm)
    if is_rsa(public_key):
        public_key.verify(signature, digest, rsa_padding(public_key, pss=pss), prehashed)
    else:
        public_key.verify(signature, digest, ec.ECDSA(prehashed))


def _digest(parts: Iterable[bytes | memoryview], algorithm: Any) -> bytes:
    digest = hashes.Hash(algorithm)
    for part in parts:
        digest.update(part)
    return bytes(digest.finalize())
