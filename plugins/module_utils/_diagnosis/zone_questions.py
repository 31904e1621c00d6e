# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two questions of DNS (RFC 1035): which servers a zone has, and whether a server holds it.

Written for hosts on which nothing is installed yet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

NS, SOA = 2, 6
_CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_RECURSION_DESIRED, _RESPONSE, _AUTHORITATIVE, _CODE_BITS = 0x0100, 0x8000, 0x0400, 0x000F
_MOST_LABELS = 128


@dataclass(frozen=True)
class ZoneQuestion:
    """A question about a zone, ``NS`` for its servers or ``SOA`` for whether they hold it."""

    zone: str
    kind: int
    identifier: int = 0x5054

    @property
    def packet(self) -> bytes:
        """The question as it is sent."""
        labels = [label.encode("ascii", "ignore")[:63] for label in self.zone.split(".") if label]
        encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
        flags = _RECURSION_DESIRED if self.kind == NS else 0
        return struct.pack("!6H", self.identifier, flags, 1, 0, 0, 0) + encoded + struct.pack("!2H", self.kind, 1)

    def outcome(self, packet: bytes) -> str:
        """What a packet says, empty for what is no answer: the servers' names, or a word such as ``NOERROR``.

        A server that does not hold the zone says ``not authoritative``, whatever it knows of it.
        """
        if len(packet) < 12:
            return ""
        number, flags = struct.unpack("!2H", packet[:4])
        if number != self.identifier or not flags & _RESPONSE:
            return ""
        code = flags & _CODE_BITS
        if code:
            return _CODES.get(code, f"the code {code}")
        if self.kind == SOA:
            return "NOERROR" if flags & _AUTHORITATIVE else "not authoritative"
        try:
            return " ".join(_server_names(packet)) or "no servers"
        except (IndexError, struct.error):
            return "an answer that cannot be read"


def _server_names(packet: bytes) -> list[str]:
    questions, answers = struct.unpack("!2H", packet[4:8])
    place = 12
    for _question in range(questions):
        place = _read_name(packet, place)[1] + 4
    found = []
    for _answer in range(answers):
        place = _read_name(packet, place)[1]
        kind, _class, _ttl, length = struct.unpack("!2HIH", packet[place : place + 10])
        if kind == NS:
            found.append(_read_name(packet, place + 10)[0])
        place += 10 + length
    return sorted(set(found))


def _read_name(packet: bytes, place: int) -> tuple[str, int]:
    """A name, and where it ends; what points in circles ends after as many labels as a name can have."""
    labels: list[str] = []
    end = 0
    for _step in range(_MOST_LABELS):
        length = packet[place]
        if length >= 0xC0:
            end = end or place + 2
            place = struct.unpack("!H", packet[place : place + 2])[0] & 0x3FFF
        elif length == 0:
            return ".".join(labels), end or place + 1
        else:
            labels.append(packet[place + 1 : place + 1 + length].decode("ascii", "replace"))
            place += 1 + length
    raise IndexError("a name without an end")
