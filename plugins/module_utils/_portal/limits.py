# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often somebody may be wrong about a link.

Nobody guesses one of 2^128 ids; limits keep those who try from learning fast that they were wrong. Only wrong ids are
put off, those of one visitor and those of all together: whoever has a right link gets in, also from behind the address
of somebody who guesses.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass

WINDOW_SECONDS = 600
# Of so many visitors the last wrong guesses are remembered.
MOST_VISITORS = 10_000
_IPV6_PREFIX = 64
_ROUNDING = 1e-9


@dataclass
class Allowance:
    """Wrong guesses that are left, and when that was so; they come back evenly over the window."""

    left: float
    at: float

    def refill(self, most: int, now: float) -> None:
        """Give back what has become due since; a clock that was set back gives nothing."""
        self.left = min(float(most), self.left + max(0.0, now - self.at) * most / WINDOW_SECONDS)
        self.at = now

    def wait(self, most: int) -> int:
        """Whole seconds until there is one more guess; 0 where there is one."""
        missing = 1 - self.left
        return 0 if missing <= _ROUNDING else max(1, math.ceil((missing - _ROUNDING) * WINDOW_SECONDS / most))


class Limits:
    """Counts wrong guesses. The time is an argument everywhere.

    :param per_visitor: Wrong ids from one address (IPv6: from one /64) in ten minutes.
    :param in_all: Wrong ids from everybody in ten minutes.
    """

    def __init__(self, *, per_visitor: int, in_all: int) -> None:
        self.per_visitor = per_visitor
        self.in_all = in_all
        self._everybody = Allowance(float(in_all), 0.0)
        self._visitors: OrderedDict[str, Allowance] = OrderedDict()

    def count_wrong(self, visitor: str, *, now: float) -> int:
        """Note a wrong guess.

        :param visitor: Empty for one who is not known, and counts among everybody only.
        :returns: Seconds to wait where there were too many, of this visitor's or of everybody's, else 0.
        """
        # Who waits already takes nothing from the others.
        wait = self._count_visitor(visitor, now) if visitor else 0
        return wait or _count(self._everybody, self.in_all, now)

    def _count_visitor(self, visitor: str, now: float) -> int:
        allowance = self._visitors.setdefault(visitor, Allowance(float(self.per_visitor), now))
        self._visitors.move_to_end(visitor)
        if len(self._visitors) > MOST_VISITORS:
            self._visitors.popitem(last=False)
        return _count(allowance, self.per_visitor, now)


def _count(allowance: Allowance, most: int, now: float) -> int:
    allowance.refill(most, now)
    wait = allowance.wait(most)
    allowance.left = max(0.0, allowance.left - 1)
    return wait


def name_visitor(address: str) -> str:
    """By what a visitor is counted: an IPv4 address or an IPv6 network; nothing for one that tells nobody apart."""
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback or found.is_unspecified:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network(f"{found}/{_IPV6_PREFIX}", strict=False))


def journal_names(address: str, port: str) -> tuple[str, ...]:
    """How OpenVPN's port sharing may have called the file that tells whom a connection was handed over for."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ()
    if not port.isascii() or not port.isdigit():
        return ()
    family = "AF_INET" if isinstance(found, ipaddress.IPv4Address) else "AF_INET6"
    return (f"[{family}]{found}:{port}", f"{found}:{port}")


def parse_journal(content: str) -> str:
    """The visitor's address from such a file, such as ``[AF_INET]192.0.2.7:50412``; nothing where there is none."""
    return content.strip().rpartition("]")[2].rpartition(":")[0]
