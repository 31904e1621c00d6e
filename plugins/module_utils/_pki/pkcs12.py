# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 (RFC 7292): key, certificate and chain of a device in one file with a password."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.serialization import pkcs12
except ImportError:
    x509 = hashes = serialization = pkcs12 = missing_library("cryptography")

# Rounds of PBKDF2: what somebody who has the file pays for every guess, and what making one costs (some hundredths of
# a second).
ROUNDS = 50_000
# Without letters and digits that look alike in some typefaces.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LETTERS = 5, 5


def make_pkcs12(*, name: str, private_key: Any, certificate: bytes, chain: str, password: str) -> bytes:
    """The DER of a PKCS#12: AES-256 and HMAC with SHA-256 throughout. A secret.

    :param name: The friendly name that programs show.
    :param certificate: DER.
    :param chain: PEM of the certificates above it.
    """
    form = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password.encode("ascii"))
    )
    above = x509.load_pem_x509_certificates(chain.encode("ascii"))
    own = x509.load_der_x509_certificate(certificate)
    return bytes(pkcs12.serialize_key_and_certificates(name.encode("ascii"), private_key, own, above, form))


def make_password(random_bytes: Callable[[int], bytes]) -> str:
    """A password of 125 random bits that can be read out: five groups of five letters and digits.

    :param random_bytes: That many bytes from a CSPRNG.
    """
    letters = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random_bytes(GROUPS * GROUP_LETTERS))
    return "-".join(letters[start : start + GROUP_LETTERS] for start in range(0, len(letters), GROUP_LETTERS))
