# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a token is asked for when it makes or uses a key, by the name of the algorithm."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError


@dataclass(frozen=True)
class KeyRequest:
    """How a kind of key is made in a token and what signs with it; names are those of PKCS#11 without ``CKM_``.

    :param parameters: DER of the curve (``CKA_EC_PARAMS``) for keys on curves, in the forms that tokens may know, the
        commonest first; empty for RSA.
    :param bits: Size of the modulus for RSA; of the field for curves.
    """

    key_type: str
    generate: str
    sign: str
    bits: int
    parameters: tuple[bytes, ...] = ()


_P256 = bytes.fromhex("06082a8648ce3d030107")
_P384 = bytes.fromhex("06052b81040022")
# PKCS#11 3.0 names the curve by a string; RFC 8410 by an object identifier, which newer tokens take as well.
_ED25519 = (b"\x13\x0cedwards25519", bytes.fromhex("06032b6570"))

KEY_REQUESTS = {
    "ec-p256": KeyRequest("EC", "EC_KEY_PAIR_GEN", "ECDSA", 256, (_P256,)),
    "ec-p384": KeyRequest("EC", "EC_KEY_PAIR_GEN", "ECDSA", 384, (_P384,)),
    "rsa-2048": KeyRequest("RSA", "RSA_PKCS_KEY_PAIR_GEN", "RSA_PKCS", 2048),
    "rsa-3072": KeyRequest("RSA", "RSA_PKCS_KEY_PAIR_GEN", "RSA_PKCS", 3072),
    "rsa-4096": KeyRequest("RSA", "RSA_PKCS_KEY_PAIR_GEN", "RSA_PKCS", 4096),
    "ed25519": KeyRequest("EC_EDWARDS", "EC_EDWARDS_KEY_PAIR_GEN", "EDDSA", 255, _ED25519),
}


def key_request(algorithm: str) -> KeyRequest:
    """How to make a key of that algorithm.

    :raises InputError: no token is asked for such keys.
    """
    try:
        return KEY_REQUESTS[algorithm]
    except KeyError:
        raise InputError(
            f"There is no key algorithm '{algorithm}'.", remedy=f"Choose one of {', '.join(KEY_REQUESTS)}."
        ) from None
