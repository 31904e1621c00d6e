# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question of DNS and what an answer says, to prove that a resolver answers (RFC 1035)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name

# NXDOMAIN is an answer, too: somebody is there who knows.
ANSWERS = frozenset({"NOERROR", "NXDOMAIN"})
_CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_OTHER_CODE = "the code"
_NS, _A = 2, 1
_RECURSION_DESIRED, _RESPONSE, _CODE_BITS = 0x0100, 0x8000, 0x000F


def is_response(outcome: str) -> bool:
    """Whether an outcome is that of a server that said something, be it a refusal."""
    return outcome in _CODES.values() or outcome.startswith(_OTHER_CODE)


@dataclass(frozen=True)
class Question:
    """A question for the address of a name, or with ``.`` for the name servers of the root."""

    name: str
    identifier: int = 0x5053

    def __post_init__(self) -> None:
        if self.name != ".":
            parse_name(self.name, what="The name to ask for")

    @property
    def packet(self) -> bytes:
        """The question as it is sent."""
        labels = [label.encode("ascii") for label in self.name.split(".") if label]
        encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
        header = struct.pack("!6H", self.identifier, _RECURSION_DESIRED, 1, 0, 0, 0)
        return header + encoded + struct.pack("!2H", _A if labels else _NS, 1)

    def outcome(self, packet: bytes) -> str:
        """The outcome that a packet tells, as a word; empty for what is no answer to this question."""
        if len(packet) < 12:
            return ""
        number, flags = struct.unpack("!2H", packet[:4])
        if number != self.identifier or not flags & _RESPONSE:
            return ""
        code = flags & _CODE_BITS
        return _CODES.get(code, f"{_OTHER_CODE} {code}")
