# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key algorithms that the collection knows."""

from __future__ import annotations

from enum import Enum
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
except ImportError:
    hashes = ec = ed25519 = rsa = missing_library("cryptography")

PublicKey = Union["ec.EllipticCurvePublicKey", "rsa.RSAPublicKey", "ed25519.Ed25519PublicKey"]
PrivateKey = Union["ec.EllipticCurvePrivateKey", "rsa.RSAPrivateKey", "ed25519.Ed25519PrivateKey"]


class KeyAlgorithm(Enum):
    """A kind of key and its size; the value is its name in options, results and the store."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    ED25519 = "ed25519"


ALGORITHM_NAMES = tuple(algorithm.value for algorithm in KeyAlgorithm)


def parse_algorithm(name: str) -> KeyAlgorithm:
    """The algorithm of that name.

    :raises InputError: there is none; the message lists those there are.
    """
    try:
        return KeyAlgorithm(name)
    except ValueError:
        raise InputError(
            f"There is no key algorithm '{name}'.", remedy=f"Choose one of {', '.join(ALGORITHM_NAMES)}."
        ) from None


def algorithm_of(public_key: Any) -> KeyAlgorithm:
    """The algorithm of a public key (or of a private one: both answer the same questions).

    :raises InputError: the collection does not sign for keys of this kind or size.
    """
    name = _name_of(public_key)
    try:
        return KeyAlgorithm(name)
    except ValueError:
        raise InputError(
            f"A key of the kind '{name}' is not accepted.", remedy=f"Use one of {', '.join(ALGORITHM_NAMES)}."
        ) from None


def _name_of(key: Any) -> str:
    if isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return {"secp256r1": "ec-p256", "secp384r1": "ec-p384"}.get(key.curve.name, key.curve.name)
    if isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return f"rsa-{key.key_size}"
    if isinstance(key, (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey)):
        return "ed25519"
    return type(key).__name__.strip("_")


def signing_hash(key: Any) -> Any:
    """The hash that goes with a key of an issuer: SHA-384 for P-384, none for Ed25519, else SHA-256."""
    algorithm = algorithm_of(key)
    if algorithm is KeyAlgorithm.ED25519:
        return None
    return hashes.SHA384() if algorithm is KeyAlgorithm.EC_P384 else hashes.SHA256()
