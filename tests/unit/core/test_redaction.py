"""Nothing secret is left in text that is about to be shown."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.redaction import MASK, redact

LABELS = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OpenVPN tls-crypt-v2 client key",
    "OpenVPN tls-crypt-v2 server key",
    "OpenVPN Static key V1",
]


@pytest.mark.parametrize("label", LABELS)
def test_a_block_with_a_key_is_masked_and_what_surrounds_it_stays(label: str) -> None:
    text = f"before\n-----BEGIN {label}-----\nc2VjcmV0\n-----END {label}-----\nafter"
    assert redact(text) == f"before\n{MASK}\nafter"


def test_a_certificate_is_no_secret() -> None:
    text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    assert redact(text) == text


def test_every_block_is_masked_for_itself() -> None:
    block = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"
    assert redact(f"{block} between {block}") == f"{MASK} between {MASK}"


def test_a_given_secret_is_masked_wherever_it_is() -> None:
    assert redact("pin 7321 was 7321", secrets=["7321"]) == f"pin {MASK} was {MASK}"


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert redact("hunter22", secrets=["hunter", "hunter22"]) == MASK


def test_a_very_short_secret_is_not_searched_for() -> None:
    assert redact("1 and 12", secrets=["1", ""]) == "1 and 12"
