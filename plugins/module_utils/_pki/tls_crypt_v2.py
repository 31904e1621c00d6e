# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for OpenVPN's tls-crypt-v2, made and read without the openvpn program.

The format is that of OpenVPN's doc/tls-crypt-v2.txt: a client key is 256 bytes (Kc) followed by the same bytes
wrapped for the server (WKc)::

    T   = HMAC-SHA256(Ka, len || Kc || metadata)
    WKc = T || AES-256-CTR(Ke, IV = first 16 bytes of T, Kc || metadata) || len

where Ke and Ka are bytes 0-31 and 64-95 of the server key, and ``len`` is the length of WKc, 2 bytes, big-endian.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any, NamedTuple

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    from cryptography.hazmat.primitives import ciphers
    from cryptography.hazmat.primitives.ciphers import algorithms, modes
except ImportError:
    ciphers = algorithms = modes = missing_library("cryptography")

SERVER_KEY_BYTES = 128
CLIENT_KEY_BYTES = 256
LONGEST_METADATA = 733
_SERVER = "OpenVPN tls-crypt-v2 server key"
_CLIENT = "OpenVPN tls-crypt-v2 client key"
_TAG_BYTES = 32
_IV_BYTES = 16
_LENGTH_BYTES = 2
_USER_METADATA = b"\x00"
_COLUMNS = 64


class ClientKey(NamedTuple):
    """A client key taken out of its wrapping: 256 bytes of key, and the text that the server sees beside it."""

    key: bytes
    metadata: str


def make_server_key(random_bytes: bytes) -> str:
    """The PEM of a server key out of exactly 128 random bytes. A secret.

    :raises InputError: another number of bytes.
    """
    return _to_pem(_exactly(random_bytes, SERVER_KEY_BYTES, "server"), _SERVER)


def make_client_key(server_key: str, *, random_bytes: bytes, metadata: str) -> str:
    """The PEM of a client key out of exactly 256 random bytes, wrapped for the server. A secret.

    :param server_key: PEM, from :func:`make_server_key` or ``openvpn --genkey tls-crypt-v2-server``.
    :param metadata: Text that a ``tls-crypt-v2-verify`` script gets to see; at most 733 bytes in UTF-8.
    :raises InputError: the server key is none, or the metadata is too long.
    """
    key = _exactly(random_bytes, CLIENT_KEY_BYTES, "client")
    noted = metadata.encode("utf-8")
    if len(noted) > LONGEST_METADATA:
        raise InputError(f"The metadata of a tls-crypt-v2 key has {len(noted)} bytes; {LONGEST_METADATA} fit.")
    return _to_pem(key + _wrap(_load_server_key(server_key), key + _USER_METADATA + noted), _CLIENT)


def unwrap_client_key(server_key: str, client_key: str) -> ClientKey:
    """What the server sees in a client key.

    :raises InputError: it was wrapped for another server key, or it is damaged.
    """
    content, server = _from_pem(client_key, _CLIENT), _load_server_key(server_key)
    wrapped = content[CLIENT_KEY_BYTES:]
    length = len(wrapped).to_bytes(_LENGTH_BYTES, "big") if len(wrapped) < 1 << 16 else b""
    tag, sealed = wrapped[:_TAG_BYTES], wrapped[_TAG_BYTES:-_LENGTH_BYTES]
    plain = _aes(server, tag[:_IV_BYTES], sealed) if len(tag) == _TAG_BYTES else b""
    fits = wrapped[-_LENGTH_BYTES:] == length and hmac.compare_digest(tag, _tag(server, length, plain))
    if not fits or plain[:CLIENT_KEY_BYTES] != content[:CLIENT_KEY_BYTES]:
        raise InputError("The tls-crypt-v2 client key does not belong to this server key, or it is damaged.")
    return ClientKey(plain[:CLIENT_KEY_BYTES], plain[CLIENT_KEY_BYTES + 1 :].decode("utf-8", "replace"))


def check_server_key(server_key: str) -> None:
    """Check that a text is the PEM of a server key.

    :raises InputError: it is not.
    """
    _load_server_key(server_key)


def _load_server_key(pem: str) -> bytes:
    return _exactly(_from_pem(pem, _SERVER), SERVER_KEY_BYTES, "server")


def _wrap(server: bytes, plain: bytes) -> bytes:
    length = (_TAG_BYTES + len(plain) + _LENGTH_BYTES).to_bytes(_LENGTH_BYTES, "big")
    tag = _tag(server, length, plain)
    return tag + _aes(server, tag[:_IV_BYTES], plain) + length


def _tag(server: bytes, length: bytes, plain: bytes) -> bytes:
    return hmac.new(server[64:96], length + plain, hashlib.sha256).digest()


def _aes(server: bytes, start: bytes, content: bytes) -> bytes:
    """AES-256 in counter mode, which encrypts and decrypts alike."""
    encryptor: Any = ciphers.Cipher(algorithms.AES(server[:32]), modes.CTR(start)).encryptor()
    return bytes(encryptor.update(content) + encryptor.finalize())


def _exactly(content: bytes, size: int, what: str) -> bytes:
    if len(content) != size:
        raise InputError(f"A tls-crypt-v2 {what} key has {size} bytes, and this one {len(content)}.")
    return content


def _to_pem(content: bytes, label: str) -> str:
    text = base64.b64encode(content).decode("ascii")
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


def _from_pem(pem: str, label: str) -> bytes:
    found = re.search(rf"-----BEGIN {label}-----([A-Za-z0-9+/=\s]*)-----END {label}-----", pem)
    if found is None:
        raise InputError(f"This is not an {label}: the line '-----BEGIN {label}-----' is missing.")
    try:
        return base64.b64decode("".join(found.group(1).split()), validate=True)
    except binascii.Error as error:
        raise InputError(f"The {label} cannot be read: it is damaged.") from error
