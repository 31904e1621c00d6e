# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the ports of a gateway are reached from outside, from what both ends saw of each other.

A probe sends its mark to a listener that the gateway holds for a minute. Where no answer comes, three witnesses tell
where it went: the listener (the mark arrived), the network card (it came as far as the host), the probe's own kernel
(somebody refused).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight import (
    FAILED,
    OK,
    PORTS,
    WARNING,
    Check,
)

UDP, TCP = "udp", "tcp"
PROTOCOLS = (UDP, TCP)
REFUSED, SILENT, UNREACHABLE = "refused", "silent", "unreachable"
# Who may have a port already because the collection was here before, by what it is wanted for.
_OWN_HOLDERS = ("openvpn", "nginx")
_HOLDER = re.compile(r'\("([^"]*)",pid=(\d+)')


@dataclass(frozen=True)
class WantedPort:
    """A port that has to be reached from outside.

    :param purpose: For a person, such as ``openvpn udp``. :param address: Only this local one; empty for all.
    """

    protocol: str
    port: int
    purpose: str = ""
    address: str = ""

    @property
    def title(self) -> str:
        """As tables show it."""
        return f"{self.protocol} {self.port}"


@dataclass(frozen=True)
class Watch:
    """What the gateway's side of one port says.

    :param open: Whether our listener had it. :param holder: Name of the program that has it; empty for none.
    :param error: Why there was no listener, if nobody holds the port.
    :param marks: Of probes, as the listener got them, with the address from which they came.
    :param wire: Marks and, for TCP, source addresses seen by the network card; ``None`` where nobody looked there.
    """

    protocol: str
    port: int
    open: bool
    holder: str = ""
    holder_pid: int = 0
    error: str = ""
    marks: Mapping[str, str] | None = None
    wire: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Attempt:
    """What a probe got from one port.

    :param mark: Of this probe. :param answered: Whether our listener's answer came.
    :param connected: Whether TCP connected; ``None`` for UDP. :param own_address: From which it asked.
    :param outcome: ``refused``, ``silent``, ``unreachable``, empty where answered. :param detail: For a person.
    """

    probe: str
    mark: str
    protocol: str
    port: int
    answered: bool
    connected: bool | None = None
    outcome: str = ""
    detail: str = ""
    own_address: str = ""
    seconds: float | None = None


def plan_ports(listeners: Sequence[Mapping[str, object]], *, web_ports: Sequence[int] = ()) -> tuple[WantedPort, ...]:
    """The ports of OpenVPN's listeners, and those of the web front, each once.

    :raises InputError: a port is none, or a protocol is unknown.
    """
    wanted: dict[tuple[str, int], WantedPort] = {}
    for one in listeners:
        protocol, port = str(one.get("protocol")), _port(one.get("port"))
        if protocol not in PROTOCOLS:
            raise InputError(
                f"The listener '{one.get('name')}' has the protocol '{protocol}', which is not udp or tcp."
            )
        address = str(one.get("address") or "")
        wanted[protocol, port] = WantedPort(protocol, port, f"openvpn {one.get('name')}", address)
    for raw in web_ports:
        port = _port(raw)
        present = wanted.get((TCP, port))
        purpose = "web" if present is None else f"{present.purpose} and web"
        wanted[TCP, port] = WantedPort(TCP, port, purpose, "" if present is None else present.address)
    return tuple(wanted.values())


def _port(value: object) -> int:
    text = str(value)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise InputError(f"'{text[:20]}' is no port; there are 1 to 65535.")
    return int(text)


def judge_ports(watches: Sequence[Watch], attempts: Sequence[Attempt]) -> tuple[Check, ...]:
    """A check for each port and probe; one for a port that nobody asked."""
    checks: list[Check] = []
    for watch in watches:
        asked = [one for one in attempts if (one.protocol, one.port) == (watch.protocol, watch.port)]
        title = f"{watch.protocol} {watch.port}"
        if not asked:
            checks.append(_unasked(watch, title))
        for attempt in asked:
            others = [one.probe for one in asked if one.answered and one.probe != attempt.probe]
            state, cause, remedy = _judge(watch, attempt, sources=_sources(attempt, watches), others=others)
            checks.append(Check(PORTS, f"{title} from {attempt.probe}", state, cause, remedy))
    return tuple(checks)


