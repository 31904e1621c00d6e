"""Tokens, ids and sealed texts: the very bytes that the page in the browser works out, too."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.sealing import (
    EXTRAS,
    SealError,
    decode_token,
    derive_id,
    encode_token,
    seal,
    unseal,
)

TOKEN = bytes(range(32))
NONCE = bytes(12)


def hkdf(info: bytes, size: int) -> bytes:
    """RFC 5869 with an empty salt, for at most one block, written out."""
    secret = hmac.new(bytes(32), TOKEN, hashlib.sha256).digest()
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:size]


def test_a_token_is_43_characters_of_base64url() -> None:
    text = encode_token(TOKEN)
    assert (len(text), "=" in text) == (43, False)
    assert decode_token(text) == TOKEN


@pytest.mark.parametrize("text", ["", "x" * 42, "x" * 44, "/" * 43, "x" * 42 + "=", "x" * 43 + "\n"])
def test_what_is_no_token_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_token(text)
    assert not text or text not in str(caught.value)


def test_the_id_is_derived_as_agreed_with_the_page() -> None:
    assert derive_id(TOKEN) == hkdf(b"privatespace.gateway link id v1", 16).hex()


def test_a_sealed_text_is_nonce_and_aes_gcm_bound_to_the_id() -> None:
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    key = hkdf(b"privatespace.gateway link key v1", 32)
    content = base64.b64decode(seal(TOKEN, "text", nonce=NONCE))
    assert content[:12] == NONCE
    assert aead.AESGCM(key).decrypt(NONCE, content[12:], derive_id(TOKEN).encode()) == b"text"
    extras = base64.b64decode(seal(TOKEN, "text", nonce=NONCE, purpose=EXTRAS))
    assert aead.AESGCM(key).decrypt(NONCE, extras[12:], f"{derive_id(TOKEN)} extras".encode()) == b"text"


def test_only_the_right_link_and_purpose_open_it() -> None:
    sealed = seal(TOKEN, "text", nonce=NONCE)
    assert unseal(TOKEN, sealed) == "text"
    with pytest.raises(SealError):
        unseal(bytes(32), sealed)
    with pytest.raises(SealError):
        unseal(TOKEN, sealed, purpose=EXTRAS)
    for altered in (sealed[:-4], sealed[:20], "", "?" + sealed[1:], "B" + sealed[1:]):
        with pytest.raises(SealError):
            unseal(TOKEN, altered)
