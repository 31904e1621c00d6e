# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel that hurt a gateway, as rows: what it says, when that hurts, what to set.

Only values that are worse than the kernel's own are named. A small limit of socket buffers is the kernel's default, and
matters only where a listener asks for more: see verdict_buffers. Silences nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    HINT,
    SYSCTL_HURTS,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import Found

_FORWARDING = "net.ipv4.ip_forward"
_FULL_TABLE = 0.9


@dataclass(frozen=True)
class Rule:
    """One setting.

    :param hurts: Whether its last number is bad. :param better: What the kernel has by itself, or what to set.
    :param variable: Where it has one of its own; otherwise it goes into ``openvpn_sysctl``.
    """

    key: str
    hurts: Callable[[int], bool]
    why: str
    better: str
    weight: str = FAULT
    variable: str = ""


def _is(value: int) -> Callable[[int], bool]:
    return lambda found: found == value


def _below(value: int) -> Callable[[int], bool]:
    return lambda found: found < value


_RULES = (
    Rule("net.ipv4.tcp_window_scaling", _is(0), "TCP has at most 64 KiB under way", "1"),
    Rule("net.ipv4.tcp_sack", _is(0), "TCP sends far more than was lost once more", "1"),
    Rule("net.ipv4.tcp_moderate_rcvbuf", _is(0), "TCP does not adapt its receive buffer to the path", "1"),
    Rule(
        "net.ipv4.tcp_rmem", _below(1 << 20), "TCP receives at most this many bytes a round trip", "4096 131072 6291456"
    ),
    Rule("net.ipv4.tcp_wmem", _below(1 << 20), "TCP sends at most this many bytes a round trip", "4096 16384 4194304"),
    Rule(
        "net.core.rmem_max", _below(212992), "sockets may not ask for the usual receive buffer", "4194304", HINT,
        "openvpn_receive_buffer_limit_bytes",
    ),
    Rule(
        "net.core.wmem_max", _below(212992), "sockets may not ask for the usual send buffer", "4194304", HINT,
        "openvpn_send_buffer_limit_bytes",
    ),
    Rule(
        "net.core.netdev_max_backlog", _below(300), "packets that come in bursts are dropped before anybody sees them",
        "1000", FAULT, "openvpn_netdev_backlog",
    ),
)  # fmt: skip


def find_hurtful_settings(observations: Observations, _found: Found) -> Iterator[Finding]:
    """All settings that hurt, in one finding."""
    sysctl = observations.gateway.sysctl
    rules = [one for one in _RULES if (value := _last(sysctl, one.key)) is not None and one.hurts(value)]
    forwards = _last(sysctl, _FORWARDING) != 0
    table = _full_table(sysctl)
    if not rules and forwards and table is None:
        return
    evidence = [Evidence(f"{one.key} is {sysctl[one.key]}: {one.why}.", "proc") for one in rules]
    remedies = list(_remedies(rules))
    if not forwards:
        evidence.insert(0, Evidence(f"{_FORWARDING} is 0: nothing from a tunnel gets any further.", "proc"))
        remedies.insert(0, Remedy("Have the role set the kernel again.", "openvpn_sysctl_managed", value=True))
    if table is not None:
        evidence.append(table[0])
        remedies.append(table[1])
    keys = [*([] if forwards else [_FORWARDING]), *(one.key for one in rules)]
    if table is not None:
        keys.append("net.netfilter.nf_conntrack_max")
    serious = not forwards or table is not None or any(one.weight == FAULT for one in rules)
    yield Finding(
        cause=SYSCTL_HURTS,
        weight=FAULT if serious else HINT,
        certainty=CERTAIN,
        title=f"Settings of the kernel hurt: {wording.listed(keys)}",
        explanation="Somebody has set them, perhaps for another purpose. The kernel's own values serve better.",
        evidence=tuple(evidence),
        remedies=tuple(remedies),
        gateway=observations.gateway.name,
    )


def _last(sysctl: Mapping[str, str], key: str) -> int | None:
    """The last number of a setting: of three, it is the maximum."""
    words = (sysctl.get(key) or "").split()
    return int(words[-1]) if words and words[-1].isascii() and words[-1].isdigit() else None


def _full_table(sysctl: Mapping[str, str]) -> tuple[Evidence, Remedy] | None:
    count = _last(sysctl, "net.netfilter.nf_conntrack_count")
    most = _last(sysctl, "net.netfilter.nf_conntrack_max")
    if count is None or not most or count < _FULL_TABLE * most:
        return None
    text = f"The kernel knows {count} connections of at most {most}; when there is no room, new ones fail."
    wanted = {"net.netfilter.nf_conntrack_max": str(4 * most)}
    return Evidence(text, "proc"), Remedy("Let the kernel know more connections.", "openvpn_sysctl", wanted)


def _remedies(rules: list[Rule]) -> Iterator[Remedy]:
    others = {one.key: one.better for one in rules if not one.variable}
    if others:
        yield Remedy("Put the kernel's own values back.", "openvpn_sysctl", others)
    for one in rules:
        if one.variable:
            yield Remedy(f"Raise {one.key}.", one.variable, int(one.better))
