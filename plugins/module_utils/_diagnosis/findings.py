# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding: what is the matter, how sure that is, what shows it, and what to set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# How sure: shown by the measurement itself; the best explanation of it; worth a look.
CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"
# What it means: something is broken or limits the speed; it will, or it could be better; it could not be told.
FAULT, HINT, UNKNOWN = "fault", "hint", "unknown"

# Causes, in the order in which they are shown when they weigh the same.
UDP_BLOCKED, UDP_LIMITED, PACKET_LOSS, REORDERING = "udp_blocked", "udp_limited", "packet_loss", "reordering"
MTU_BLACK_HOLE, CPU_BOUND, TCP_OUTPUT_SATURATION = "mtu_black_hole", "cpu_bound", "tcp_output_saturation"
BUFFERS_TOO_SMALL, COMPRESSION_COSTS = "buffers_too_small", "compression_costs"
RESOLVER_FROM_DHCP, DNS_SLOW, DNS_LEAK = "resolver_from_dhcp", "dns_slow", "dns_leak"
STALE_CONFIG, CONFIG_NEWER = "stale_configuration", "configuration_newer_than_process"
EXPIRY, CLOCK_SKEW, DCO_OFF, SYSCTL_HURTS = "expiry", "clock_skew", "dco_off", "sysctl_hurts"
CANNOT_TELL = "cannot_tell"
CAUSES = (
    UDP_BLOCKED, UDP_LIMITED, PACKET_LOSS, REORDERING, MTU_BLACK_HOLE, CPU_BOUND, TCP_OUTPUT_SATURATION,
    BUFFERS_TOO_SMALL, COMPRESSION_COSTS, RESOLVER_FROM_DHCP, DNS_SLOW, DNS_LEAK, STALE_CONFIG, CONFIG_NEWER,
    EXPIRY, CLOCK_SKEW, DCO_OFF, SYSCTL_HURTS, CANNOT_TELL,
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What shows it.

    :param text: A sentence, figures and units included. :param source: Where it comes from: ``iperf3``, ``ping``,
        ``journal``, ``management``, ``proc``, ``ss``, a file's path. :param lines: Log lines or rows as they are.
    """

    text: str
    source: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """What to do, as a variable to set, a command to run, or both empty where only a person outside can help.

    :param text: In a sentence. :param variable: The public variable of a role. :param value: Of the variable.
    :param command: As it is typed on the controller or the host that the text names.
    """

    text: str
    variable: str = ""
    value: Any = None
    command: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    :param cause: One of ``CAUSES``. :param weight: ``fault``, ``hint`` or ``unknown``.
    :param title: A short sentence in plain words. :param explanation: What that means for those who use the VPN.
    :param probe: Whose path, empty where it concerns the gateway itself. :param direction: ``down``, ``up`` or empty.
    :param figures: The numbers, by name with their unit, such as ``rate_bps``: for programs and for history.
    """

    cause: str
    weight: str
    certainty: str
    title: str
    explanation: str
    evidence: tuple[Evidence, ...]
    remedies: tuple[Remedy, ...] = ()
    gateway: str = ""
    probe: str = ""
    direction: str = ""
    figures: tuple[tuple[str, float], ...] = ()
