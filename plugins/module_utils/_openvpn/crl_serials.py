# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which serial numbers CRLs list, read from their DER without a library; a million entries take about a second.

::

    CertificateList  ::= SEQUENCE { tbsCertList, signatureAlgorithm, signature }
    tbsCertList      ::= SEQUENCE { version, signature, issuer, thisUpdate, nextUpdate OPTIONAL, entries OPTIONAL, ... }
    entries          ::= SEQUENCE OF SEQUENCE { serial INTEGER, revocationDate, extensions OPTIONAL }

Their signatures have been verified by then: what does not follow this is a fault, not a forgery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

_SEQUENCE, _INTEGER, _DATES = 0x30, 0x02, (0x17, 0x18)
_LONG_FORM, _MOST_LENGTH_BYTES = 0x80, 8
_DIGEST_BYTES = 8


class _MalformedError(Exception):
    """The bytes are not those of a CRL."""


def read_serials(der: bytes) -> list[int]:
    """The serial number of every entry of a CRL, in its order.

    :raises InputError: it is no CRL.
    """
    try:
        return _serials(der)
    except (_MalformedError, IndexError) as error:
        raise InputError("The entries of the CRL cannot be read.") from error


def is_whole(der: bytes) -> bool:
    """Whether the bytes are one element and nothing after it, which no signature would speak of."""
    try:
        return _inside(der, 0, len(der), tag=_SEQUENCE)[1] == len(der)
    except (_MalformedError, IndexError):
        return False


def all_serials(ders: Iterable[bytes]) -> frozenset[int]:
    """The serial numbers that any of some CRLs lists."""
    found: set[int] = set()
    for der in ders:
        found.update(read_serials(der))
    return frozenset(found)


def digest_serials(serials: Iterable[int]) -> bytes:
    """Serial numbers in little space; they are long and made by chance, so that their ends tell them apart."""
    return b"".join(sorted(map(_end_of, serials)))


def has_more(serials: Iterable[int], digest: bytes) -> bool:
    """Whether one of some serial numbers is none of those in a digest of :func:`digest_serials`."""
    known = {digest[start : start + _DIGEST_BYTES] for start in range(0, len(digest), _DIGEST_BYTES)}
    return any(_end_of(serial) not in known for serial in serials)


def _end_of(serial: int) -> bytes:
    return (serial % (1 << 8 * _DIGEST_BYTES)).to_bytes(_DIGEST_BYTES, "big")


@dataclass(frozen=True)
class SerialFiles:
    """What has to be done in the folder that holds a file for each revoked serial number.

    :param missing: Decimal serial numbers without a file; ``surplus`` likewise, for files that nobody needs.
    :param no_folder: Whether the folder itself is missing: OpenVPN lets everybody in, then.
    """

    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    no_folder: bool = False

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus or self.no_folder)


def plan_serial_files(revoked: Iterable[int], present: frozenset[str] | None) -> SerialFiles:
    """Compare what CRLs list with what has a file.

    :param present: Decimal serial numbers that have one, or ``None`` where there is no folder.
    """
    wanted = {str(serial) for serial in revoked}
    there = frozenset() if present is None else present
    return SerialFiles(tuple(sorted(wanted - there)), tuple(sorted(there - wanted)), present is None)


def revoked_sessions(recorded: Mapping[str, Mapping[str, int]], revoked: frozenset[int]) -> dict[str, frozenset[str]]:
    """Whom to cut: per OpenVPN process the common names that connected with a certificate which is revoked now.

    :param recorded: Per process and common name the serial number of the certificate of the last connection.
    """
    doomed = {
        process: frozenset(name for name, serial in names.items() if serial in revoked)
        for process, names in recorded.items()
    }
    return {process: names for process, names in doomed.items() if names}


def _serials(der: bytes) -> list[int]:
    start, end = _inside(der, 0, len(der), tag=_SEQUENCE)
    start, end = _inside(der, start, end, tag=_SEQUENCE)
    position = _entries_position(der, start, end)
    if position is None:
        return []
    position, end = _inside(der, position, end, tag=_SEQUENCE)
    found = []
    while position < end:
        # Each entry is a short SEQUENCE that begins with a short INTEGER, apart from those with long extensions.
        if der[position] != _SEQUENCE:
            raise _MalformedError
        length = der[position + 1]
        inner = position + 2
        if length >= _LONG_FORM:
            inner, after = _inside(der, position, end, tag=_SEQUENCE)
        else:
            after = inner + length
        size = der[inner + 1]
        if der[inner] != _INTEGER or not 0 < size < _LONG_FORM or inner + 2 + size > after or after > end:
            raise _MalformedError
        found.append(int.from_bytes(der[inner + 2 : inner + 2 + size], "big"))
        position = after
    return found


def _entries_position(der: bytes, position: int, end: int) -> int | None:
    """Where the SEQUENCE of entries begins; ``None`` in a CRL that lists nobody."""
    _start, position = _inside(der, position, end, tag=_INTEGER)
    for tags in ((_SEQUENCE,), (_SEQUENCE,), _DATES):
        if der[position] not in tags:
            raise _MalformedError
        position = _inside(der, position, end, tag=der[position])[1]
    if position < end and der[position] in _DATES:
        position = _inside(der, position, end, tag=der[position])[1]
    return position if position < end and der[position] == _SEQUENCE else None


def _inside(der: bytes, position: int, limit: int, *, tag: int) -> tuple[int, int]:
    """Where the content of an element begins and ends."""
    if der[position] != tag:
        raise _MalformedError
    length, position = der[position + 1], position + 2
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        if not 0 < count <= _MOST_LENGTH_BYTES:
            raise _MalformedError
        length = int.from_bytes(der[position : position + count], "big")
        position += count
    if position + length > limit:
        raise _MalformedError
    return position, position + length
