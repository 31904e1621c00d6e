# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys in a token that the builders of ``cryptography`` take for its own.

The message is hashed in this process and only its digest goes to the token: a CRL of a million entries has 39 MB, and
some tokens cannot hash at all. What the token does is behind the protocol :class:`Signer`, so that the session may be
in this process or in another one.
"""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    from cryptography import exceptions
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
except ImportError:
    exceptions = hashes = ec = ed25519 = padding = rsa = utils = missing_library("cryptography")

_CHALLENGE = b"privatespace.gateway: these two keys belong together"
# DigestInfo of RFC 8017, section 9.2, without the digest itself.
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


class Signer(Protocol):
    """The raw signatures of one private key in a token."""

    def ecdsa(self, digest: bytes) -> bytes:
        """R and s of the same length, concatenated."""

    def eddsa(self, message: bytes) -> bytes:
        """A signature of RFC 8032, 64 bytes."""

    def rsa_pkcs1(self, digest_info: bytes) -> bytes:
        """A signature of PKCS#1 v1.5 over a DigestInfo."""

    def rsa_pss(self, digest: bytes, *, hash_name: str, salt_bytes: int) -> bytes:
        """A signature of PSS over a digest, the mask made with the same hash."""


class TokenKey:
    """What the private keys of all kinds have in common: the public half, and that nothing else ever comes out."""

    def __init__(self, signer: Signer, public_key: Any) -> None:
        self._signer = signer
        self._public_key = public_key

    def public_key(self) -> Any:
        """The public half, an ordinary key of ``cryptography``."""
        return self._public_key

    def private_numbers(self) -> NoReturn:
        """Not for a key in a token."""
        self._refuse("be exported")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> NoReturn:  # noqa: A002, ARG002 - the signature of cryptography
        """Not for a key in a token."""
        self._refuse("be exported")

    def signer(self, *_arguments: Any) -> NoReturn:
        """Not at all: the interface in parts that cryptography 36 still had, and that its builders never used."""
        self._refuse("sign a message in parts")

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def _refuse(self, what: str) -> NoReturn:
        raise StateError(f"The private key is in a token and cannot {what}: it can only sign.")


class TokenEllipticCurveKey(TokenKey, ec.EllipticCurvePrivateKey):
    """An EC private key in a token."""

    @property
    def curve(self) -> Any:
        """The curve of the public half."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return int(self._public_key.key_size)

    def sign(self, data: Any, signature_algorithm: Any) -> bytes:
        """An ECDSA signature in DER."""
        raw = self._signer.ecdsa(_digest(data, signature_algorithm.algorithm))
        half = len(raw) // 2
        r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        return bytes(utils.encode_dss_signature(r, s))

    def exchange(self, algorithm: Any, peer_public_key: Any) -> NoReturn:  # noqa: ARG002 - the signature of cryptography
        """Not for a key of an authority."""
        self._refuse("agree on a secret")


class TokenRsaKey(TokenKey, rsa.RSAPrivateKey):
    """An RSA private key in a token."""

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return int(self._public_key.key_size)

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        """A signature with the padding ``PKCS1v15`` or ``PSS``.

        :raises InputError: another padding or hash.
        """
        digest, hash_name = _digest(data, algorithm), _hash_of(algorithm).name
        if _is_pss(padding):
            return self._signer.rsa_pss(digest, hash_name=hash_name, salt_bytes=_salt_bytes(padding, algorithm))
        return self._signer.rsa_pkcs1(_digest_info(hash_name) + digest)

    def decrypt(self, ciphertext: bytes, padding: Any) -> NoReturn:  # noqa: ARG002 - the signature of cryptography
        """Not for a key of an authority."""
        self._refuse("decrypt")


class TokenEd25519Key(TokenKey, ed25519.Ed25519PrivateKey):
    """An Ed25519 private key in a token; it signs the message itself, which cannot be hashed before."""

    def sign(self, data: Any) -> bytes:
        """A signature of 64 bytes."""
        return self._signer.eddsa(bytes(data))

    def private_bytes_raw(self) -> NoReturn:
        """Not for a key in a token."""
        self._refuse("be exported")


def token_key(signer: Signer, public_key: Any) -> Any:
    """The private key of ``cryptography`` that belongs to a public one and signs in a token.

    :raises StateError: no class of ours fits the kind of key.
    """
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return TokenEllipticCurveKey(signer, public_key)
    if isinstance(public_key, rsa.RSAPublicKey):
        return TokenRsaKey(signer, public_key)
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return TokenEd25519Key(signer, public_key)
    raise StateError(f"Keys of the kind {type(public_key).__name__} are not used.")


def prove_pair(public_key: Any, key: Any) -> None:
    """Sign once with a private key and verify with a public one.

    :raises StateError: they do not belong together, or the token made a wrong signature.
    """
    try:
        _sign_and_verify(public_key, key)
    except (exceptions.InvalidSignature, AttributeError, TypeError) as error:
        raise StateError(
            "The private key in the token does not belong to the public key that it was expected to have.",
            remedy="Check the label of the key, and that the certificate of the authority is the one of this token.",
        ) from error


def _sign_and_verify(public_key: Any, key: Any) -> None:
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        algorithm = ec.ECDSA(hashes.SHA256())
        public_key.verify(key.sign(_CHALLENGE, algorithm), _CHALLENGE, algorithm)
    elif isinstance(public_key, rsa.RSAPublicKey):
        form, digest = padding.PKCS1v15(), hashes.SHA256()
        public_key.verify(key.sign(_CHALLENGE, form, digest), _CHALLENGE, form, digest)
    else:
        public_key.verify(key.sign(_CHALLENGE), _CHALLENGE)


def _hash_of(algorithm: Any) -> Any:
    if isinstance(algorithm, utils.Prehashed):
        return algorithm._algorithm  # noqa: SLF001 - cryptography shows it in no other way
    return algorithm


def _digest(data: Any, algorithm: Any) -> bytes:
    if isinstance(algorithm, utils.Prehashed):
        return bytes(data)
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return bytes(digest.finalize())


def _digest_info(hash_name: str) -> bytes:
    try:
        return _DIGEST_INFO[hash_name]
    except KeyError:
        raise InputError(f"Signatures with the hash {hash_name} are not made.") from None


def _is_pss(form: Any) -> bool:
    if isinstance(form, padding.PSS):
        return True
    if isinstance(form, padding.PKCS1v15):
        return False
    raise InputError(f"The padding {type(form).__name__} is not one of signatures.")


def _salt_bytes(form: Any, algorithm: Any) -> int:
    """The length of the salt; only that of the digest is accepted by every verifier."""
    digest_bytes = int(_hash_of(algorithm).digest_size)
    wanted = form._salt_length  # noqa: SLF001 - cryptography shows it in no other way
    if wanted != digest_bytes and wanted is not getattr(padding.PSS, "DIGEST_LENGTH", None):
        raise InputError("A PSS signature is made with a salt as long as its digest (PSS.DIGEST_LENGTH) only.")
    return digest_bytes
