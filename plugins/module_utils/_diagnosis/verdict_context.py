# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all verdicts share: what has been found so far, so that one cause is not named twice by its consequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import FAULT, Finding
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Gateway,
    Listener,
    Observations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DOWN,
    TUNNEL_TCP,
    TUNNEL_UDP,
    LogCount,
)

Found = tuple[Finding, ...]
Rule = Callable[[Observations, Found], Iterable[Finding]]
TRANSPORT_OF = {TUNNEL_UDP: "udp", TUNNEL_TCP: "tcp"}
PLACE_NAMES = {TUNNEL_UDP: "the tunnel over UDP", TUNNEL_TCP: "the tunnel over TCP", "outside": "the path itself"}


def known(found: Found, *causes: str, probe: str = "", direction: str = "", faults_only: bool = False) -> bool:
    """Whether one of the causes has been found: for the gateway itself, or on this probe's path."""
    return any(
        one.cause in causes
        and (not probe or one.probe in ("", probe))
        and (not direction or one.direction in ("", direction))
        and (not faults_only or one.weight == FAULT)
        for one in found
    )


def whereto(direction: str) -> str:
    """A direction as an administrator says it."""
    return "from the gateway to the probe" if direction == DOWN else "from the probe to the gateway"


def unit_of(listener: Listener) -> str:
    """The unit of systemd that runs a listener; without one, that which would run a configuration of this name."""
    return listener.unit or f"openvpn-server@{listener.name}.service"


def listeners_of(gateway: Gateway, place: str) -> list[Listener]:
    """The processes that may serve the tunnel of a place."""
    return [one for one in gateway.listeners if one.transport == TRANSPORT_OF.get(place)]


def logs_of(observations: Observations, kind: str, *, window: bool | None = True) -> Iterator[LogCount]:
    """Counts of one kind of line, of the gateway and of all probes.

    :param window: Only those of the measurement, or only older ones, or with ``None`` both.
    """
    for logs in (observations.gateway.logs, *(path.logs for path in observations.paths)):
        for one in logs:
            if one.kind == kind and one.count > 0 and window in (None, one.window):
                yield one


def first_number(text: str | None) -> int | None:
    """The number that an option's arguments begin with."""
    words = (text or "").split()
    return int(words[0]) if words and words[0].isascii() and words[0].isdigit() else None
