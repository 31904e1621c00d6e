# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a session: searched, read, made, destroyed. The only file that knows python-pkcs11's objects."""

from __future__ import annotations

from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError, token_errors
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import KeyRequest

try:
    import pkcs11
except ImportError:
    pkcs11 = missing_library("python-pkcs11")

try:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
except ImportError:
    ec = ed25519 = rsa = missing_library("cryptography")

_UNCOMPRESSED_POINT = 0x04
_OCTET_STRING = 0x04
# What a private key must answer, and what it must answer unless the token does not know the attribute.
_MUST = {"SENSITIVE": True, "EXTRACTABLE": False, "SIGN": True}
_MUST_IF_TOLD = {
    "ALWAYS_SENSITIVE": True,
    "NEVER_EXTRACTABLE": True,
    "LOCAL": True,
    "DECRYPT": False,
    "UNWRAP": False,
    "DERIVE": False,
}


class TokenSigner:
    """Raw signatures of a private key of a session (:class:`~.keys.Signer`)."""

    def __init__(self, private_object: Any) -> None:
        self._object = private_object

    def ecdsa(self, digest: bytes) -> bytes:
        """R and s of the same length, concatenated."""
        return self._sign(digest, pkcs11.Mechanism.ECDSA)

    def eddsa(self, message: bytes) -> bytes:
        """A signature of RFC 8032, 64 bytes."""
        return self._sign(message, pkcs11.Mechanism.EDDSA)

    def rsa_pkcs1(self, digest_info: bytes) -> bytes:
        """A signature of PKCS#1 v1.5 over a DigestInfo."""
        return self._sign(digest_info, pkcs11.Mechanism.RSA_PKCS)

    def rsa_pss(self, digest: bytes, *, hash_name: str, salt_bytes: int) -> bytes:
        """A signature of PSS over a digest, the mask made with the same hash."""
        name = hash_name.upper()
        parameters = (pkcs11.Mechanism[name], pkcs11.MGF[name], salt_bytes)
        return self._sign(digest, pkcs11.Mechanism.RSA_PKCS_PSS, parameters)

    def _sign(self, content: bytes, mechanism: Any, parameters: Any = None) -> bytes:
        with token_errors("signing"):
            return bytes(self._object.sign(content, mechanism=mechanism, mechanism_param=parameters))


def find_objects(session: Any, kind: str, label: str) -> list[Any]:
    """The key objects of a label; more than one is an error, since none of them is better than the other.

    :param kind: ``PRIVATE_KEY`` or ``PUBLIC_KEY``.
    :raises StateError: several bear the label.
    """
    attributes = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass[kind],
        pkcs11.Attribute.LABEL: label,
        pkcs11.Attribute.TOKEN: True,
    }
    with token_errors(f"looking for the key '{shown(label)}'"):
        found = list(session.get_objects(attributes))
    if len(found) > 1:
        raise StateError(
            f"The token holds {len(found)} keys labelled '{shown(label)}', and nothing tells which one is meant.",
            remedy="Give the others another label with the tool of the token's vendor.",
        )
    return found


def read_public_key(public_object: Any) -> Any:
    """The key of ``cryptography`` in a public object, or in the public attributes of an RSA private one.

    :raises StateError: a kind of key that is not used here.
    """
    attribute = pkcs11.Attribute
    with token_errors("reading a public key"):
        key_type = public_object[attribute.KEY_TYPE]
        if key_type is pkcs11.KeyType.RSA:
            modulus, exponent = public_object[attribute.MODULUS], public_object[attribute.PUBLIC_EXPONENT]
            numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
            return numbers.public_key()
        if key_type not in (pkcs11.KeyType.EC, pkcs11.KeyType.EC_EDWARDS):
            raise StateError(f"The token holds a key of the kind {key_type.name}, which is not used here.")
        point, curve = public_object[attribute.EC_POINT], public_object[attribute.EC_PARAMS]
    if key_type is pkcs11.KeyType.EC:
        return _read_point(curve, _unwrapped(point))
    return ed25519.Ed25519PublicKey.from_public_bytes(_unwrapped(point)[-32:])


