# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has the ports of the web server, from what ``ss`` prints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PROCESS = re.compile(r'\("([^"]*)",pid=(\d+)')
# Compared with, never bound.
_EVERY_IPV4 = "0.0.0.0"  # noqa: S104
_EVERYWHERE = frozenset((_EVERY_IPV4, "*", "::"))
_REMEDIES = {
    "nginx": "If nobody needs it: systemctl disable --now nginx.",
    "apache2": "If nobody needs it: systemctl disable --now apache2.",
    "openvpn": "If it is ours, the playbook site brings both in line.",
}


@dataclass(frozen=True)
class Socket:
    """A TCP port on which a process waits.

    :param address: As ``ss`` shows it, without brackets and device; ``*`` for both families.
    :param holders: Name and process id of everybody who has it.
    """

    address: str
    port: int
    holders: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse_sockets(output: str) -> tuple[Socket, ...]:
    """Every line of ``ss --listening --tcp --numeric --processes --no-header``."""
    found = []
    for line in output.splitlines():
        words = line.split()
        if len(words) < 5 or words[0] != "LISTEN":
            continue
        address, _colon, port = words[3].rpartition(":")
        if port.isdigit():
            holders = tuple((name, int(pid)) for name, pid in _PROCESS.findall(line))
            found.append(Socket(address.partition("%")[0].strip("[]"), int(port), holders))
    return tuple(found)


def wanted_sockets(written: Sequence[str]) -> tuple[Socket, ...]:
    """What the configuration of nginx listens on: ``80``, ``[::]:80`` or ``127.0.0.1:8443``."""
    found = []
    for one in written:
        address, _colon, port = one.rpartition(":")
        found.append(Socket(address.strip("[]") or _EVERY_IPV4, int(port)))
    return tuple(found)


def describe_taken(
    sockets: Sequence[Socket], wanted: Sequence[Socket], *, own_pid: int, leaving: Sequence[str] = ()
) -> list[str]:
    """One sentence for every port of ours that somebody else has.

    :param own_pid: The main process of our own web server; 0 while it does not run.
    :param leaving: Names of processes that are told to leave before we come.
    """
    told = []
    for socket in sockets:
        is_ours = own_pid and any(pid == own_pid for _name, pid in socket.holders)
        is_leaving = socket.holders and all(name in leaving for name, _pid in socket.holders)
        if not is_ours and not is_leaving and any(_overlap(socket, one) for one in wanted):
            name, pid = socket.holders[0] if socket.holders else ("somebody", 0)
            remedy = _REMEDIES.get(name, "Stop it, or give it another port.")
            told.append(f"{socket} is taken by {name}{f' (process {pid})' if pid else ''}. {remedy}")
    return sorted(set(told))


def missing_sockets(sockets: Sequence[Socket], wanted: Sequence[Socket], *, own_pid: int) -> list[str]:
    """The ports on which our web server should wait and does not."""
    own = {(one.address, one.port) for one in sockets if any(pid == own_pid for _name, pid in one.holders)}
    return [str(one) for one in wanted if (one.address, one.port) not in own]


def _overlap(one: Socket, other: Socket) -> bool:
    if one.port != other.port:
        return False
    families = [_families(socket.address) for socket in (one, other)]
    if not families[0] & families[1]:
        return False
    is_wide = any(socket.address in _EVERYWHERE for socket in (one, other))
    return is_wide or one.address == other.address


def _families(address: str) -> set[int]:
    return {4, 6} if address == "*" else {6 if ":" in address else 4}
