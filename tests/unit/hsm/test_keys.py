"""Private keys in a token, the token played by keys in software."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.keys import prove_pair, token_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import key_request

MESSAGE = b"message" * 1000
DIGEST_INFO_BYTES = 19


class Software:
    """A signer that does what PKCS#11 says a token does with what it is given."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.received: list[bytes] = []

    def ecdsa(self, digest: bytes) -> bytes:
        self.received.append(digest)
        size: int = (self.key.key_size + 7) // 8
        algorithm = {32: hashes.SHA256(), 48: hashes.SHA384()}[len(digest)]
        r, s = utils.decode_dss_signature(self.key.sign(digest, ec.ECDSA(utils.Prehashed(algorithm))))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def eddsa(self, message: bytes) -> bytes:
        self.received.append(message)
        signature: bytes = self.key.sign(message)
        return signature

    def rsa_pkcs1(self, digest_info: bytes) -> bytes:
        """The raw operation: EMSA-PKCS1-v1_5 around whatever came in."""
        self.received.append(digest_info)
        size: int = self.key.key_size // 8
        block = b"\x00\x01" + b"\xff" * (size - 3 - len(digest_info)) + b"\x00" + digest_info
        numbers = self.key.private_numbers()
        power: int = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
        return power.to_bytes(size, "big")

    def rsa_pss(self, digest: bytes, *, hash_name: str, salt_bytes: int) -> bytes:
        self.received.append(digest)
        algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[hash_name]
        signature: bytes = self.key.sign(
            digest, padding.PSS(padding.MGF1(algorithm), salt_bytes), utils.Prehashed(algorithm)
        )
        return signature


def _in_token(key: Any) -> tuple[Any, Software]:
    signer = Software(key)
    return token_key(signer, key.public_key()), signer


P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
RSA, ED25519 = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(("software", "algorithm"), [(P256, hashes.SHA256()), (P384, hashes.SHA384())])
def test_ec_signs_the_digest_and_answers_in_der(software: Any, algorithm: Any) -> None:
    key, signer = _in_token(software)
    software.public_key().verify(key.sign(MESSAGE, ec.ECDSA(algorithm)), MESSAGE, ec.ECDSA(algorithm))
    assert [len(received) for received in signer.received] == [algorithm.digest_size]
    assert (key.curve.name, key.key_size) == (software.curve.name, software.key_size)


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
@pytest.mark.parametrize("prehashed", [False, True])
def test_rsa_signs_with_both_paddings(algorithm: Any, prehashed: bool) -> None:
    key, signer = _in_token(RSA)
    digest = hashes.Hash(algorithm)
    digest.update(MESSAGE)
    given, how = (digest.finalize(), utils.Prehashed(algorithm)) if prehashed else (MESSAGE, algorithm)
    for form in (padding.PKCS1v15(), padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)):
        RSA.public_key().verify(key.sign(given, form, how), MESSAGE, form, algorithm)
    assert [len(received) for received in signer.received] == [
        DIGEST_INFO_BYTES + algorithm.digest_size,
        algorithm.digest_size,
    ]
    assert key.key_size == 2048


def test_the_salt_may_be_given_as_the_length_of_the_digest() -> None:
    key, _signer = _in_token(RSA)
    form = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    RSA.public_key().verify(key.sign(MESSAGE, form, hashes.SHA256()), MESSAGE, form, hashes.SHA256())


@pytest.mark.parametrize(
    ("form", "algorithm", "reason"),
    [
        (padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH), hashes.SHA256(), "salt as long as"),
        (padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256(), "salt as long as"),
        (padding.PKCS1v15(), hashes.SHA224(), "hash sha224"),
        (padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None), hashes.SHA256(), "padding OAEP"),
    ],
)
def test_what_not_every_verifier_takes_is_refused(form: Any, algorithm: Any, reason: str) -> None:
    key, _signer = _in_token(RSA)
    with pytest.raises(InputError, match=reason):
        key.sign(MESSAGE, form, algorithm)


def test_ed25519_gets_the_whole_message() -> None:
    key, signer = _in_token(ED25519)
    ED25519.public_key().verify(key.sign(MESSAGE), MESSAGE)
    assert signer.received == [MESSAGE]


@pytest.mark.parametrize("software", [P256, RSA, ED25519])
def test_nothing_but_signatures_comes_out(software: Any) -> None:
    key, _signer = _in_token(software)
    encoding = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for attempt in (lambda: key.private_bytes(*encoding), key.private_numbers):
        with pytest.raises(StateError, match="cannot be exported: it can only sign"):
            attempt()
    for name, arguments in (
        ("decrypt", (b"", None)),
        ("exchange", (None, None)),
        ("private_bytes_raw", ()),
        ("signer", ()),
    ):
        if hasattr(key, name):
            with pytest.raises(StateError, match="it can only sign"):
                getattr(key, name)(*arguments)
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert key.public_key() is not None


@pytest.mark.parametrize("software", [P256, P384, RSA, ED25519])
def test_a_pair_is_proven_and_a_wrong_one_is_not(software: Any) -> None:
    key, _signer = _in_token(software)
    prove_pair(software.public_key(), key)
    for wrong in (OTHER.public_key(), ed25519.Ed25519PrivateKey.generate().public_key()):
        with pytest.raises(StateError, match="does not belong to the public key"):
            prove_pair(wrong, key)


def test_builders_of_cryptography_take_it_for_one_of_their_own() -> None:
    """A CSR asks for the public key and for a signature, and its signature is checked by cryptography."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    for software, algorithm in ((P256, hashes.SHA256()), (RSA, hashes.SHA256()), (ED25519, None)):
        key, _signer = _in_token(software)
        assert x509.CertificateSigningRequestBuilder(name).sign(key, algorithm).is_signature_valid


def test_other_kinds_of_keys_are_refused() -> None:
    with pytest.raises(StateError, match="are not used"):
        token_key(Software(None), object())
    with pytest.raises(InputError, match=r"no key algorithm 'dsa'\. Choose one of ec-p256"):
        key_request("dsa")