def _unwrapped(point: bytes) -> bytes:
    """The point without the OCTET STRING around it that PKCS#11 asks for and some tokens forget."""
    if len(point) > 2 and point[0] == _OCTET_STRING and point[1] == len(point) - 2:
        return point[2:]
    return point


def _read_point(curve: bytes, point: bytes) -> Any:
    curves = {bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1, bytes.fromhex("06052b81040022"): ec.SECP384R1}
    if curve not in curves:
        raise StateError(f"The token holds a key on the curve {curve.hex()}, which is not used here.")
    return ec.EllipticCurvePublicKey.from_encoded_point(curves[curve](), point)


def require_mechanisms(session: Any, request: KeyRequest) -> None:
    """Check that a token says it can make such keys and sign with them.

    :raises TokenError: it cannot, or not of this size.
    """
    slot, mechanism = session.token.slot, pkcs11.Mechanism
    with token_errors("asking for its mechanisms"):
        offered = {getattr(offer, "name", offer) for offer in slot.get_mechanisms()}
        missing = [name for name in (request.generate, request.sign) if name not in offered]
        if missing:
            raise TokenError(
                f"The token '{session.token.label}' does not offer {' and '.join(f'CKM_{name}' for name in missing)}.",
                remedy="Choose another algorithm; the documentation of the token lists what it can do.",
            )
        limits = slot.get_mechanism_info(mechanism[request.generate])
    if request.key_type == "RSA" and not limits.min_key_length <= request.bits <= limits.max_key_length:
        raise TokenError(
            f"The token '{session.token.label}' makes RSA keys of {limits.min_key_length} to {limits.max_key_length} "
            f"bits, not of {request.bits}."
        )


def generate_pair(session: Any, request: KeyRequest, *, label: str, identifier: bytes) -> tuple[Any, Any]:
    """The public and the private object of a new key: it signs and does nothing else, and never leaves the token."""
    attribute, flag = pkcs11.Attribute, pkcs11.MechanismFlag
    options = {
        "id": identifier,
        "label": label,
        "store": True,
        "capabilities": flag.SIGN | flag.VERIFY,
        "mechanism": pkcs11.Mechanism[request.generate],
        "public_template": {attribute.PRIVATE: False},
        "private_template": {attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
    }
    with token_errors(f"making the key '{shown(label)}'"):
        if request.key_type == "RSA":
            public, private = session.generate_keypair(pkcs11.KeyType.RSA, request.bits, **options)
        else:
            parameters = {attribute.EC_PARAMS: request.parameters}
            domain = session.create_domain_parameters(pkcs11.KeyType[request.key_type], parameters, local=True)
            public, private = domain.generate_keypair(**options)
    return public, private


def broken_promises(private_object: Any, *, made_here: bool = True) -> list[str]:
    """The attributes of a private key, read back, that are not those of a key that signs and never leaves.

    :param made_here: Whether it must also have been made in the token, and be able to do nothing but sign.
    """
    broken = [f"CKA_{name}" for name, wanted in _MUST.items() if _read(private_object, name) is not wanted]
    if made_here:
        told = ((name, wanted, _read(private_object, name)) for name, wanted in _MUST_IF_TOLD.items())
        broken.extend(f"CKA_{name}" for name, wanted, found in told if found not in (None, wanted))
    return broken


def _read(private_object: Any, name: str) -> bool | None:
    try:
        return bool(private_object[pkcs11.Attribute[name]])
    except (pkcs11.AttributeTypeInvalid, pkcs11.FunctionFailed):
        return None


def is_rsa(key_object: Any) -> bool:
    """Whether a key is one of RSA, whose private half tells the public one."""
    with token_errors("reading a key"):
        return bool(key_object[pkcs11.Attribute.KEY_TYPE] is pkcs11.KeyType.RSA)


def identifier_of(key_object: Any) -> bytes:
    """``CKA_ID``, which the halves of a pair share; empty where the token keeps none."""
    with token_errors("reading a key"):
        return bytes(key_object[pkcs11.Attribute.ID])


def destroy(key_objects: list[Any]) -> None:
    """Destroy objects for ever."""
    with token_errors("destroying a key"):
        for key_object in key_objects:
            key_object.destroy()
