"""DER: lengths, integers, dates, and what is cut off."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import der


@pytest.mark.parametrize(
    ("length", "encoded"),
    [(0, "3000"), (127, "307f"), (128, "308180"), (255, "3081ff"), (256, "30820100"), (65536, "3083010000")],
)
def test_lengths_take_as_few_bytes_as_they_need(length: int, encoded: str) -> None:
    assert der.header(der.SEQUENCE, length).hex() == encoded
    element = der.read(bytes.fromhex(encoded) + bytes(length), 0, len(encoded) // 2 + length)
    assert (element.content, element.end) == (len(encoded) // 2, len(encoded) // 2 + length)


@pytest.mark.parametrize(
    ("value", "encoded"), [(0, "020100"), (127, "02017f"), (128, "02020080"), (255, "020200ff"), (256, "02020100")]
)
def test_integers_are_never_negative(value: int, encoded: str) -> None:
    assert der.encode_integer(value).hex() == encoded


def test_the_type_of_a_date_changes_with_2050() -> None:
    assert der.encode_time(datetime(2049, 12, 31, 23, 59, 59, 5, UTC)) == b"\x17\x0d491231235959Z"
    assert der.encode_time(datetime(2050, 1, 1, tzinfo=UTC)) == b"\x18\x0f20500101000000Z"


@pytest.mark.parametrize("content", ["", "30", "3005", "308205", "30050000", "0201"])
def test_a_value_that_is_cut_off_is_refused(content: str) -> None:
    data = bytes.fromhex(content)
    with pytest.raises(InputError, match="ends in the middle"):
        der.read(data, 0, len(data))


def test_another_tag_is_refused() -> None:
    with pytest.raises(InputError, match="holds the tag 0x02 where 0x30 was expected"):
        der.read_tag(b"\x02\x01\x00", 0, 3, der.SEQUENCE)
