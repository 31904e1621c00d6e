"""Values that are shown in messages, and values that go into files which are read line by line."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import (
    SHOWN_CHARACTERS,
    fingerprint,
    require_single_line,
    shown,
)

ACCEPTED = ["", "alice", "Zoë", "a b", "quote'and\"quote", "../../etc", "日本"]
REFUSED = {
    "newline": "a\nb",
    "carriage return": "a\rb",
    "NUL": "a\0b",
    "tab": "a\tb",
    "delete": "a\x7fb",
    "C1 control": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "right-to-left override": "a\u202eb",
    "zero-width joiner": "a\u200db",
    "lone surrogate": "a\ud800b",
}


@pytest.mark.parametrize("value", ACCEPTED)
def test_one_line_of_visible_characters_is_returned_as_it_is(value: str) -> None:
    assert require_single_line(value, what="The name") == value


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_a_control_character_is_refused_and_shown_escaped(value: str) -> None:
    with pytest.raises(InputError) as caught:
        require_single_line(value, what="The name")
    message = str(caught.value)
    assert message.startswith("The name holds the control character ")
    assert message.isprintable()
    assert message.isascii()


def test_a_short_value_is_shown_whole() -> None:
    assert shown("x" * SHOWN_CHARACTERS) == "x" * SHOWN_CHARACTERS


def test_a_long_value_is_cut_and_its_length_told() -> None:
    text = shown("x" * 10_000)
    assert len(text) < 2 * SHOWN_CHARACTERS
    assert "(10000 characters)" in text


def test_control_characters_are_shown_escaped() -> None:
    assert shown("a\n\x1b[31m") == r"a\n\x1b[31m"


def test_a_fingerprint_is_the_sha256_in_hexadecimal() -> None:
    assert fingerprint(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
