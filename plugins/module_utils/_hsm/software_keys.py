# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys made in the memory of this process, for clients: the counterpart of keys made in a token."""

from __future__ import annotations

from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import key_request

try:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
except ImportError:
    ec = ed25519 = rsa = missing_library("cryptography")

RSA_PUBLIC_EXPONENT = 65537


def generate_private_key(algorithm: str) -> Any:
    """A new private key of ``cryptography``, with the randomness of that library.

    :param algorithm: One of the names in ``mechanisms.KEY_REQUESTS``, for example ``ec-p256``.
    :raises InputError: there is no such algorithm.
    """
    request = key_request(algorithm)
    if request.key_type == "EC":
        return ec.generate_private_key(ec.SECP256R1() if algorithm == "ec-p256" else ec.SECP384R1())
    if request.key_type == "RSA":
        return rsa.generate_private_key(public_exponent=RSA_PUBLIC_EXPONENT, key_size=request.bits)
    return ed25519.Ed25519PrivateKey.generate()
