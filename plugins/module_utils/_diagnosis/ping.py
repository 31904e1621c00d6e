# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ping`` of iputils printed (Debian 12: 20221126, Debian 13: 20240905), also when it was interrupted."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANSWER = re.compile(
    r"^(?:\[(?P<at>\d{1,12}\.\d{1,9})\] )?\d{1,6} bytes from [^\n]{1,200}?icmp_seq=(?P<number>\d{1,9})[^\n]{0,80}?"
    r"time=(?P<ms>\d{1,9}(?:\.\d{1,6})?) ms(?P<rest>[^\n]{0,80})$",
    re.MULTILINE,
)
# With -O; the moment is about one interval after the packet was sent.
_MISSING = re.compile(
    r"^(?:\[(?P<at>\d{1,12}\.\d{1,9})\] )?no answer yet for icmp_seq=(?P<number>\d{1,9})", re.MULTILINE
)
_TOLD = (
    re.compile(r"Frag(?:mentation)? needed and DF set \(mtu ?= ?(\d{1,6})\)"),
    re.compile(r"Packet too big: mtu ?= ?(\d{1,6})"),
)
_OWN = re.compile(r"[Mm]essage too long, mtu ?= ?(\d{1,6})")
# Debian 13 does not name the MTU here.
_TOO_LONG = re.compile(r"[Mm]essage too long")
_REFUSED = re.compile(r"(Destination [A-Za-z ]{3,40}[A-Za-z]|Time to live exceeded)")


@dataclass(frozen=True)
class Answer:
    """One request.

    :param number: Of the request, from 1. :param at: When it was sent, seconds since 1970-01-01 UTC; ``None`` without
        ``-D``. :param rtt: Seconds, ``None`` where no answer came.
    """

    number: int
    at: float | None
    rtt: float | None


@dataclass(frozen=True)
class Pings:
    """A run of ping.

    :param told: The MTU that a router named. :param own: The MTU that the sender's own kernel named, 0 where it did
        not send and did not name it. :param refused: What a router says instead of an answer.
    """

    answers: tuple[Answer, ...]
    told: int | None = None
    own: int | None = None
    refused: str = ""

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return sum(one.rtt is not None for one in self.answers)


def parse_pings(text: str, *, interval: float = 1.0) -> Pings:
    """Read the output, standard error included. Lines that are none of ping's are passed over.

    :param interval: Between two requests, as ping was told with ``-i``.
    """
    found: dict[int, Answer] = {}
    for line in _ANSWER.finditer(text):
        number, rtt = int(line["number"]), float(line["ms"]) / 1000
        if number not in found and "DUP!" not in line["rest"]:
            found[number] = Answer(number, float(line["at"]) - rtt if line["at"] else None, rtt)
    for line in _MISSING.finditer(text):
        number = int(line["number"])
        found.setdefault(number, Answer(number, float(line["at"]) - interval if line["at"] else None, None))
    told = next((int(match.group(1)) for pattern in _TOLD for match in [pattern.search(text)] if match), None)
    own = _OWN.search(text)
    refused = _REFUSED.search(text)
    return Pings(
        tuple(found[number] for number in sorted(found)),
        told,
        int(own.group(1)) if own else 0 if _TOO_LONG.search(text) else None,
        refused.group(1) if refused else "",
    )