def _unasked(watch: Watch, title: str) -> Check:
    if watch.holder and watch.holder not in _OWN_HOLDERS:
        return Check(PORTS, title, *_held(watch))
    return Check(PORTS, title, WARNING, "No probe asked for it.", "Put a host outside into the group probes.")


def _sources(attempt: Attempt, watches: Sequence[Watch]) -> set[str]:
    """Every address that is this probe's, as itself says or as any listener saw it."""
    seen = {watch.marks[attempt.mark] for watch in watches if watch.marks and attempt.mark in watch.marks}
    return {one for one in (attempt.own_address, *seen) if one}


def _judge(watch: Watch, attempt: Attempt, *, sources: set[str], others: Sequence[str]) -> tuple[str, str, str]:
    if attempt.answered:
        took = "" if attempt.seconds is None else f", answered in {attempt.seconds * 1000:.0f} ms"
        return OK, f"Reachable{took}.", ""
    if not watch.open:
        return _without_listener(watch, attempt)
    state, cause, remedy = _lost(watch, attempt, sources)
    if others:
        # The gateway's side lets it in, so it is the way from there.
        return WARNING, f"{cause} {', '.join(others)} gets through.", f"Look at the network of {attempt.probe}."
    return state, cause, remedy


def _without_listener(watch: Watch, attempt: Attempt) -> tuple[str, str, str]:
    if not watch.holder:
        return FAILED, f"It cannot be listened on: {watch.error or 'for an unknown reason'}.", "Choose another port."
    if watch.holder not in _OWN_HOLDERS:
        return _held(watch)
    if attempt.connected:
        return OK, f"Reachable; {watch.holder} (process {watch.holder_pid}) has it already.", ""
    if attempt.protocol == UDP:
        cause = f"{watch.holder} (process {watch.holder_pid}) has it already, so that nobody could answer for a test."
        return WARNING, cause, "The playbook diagnose tells whether it is reached."
    cause = f"{watch.holder} (process {watch.holder_pid}) has it already and does not answer: {attempt.detail}."
    return FAILED, cause, f"Open {watch.protocol} {watch.port} in the provider's firewall and in the host's."


def _held(watch: Watch) -> tuple[str, str, str]:
    cause = f"Another program holds the port: {watch.holder} (process {watch.holder_pid})."
    return FAILED, cause, f"Stop it (systemctl disable --now {watch.holder}), or choose another port."


def _lost(watch: Watch, attempt: Attempt, sources: set[str]) -> tuple[str, str, str]:
    name = f"{watch.protocol} {watch.port}"
    if watch.marks and attempt.mark in watch.marks:
        cause = f"It arrives (from {watch.marks[attempt.mark]}), but the answer is lost."
        remedy = "It answers from another address, or its firewall keeps answers in: set the listener's 'address'."
        return FAILED, cause, remedy
    if watch.wire and (attempt.mark in watch.wire or sources & set(watch.wire)):
        cause = "It arrives at the network card, and the host's own firewall drops it."
        return FAILED, cause, f"Let {name} in: nft list ruleset shows the rules (ufw, firewalld, iptables)."
    if attempt.outcome == REFUSED:
        cause = "Somebody on the way refuses it; the gateway saw nothing of it."
        return FAILED, cause, f"A firewall rejects {name}, or the address leads to another machine: check both."
    if attempt.connected:
        cause = "Somebody else takes the connection; the gateway saw nothing of it."
        return FAILED, cause, "A proxy, a load balancer or another machine has the address: check where it leads."
    if attempt.outcome == UNREACHABLE:
        return FAILED, f"There is no way to the address: {attempt.detail}.", "Check the address, and the probe's route."
    cause = "Nothing arrives." + (f" ({attempt.detail})" if attempt.detail else "")
    return FAILED, cause, f"Open {name} in the provider's firewall (security group), and in routers in between."


def parse_holders(output: str) -> dict[tuple[str, int], tuple[str, int]]:
    """Who has which port, by ``ss --listening --tcp --udp --numeric --processes --no-header``."""
    found: dict[tuple[str, int], tuple[str, int]] = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) < 6 or words[0] not in PROTOCOLS:
            continue
        port = words[4].rpartition(":")[2]
        holder = _HOLDER.search(line)
        if port.isdigit():
            name, pid = (holder.group(1), int(holder.group(2))) if holder else ("another program", 0)
            found.setdefault((words[0], int(port)), (name, pid))
    return found
