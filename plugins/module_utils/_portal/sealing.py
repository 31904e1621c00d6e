# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a one-time link is made of: a token that only the link holds, and what follows from it.

The page in the browser does the same with WebCrypto; see "One-time links" in the README of the role portal.
"""

from __future__ import annotations

import base64
import binascii
import re

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

_REMEDY = "The role privatespace.gateway.portal installs it."
try:
    from cryptography import exceptions
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.ciphers import aead
    from cryptography.hazmat.primitives.kdf import hkdf
except ImportError:
    exceptions = missing_library("cryptography", remedy=_REMEDY)
    hashes = missing_library("cryptography", remedy=_REMEDY)
    aead = missing_library("cryptography", remedy=_REMEDY)
    hkdf = missing_library("cryptography", remedy=_REMEDY)

TOKEN_BYTES = 32
NONCE_BYTES = 12
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_ID_BYTES = 16
_KEY_BYTES = 32
# What is sealed beside the profile is bound to another text, so that neither can be put in the place of the other.
PROFILE = ""
EXTRAS = " extras"


class SealError(CollectionError):
    """A sealed text was altered, or belongs to another link."""


def encode_token(token: bytes) -> str:
    """A token as it stands in a link: base64url without padding."""
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def decode_token(text: str) -> bytes:
    """The bytes of a token.

    :raises InputError: it is none; the message does not show it.
    """
    if not _TOKEN.fullmatch(text):
        raise InputError("This is no token of a one-time link.", remedy="It has 43 characters after the '#'.")
    return base64.urlsafe_b64decode(text + "=")


def derive_id(token: bytes) -> str:
    """By what the gateway knows the link; the token does not follow from it."""
    return _derive(token, b"privatespace.gateway link id v1", _ID_BYTES).hex()


def seal(token: bytes, text: str, *, nonce: bytes, purpose: str = PROFILE) -> str:
    """A text that only the holder of the token can read.

    :param nonce: 12 random bytes, never used twice with one token.
    """
    sealed = aead.AESGCM(_derive_key(token)).encrypt(nonce, text.encode(), _bound_to(token, purpose))
    return base64.b64encode(nonce + sealed).decode()


def unseal(token: bytes, sealed: str, *, purpose: str = PROFILE) -> str:
    """The text again.

    :raises SealError: it was altered, or is not of this link and purpose.
    """
    try:
        content = base64.b64decode(sealed, validate=True)
        nonce, ciphertext = content[:NONCE_BYTES], content[NONCE_BYTES:]
        text: bytes = aead.AESGCM(_derive_key(token)).decrypt(nonce, ciphertext, _bound_to(token, purpose))
    except (exceptions.InvalidTag, ValueError, binascii.Error) as error:
        raise SealError("A sealed text was altered, or belongs to another link.") from error
    return text.decode()


def _derive_key(token: bytes) -> bytes:
    return _derive(token, b"privatespace.gateway link key v1", _KEY_BYTES)


def _bound_to(token: bytes, purpose: str) -> bytes:
    return f"{derive_id(token)}{purpose}".encode("ascii")


def _derive(token: bytes, info: bytes, size: int) -> bytes:
    derived: bytes = hkdf.HKDF(algorithm=hashes.SHA256(), length=size, salt=b"", info=info).derive(token)
    return derived
