# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM (RFC 7468) of CRLs, written in pieces without a copy of the whole, and taken out of files that hold several."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from struct import Struct
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

_BEGIN = b"-----BEGIN X509 CRL-----\n"
_END = b"-----END X509 CRL-----\n"
_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----\s([A-Za-z0-9+/=\s]*)-----END X509 CRL-----")
_COLUMNS = 64
_LINE_BYTES = 48  # 64 characters of base64
_LINES_AT_ONCE = 4096


def crl_to_pem(content: bytes) -> bytes:
    """The PEM of a CRL in DER, lines of 64 characters, ending with a newline."""
    return b"".join(pem_pieces((content,)))


def pem_pieces(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The PEM of a CRL whose DER is the concatenation of some parts, a few hundred kilobytes at a time."""
    yield _BEGIN
    rest = b""
    for part in parts:
        view = memoryview(part)
        if rest:
            missing = _LINE_BYTES - len(rest)
            rest, view = rest + view[:missing], view[missing:]
            if len(rest) < _LINE_BYTES:
                continue
            yield _lines(memoryview(rest))
        whole = len(view) - len(view) % _LINE_BYTES
        size = _LINES_AT_ONCE * _LINE_BYTES
        for start in range(0, whole, size):
            yield _lines(view[start : min(start + size, whole)])
        rest = bytes(view[whole:])
    yield binascii.b2a_base64(rest) if rest else b""
    yield _END


def _lines(content: memoryview) -> bytes:
    text = binascii.b2a_base64(content, newline=False)
    return b"\n".join((*_line_struct(len(text) // _COLUMNS).unpack(text), b""))


@lru_cache(maxsize=8)
def _line_struct(lines: int) -> Struct:
    return Struct(f"{_COLUMNS}s" * lines)


def split_crls(content: Any) -> tuple[bytes, ...]:
    """The DER of every CRL in a PEM file; what stands between them is left out.

    :param content: Bytes, or a file that is mapped into memory.
    :raises InputError: one of them is damaged.
    """
    try:
        return tuple(
            base64.b64decode(block.translate(None, b"\r\n\t "), validate=True) for block in _BLOCK.findall(content)
        )
    except binascii.Error as error:
        raise InputError("The CRL cannot be read: its PEM is damaged.") from error


def crl_to_der(content: bytes) -> bytes:
    """The DER of a PEM that holds exactly one CRL.

    :raises InputError: it holds none, or several, or a damaged one.
    """
    found = split_crls(content)
    if len(found) != 1:
        raise InputError(f"One CRL in PEM was expected, and there are {len(found)}.")
    return found[0]
