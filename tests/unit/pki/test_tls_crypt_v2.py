"""tls-crypt-v2 keys. tests/integration/pki asks the real program; here the format is taken apart."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    check_server_key,
    make_client_key,
    make_server_key,
    unwrap_client_key,
)

SERVER = make_server_key(bytes(range(128)))
KEY = bytes(reversed(range(256)))


def _content(pem: str) -> bytes:
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


def test_a_server_key_is_128_bytes_between_its_two_lines() -> None:
    lines = SERVER.splitlines()
    assert (lines[0], lines[-1]) == (
        "-----BEGIN OpenVPN tls-crypt-v2 server key-----",
        "-----END OpenVPN tls-crypt-v2 server key-----",
    )
    assert _content(SERVER) == bytes(range(128))
    assert SERVER.endswith("-----\n")
    check_server_key(SERVER)


def test_a_client_key_tells_the_server_what_was_noted() -> None:
    client = make_client_key(SERVER, random_bytes=KEY, metadata="alice@laptop")
    assert unwrap_client_key(SERVER, client) == (KEY, "alice@laptop")
    content = _content(client)
    assert content[:256] == KEY
    assert len(content) == 256 + 32 + 256 + 1 + len("alice@laptop") + 2
    assert int.from_bytes(content[-2:], "big") == len(content) - 256


def test_the_known_answer_has_not_changed() -> None:
    """Made once and accepted by OpenVPN 2.6.14: the tag over length, key and metadata."""
    content = _content(make_client_key(SERVER, random_bytes=KEY, metadata="alice@laptop"))
    assert content[256:288].hex() == "6ed17f7dd39b976521ea7c3ad684120fbcbf07915fc4b83d84495bae397fe9e3"


def test_the_longest_metadata_fits_and_one_byte_more_does_not() -> None:
    client = make_client_key(SERVER, random_bytes=KEY, metadata="m" * 733)
    assert len(unwrap_client_key(SERVER, client).metadata) == 733
    with pytest.raises(InputError, match="has 734 bytes; 733 fit"):
        make_client_key(SERVER, random_bytes=KEY, metadata="m" * 734)


def test_another_servers_key_does_not_open_it() -> None:
    client = make_client_key(SERVER, random_bytes=KEY, metadata="x")
    with pytest.raises(InputError, match="does not belong to this server key"):
        unwrap_client_key(make_server_key(bytes(128)), client)


@pytest.mark.parametrize("position", [0, 255, 256, 290, -2, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    content = bytearray(_content(make_client_key(SERVER, random_bytes=KEY, metadata="x")))
    content[position] ^= 1
    label = "OpenVPN tls-crypt-v2 client key"
    pem = f"-----BEGIN {label}-----\n{base64.b64encode(bytes(content)).decode()}\n-----END {label}-----\n"
    with pytest.raises(InputError, match="or it is damaged"):
        unwrap_client_key(SERVER, pem)


@pytest.mark.parametrize("size", [0, 1, 256, 300])
def test_a_short_client_key_is_refused(size: int) -> None:
    label = "OpenVPN tls-crypt-v2 client key"
    pem = f"-----BEGIN {label}-----\n{base64.b64encode(bytes(size)).decode()}\n-----END {label}-----\n"
    with pytest.raises(InputError):
        unwrap_client_key(SERVER, pem)


@pytest.mark.parametrize("pem", ["", "nonsense", SERVER.replace("server", "client"), SERVER.replace("AAEC", "AA*C")])
def test_what_is_no_server_key_is_refused(pem: str) -> None:
    with pytest.raises(InputError, match="OpenVPN tls-crypt-v2 server key"):
        make_client_key(pem, random_bytes=KEY, metadata="x")


def test_the_amount_of_randomness_is_fixed() -> None:
    with pytest.raises(InputError, match="server key has 128 bytes, and this one 64"):
        make_server_key(bytes(64))
    with pytest.raises(InputError, match="client key has 256 bytes, and this one 255"):
        make_client_key(SERVER, random_bytes=KEY[1:], metadata="x")
