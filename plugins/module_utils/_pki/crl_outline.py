# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of a CRL lie, found without a look at its entries: a million of them cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import der

_OID_CRL_NUMBER = bytes.fromhex("0603551d14")
_DATES = (der.UTC_TIME, der.GENERALIZED_TIME)
_EXTENSIONS = 0xA0


@dataclass(frozen=True)
class Outline:
    """The parts of a CRL.

    :param issuer: DER of the name.
    :param number: The CRL number; 0 where it has none.
    :param entries_start: Where the first entry begins; ``entries_end`` is one past the last.
    """

    issuer: bytes
    number: int
    entries_start: int
    entries_end: int


def read_outline(content: Any) -> Outline:
    """The outline of a CRL in DER. Nothing is verified.

    :param content: Bytes, or what is sliced and indexed like bytes.
    :raises InputError: it is not a CRL of version 2.
    """
    whole = der.read_tag(content, 0, len(content), der.SEQUENCE)
    body = der.read_tag(content, whole.content, whole.end, der.SEQUENCE)
    version = der.read_tag(content, body.content, body.end, der.INTEGER)
    algorithm = der.read_tag(content, version.end, body.end, der.SEQUENCE)
    issuer = der.read_tag(content, algorithm.end, body.end, der.SEQUENCE)
    position = der.read(content, issuer.end, body.end).end
    start = end = position
    number = 0
    while position < body.end:
        element = der.read(content, position, body.end)
        if element.tag == der.SEQUENCE:
            start, end = element.content, element.end
        elif element.tag == _EXTENSIONS:
            number = _number(content[element.content : element.end])
        elif element.tag not in _DATES:
            raise InputError("The CRL holds something that does not belong there.")
        position = element.end
    return Outline(content[issuer.start : issuer.end], number, start, end)


def _number(extensions: bytes) -> int:
    listed = der.read_tag(extensions, 0, len(extensions), der.SEQUENCE)
    position = listed.content
    while position < listed.end:
        extension = der.read_tag(extensions, position, listed.end, der.SEQUENCE)
        if extensions.startswith(_OID_CRL_NUMBER, extension.content):
            value = der.read_tag(extensions, extension.content + len(_OID_CRL_NUMBER), extension.end, der.OCTET_STRING)
            number = der.read_tag(extensions, value.content, value.end, der.INTEGER)
            return int.from_bytes(extensions[number.content : number.end], "big")
        position = extension.end
    return 0
