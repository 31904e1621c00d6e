"""Kinds of keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import KEY_REQUESTS
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import (
    ALGORITHM_NAMES,
    algorithm_of,
    parse_algorithm,
    signing_hash,
)


@pytest.mark.parametrize("name", ["ec-p256", "ec-p384", "rsa-2048", "ed25519"])
def test_a_generated_key_is_of_the_kind_that_was_asked_for(name: str) -> None:
    key = generate_private_key(parse_algorithm(name).value)
    assert algorithm_of(key).value == algorithm_of(key.public_key()).value == name


def test_the_token_knows_the_same_names() -> None:
    assert tuple(KEY_REQUESTS) == ALGORITHM_NAMES


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no key algorithm 'dsa'\. Choose one of ec-p256, ec-p384, rsa-2048"):
        parse_algorithm("dsa")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "rsa-1024"),  # noqa: S505 - weak on purpose
        (lambda: ec.generate_private_key(ec.SECP521R1()), "secp521r1"),
        (lambda: dsa.generate_private_key(1024), "DSA"),  # noqa: S505 - weak on purpose
        (x25519.X25519PrivateKey.generate, "X25519"),
    ],
)
def test_keys_that_are_not_signed_for_are_named(make: object, kind: str) -> None:
    with pytest.raises(InputError, match=kind):
        algorithm_of(make().public_key())  # type: ignore[operator]


def test_the_hash_is_as_strong_as_the_key() -> None:
    assert signing_hash(generate_private_key("ec-p384")).name == "sha384"
    assert signing_hash(generate_private_key("ec-p256")).name == "sha256"
    assert signing_hash(generate_private_key("ed25519")) is None
