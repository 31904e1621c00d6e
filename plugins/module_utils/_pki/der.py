# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few pieces of DER (ITU-T X.690) that a CRL is made of, written and read without copies of a whole list."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
FIRST_YEAR_OF_GENERALIZED_TIME = 2050
LONG_FORM = 0x80
TRUE = b"\x01\x01\xff"


class Element(NamedTuple):
    """Where a value lies in a buffer: ``start`` is its tag, ``content`` its first byte, ``end`` one past its last."""

    tag: int
    start: int
    content: int
    end: int


def header(tag: int, length: int) -> bytes:
    """The tag and the length that go before a content of ``length`` bytes."""
    if length < LONG_FORM:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, LONG_FORM | len(octets))) + octets


def encode(tag: int, *parts: bytes) -> bytes:
    """A value whose content is all the parts."""
    content = b"".join(parts)
    return header(tag, len(content)) + content


def encode_integer(value: int, *, tag: int = INTEGER) -> bytes:
    """A non-negative integer, in as few bytes as it needs."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encode_extension(identifier: bytes, value: bytes) -> bytes:
    """An extension that is not critical.

    :param identifier: Its OBJECT IDENTIFIER as DER.
    :param value: Its value as DER.
    """
    return encode(SEQUENCE, identifier, encode(OCTET_STRING, value))


def encode_time(moment: datetime) -> bytes:
    """A Time of RFC 5280: UTCTime until 2049, GeneralizedTime from then on; microseconds are dropped.

    :param moment: With its zone.
    """
    utc = moment if moment.tzinfo is timezone.utc else moment.astimezone(timezone.utc)
    if utc.year >= FIRST_YEAR_OF_GENERALIZED_TIME:
        return encode_generalized_time(utc)
    fields = (utc.year % 100, utc.month, utc.day, utc.hour, utc.minute, utc.second)
    return b"\x17\x0d%02d%02d%02d%02d%02d%02dZ" % fields


def encode_generalized_time(moment: datetime) -> bytes:
    """A GeneralizedTime in UTC and whole seconds, as RFC 5280 wants it for an invalidity date."""
    utc = moment.astimezone(timezone.utc)
    fields = (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)
    return b"\x18\x0f%04d%02d%02d%02d%02d%02dZ" % fields


def read(buffer: bytes, position: int, end: int) -> Element:
    """The value that begins at a position of a buffer and must not reach beyond ``end``.

    :raises InputError: there is no complete value.
    """
    if position + 2 > end:
        raise InputError("The DER ends in the middle of a value.")
    tag, length, content = buffer[position], buffer[position + 1], position + 2
    if length >= LONG_FORM:
        size = length - LONG_FORM
        length = int.from_bytes(buffer[content : content + size], "big")
        content += size
    if content + length > end:
        raise InputError("The DER ends in the middle of a value.")
    return Element(tag, position, content, content + length)


def read_tag(buffer: bytes, position: int, end: int, tag: int) -> Element:
    """Like :func:`read`, for a value that must bear a certain tag.

    :raises InputError: it bears another.
    """
    element = read(buffer, position, end)
    if element.tag != tag:
        raise InputError(f"The DER holds the tag {element.tag:#04x} where {tag:#04x} was expected.")
    return element
