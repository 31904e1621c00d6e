# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a session: searched, read, made, destroyed. The only file that knows python-pkcs11's objects."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.deadline import MAKING_A_KEY
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
# What a private key must answer, and what it must answer unless the token does not know the attribute. That it can do
# nothing but sign is asked of every token, but not insisted on: smart cards tell all uses of a key, whatever was asked.
_MUST = {"SENSITIVE": True, "EXTRACTABLE": False, "SIGN": True}
_MUST_IF_TOLD = {"ALWAYS_SENSITIVE": True, "NEVER_EXTRACTABLE": True, "LOCAL": True}
_SHORT_IDENTIFIER = 2  # bytes: all that the first YubiHSM 2 libraries keep


class TokenSigner:
    """Raw signatures of a private key of a session (:class:`~.keys.Signer`)."""

    def __init__(self, private_object: Any) -> None:
        self._object = private_object
        self._offered: set[str] = set()

    def ecdsa(self, digest: bytes) -> bytes:
        """R and s of the same length, concatenated."""
        return self._sign(digest, "ECDSA")

    def eddsa(self, message: bytes) -> bytes:
        """A signature of RFC 8032, 64 bytes."""
        return self._sign(message, "EDDSA")

    def rsa_pkcs1(self, digest_info: bytes) -> bytes:
        """A signature of PKCS#1 v1.5 over a DigestInfo."""
        return self._sign(digest_info, "RSA_PKCS")

    def rsa_pss(self, digest: bytes, *, hash_name: str, salt_bytes: int) -> bytes:
        """A signature of PSS over a digest, the mask made with the same hash."""
        name = hash_name.upper()
        parameters = (pkcs11.Mechanism[name], pkcs11.MGF[name], salt_bytes)
        return self._sign(digest, "RSA_PKCS_PSS", parameters)

    def _sign(self, content: bytes, mechanism: str, parameters: Any = None) -> bytes:
        if mechanism not in self._offered:
            require_offered(self._object.session, mechanism)
            self._offered.add(mechanism)
        with token_errors("signing"):
            return bytes(self._object.sign(content, mechanism=pkcs11.Mechanism[mechanism], mechanism_param=parameters))


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


def require_offered(session: Any, *mechanisms: str) -> None:
    """Check that a token says it has these mechanisms, by their names in PKCS#11 without ``CKM_``.

    :raises TokenError: one of them is missing.
    """
    with token_errors("asking for its mechanisms"):
        offered = {getattr(offer, "name", offer) for offer in session.token.slot.get_mechanisms()}
    missing = [f"CKM_{name}" for name in mechanisms if name not in offered]
    if missing:
        what = "RSA-PSS (pss)" if missing == ["CKM_RSA_PKCS_PSS"] else "this algorithm"
        raise TokenError(
            f"The token '{session.token.label}' does not offer {' and '.join(missing)}.",
            remedy=f"It cannot be used with {what}. The documentation of the token lists what it can do.",
        )


def require_mechanisms(session: Any, request: KeyRequest) -> None:
    """Check that a token says it can make such keys and sign with them.

    :raises TokenError: it cannot, or not of this size.
    """
    require_offered(session, request.generate, request.sign)
    with token_errors("asking for its mechanisms"):
        limits = session.token.slot.get_mechanism_info(pkcs11.Mechanism[request.generate])
    if request.key_type == "RSA" and not limits.min_key_length <= request.bits <= limits.max_key_length:
        raise TokenError(
            f"The token '{session.token.label}' makes RSA keys of {limits.min_key_length} to {limits.max_key_length} "
            f"bits, not of {request.bits}."
        )


def generate_pair(session: Any, request: KeyRequest, *, label: str, identifier: bytes) -> tuple[Any, Any]:
    """The public and the private object of a new key: it signs and does nothing else, and never leaves the token.

    Tokens differ in the attributes that they take. Where one refuses a template it made nothing, and is asked again
    with fewer attributes; what it made in the end is read back by the caller (:func:`broken_promises`).
    """
    shapes = [(*shape, form) for form in request.parameters or (b"",) for shape in _shapes(identifier)]
    with token_errors(f"making the key '{shown(label)}'", patience=MAKING_A_KEY):
        for templates, identity, form in shapes[:-1]:
            with suppress(*_refusals()):
                return _generate(session, request, templates, label=label, identifier=identity, parameters=form)
        templates, identity, form = shapes[-1]
        return _generate(session, request, templates, label=label, identifier=identity, parameters=form)


def _refusals() -> tuple[type[Exception], ...]:
    """What a token raises that does not take an attribute or its value."""
    return (
        pkcs11.AttributeTypeInvalid, pkcs11.AttributeValueInvalid, pkcs11.AttributeReadOnly,
        pkcs11.TemplateInconsistent, pkcs11.DomainParamsInvalid,
    )  # fmt: skip


def _shapes(identifier: bytes) -> list[tuple[tuple[dict[Any, Any], dict[Any, Any]], bytes]]:
    """Public and private template, and the identifier, from what we wish to what every token takes."""
    attribute, unset = pkcs11.Attribute, pkcs11.constants.DEFAULT
    secret = {attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False}
    full = ({attribute.PRIVATE: False}, secret)
    lean = (
        dict.fromkeys((attribute.ENCRYPT, attribute.WRAP), unset),
        {**secret, **dict.fromkeys((attribute.DECRYPT, attribute.UNWRAP, attribute.DERIVE), unset)},
    )
    return [(full, identifier), (lean, identifier), (lean, identifier[:_SHORT_IDENTIFIER])]


def _generate(
    session: Any, request: KeyRequest, templates: Any, *, label: str, identifier: bytes, parameters: bytes
) -> tuple[Any, Any]:
    flag = pkcs11.MechanismFlag
    options = {
        "id": identifier,
        "label": label,
        "store": True,
        "capabilities": flag.SIGN | flag.VERIFY,
        "mechanism": pkcs11.Mechanism[request.generate],
        "public_template": templates[0],
        "private_template": templates[1],
    }
    if request.key_type == "RSA":
        public, private = session.generate_keypair(pkcs11.KeyType.RSA, request.bits, **options)
    else:
        curve = {pkcs11.Attribute.EC_PARAMS: parameters}
        domain = session.create_domain_parameters(pkcs11.KeyType[request.key_type], curve, local=True)
        public, private = domain.generate_keypair(**options)
    return public, private


def broken_promises(private_object: Any, *, made_here: bool = True) -> list[str]:
    """The attributes of a private key, read back, that are not those of a key that signs and never leaves.

    :param made_here: Whether it must also have been made in the token, and never have been able to leave it.
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


def may_be_pair(public_object: Any, private_object: Any) -> bool:
    """Whether ``CKA_ID`` does not tell that two halves belong to different pairs; some tokens keep none."""
    public, private = _identifier_of(public_object), _identifier_of(private_object)
    return public == private or not public or not private


def _identifier_of(key_object: Any) -> bytes:
    with token_errors("reading a key"):
        try:
            return bytes(key_object[pkcs11.Attribute.ID])
        except pkcs11.AttributeTypeInvalid:
            return b""


def destroy(key_objects: list[Any]) -> None:
    """Destroy objects for ever. In some tokens the public half goes with the private one."""
    with token_errors("destroying a key"):
        for key_object in key_objects:
            with suppress(pkcs11.ObjectHandleInvalid, pkcs11.KeyHandleInvalid):
                key_object.destroy()
