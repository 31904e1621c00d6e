# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a CRL: which certificate was revoked, when and why, encoded by the million."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import islice

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import der

# OBJECT IDENTIFIER as DER: id-ce-cRLReasons, -invalidityDate.
_OID_REASON = bytes.fromhex("0603551d15")
_OID_INVALIDITY_DATE = bytes.fromhex("0603551d18")
_LONGEST_SERIAL = 21  # 20 bytes, and a zero before them where their first bit is set
_ENTRIES_AT_ONCE = 4096
_MOST_KNOWN = 65536
_LONGEST_ENDING = 64  # a date of 17 bytes, and two extensions of 12 and 25 in their sequence


class Reason(Enum):
    """Why a certificate was revoked; the value is the name in RFC 5280."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    CERTIFICATE_HOLD = "certificateHold"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


_REASON_CODES = {
    Reason.KEY_COMPROMISE: 1,
    Reason.CA_COMPROMISE: 2,
    Reason.AFFILIATION_CHANGED: 3,
    Reason.SUPERSEDED: 4,
    Reason.CESSATION_OF_OPERATION: 5,
    Reason.CERTIFICATE_HOLD: 6,
    Reason.PRIVILEGE_WITHDRAWN: 9,
}


@dataclass(frozen=True)
class Revocation:
    """One revoked certificate.

    :param revoked_at: UTC with its zone; microseconds are dropped.
    :param invalidity_date: Since when the key must be taken to have been in wrong hands.
    """

    serial: int
    revoked_at: datetime
    reason: Reason = Reason.UNSPECIFIED
    invalidity_date: datetime | None = None

    def encode_entry(self) -> bytes:
        """The DER of the entry, complete in itself: stored entries are concatenated into a CRL as they are."""
        return b"".join(encode_entries((self,)))


def encode_entries(revocations: Iterable[Revocation]) -> Iterator[bytes]:
    """The DER of many entries, some thousands of them joined at a time, in their order.

    What repeats from one to the next is not encoded again.

    :raises InputError: a serial is longer than RFC 5280 allows.
    """
    rest = iter(revocations)
    moment, date = None, b""
    extensions: dict[tuple[int, datetime | None], bytes] = {}
    beginnings = _beginnings()
    while chunk := list(islice(rest, _ENTRIES_AT_ONCE)):
        pieces: list[bytes] = []
        for revocation in chunk:
            serial, reason, since = revocation.serial, revocation.reason, revocation.invalidity_date
            # The hash of an Enum is computed in Python; that of its address is not.
            extension = extensions.get((id(reason), since))
            if extension is None:
                extension = extensions[id(reason), since] = _encode_extensions(reason, since)
            if revocation.revoked_at is not moment:
                # No dictionary: to find a date in one takes longer than to write it.
                moment = revocation.revoked_at
                date = der.encode_time(moment)
            size = serial.bit_length() // 8 + 1
            if size > _LONGEST_SERIAL:
                raise InputError(f"The serial {serial} is longer than the 20 bytes that RFC 5280 allows.")
            pieces += (
                beginnings[len(date) + len(extension)][size],
                serial.to_bytes(size, "big"),
                date,
                extension,
            )
        yield b"".join(pieces)
        if len(extensions) > _MOST_KNOWN:
            extensions.clear()


@lru_cache(maxsize=1)
def _beginnings() -> tuple[tuple[bytes, ...], ...]:
    """What goes before a serial, by the length of what follows it and by its own: all lengths take one byte."""
    return tuple(
        tuple(bytes((der.SEQUENCE, size + 2 + ending, der.INTEGER, size)) for size in range(_LONGEST_SERIAL + 1))
        for ending in range(_LONGEST_ENDING + 1)
    )


def _encode_extensions(reason: Reason, invalidity_date: datetime | None) -> bytes:
    """The extensions of an entry, or nothing; ``unspecified`` must be left out, says RFC 5280."""
    extensions = []
    if reason is not Reason.UNSPECIFIED:
        code = der.encode_integer(_REASON_CODES[reason], tag=der.ENUMERATED)
        extensions.append(der.encode_extension(_OID_REASON, code))
    if invalidity_date is not None:
        extensions.append(der.encode_extension(_OID_INVALIDITY_DATE, der.encode_generalized_time(invalidity_date)))
    return der.encode(der.SEQUENCE, *extensions) if extensions else b""


def count_entries(encoded: bytes) -> int:
    """How many entries a piece of a CRL holds, each of which is looked at: for the few that are new.

    :raises InputError: something in there is no entry.
    """
    position, count = 0, 0
    while position < len(encoded):
        entry = der.read_tag(encoded, position, len(encoded), der.SEQUENCE)
        serial = der.read_tag(encoded, entry.content, entry.end, der.INTEGER)
        if der.read(encoded, serial.end, entry.end).tag not in (der.UTC_TIME, der.GENERALIZED_TIME):
            raise InputError("An entry of the CRL has no date.")
        position, count = entry.end, count + 1
    return count
