# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared, and in which order: two sets of variables, pairs of transfers A B B A, within limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import DIRECTIONS
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.rank_tests import least_p_paired

A, B = "a", "b"
SIDES = (A, B)
PREFIX = "openvpn_"
# On the gateway, of the two servers.
FOLDER = "/run/privatespace-compare"
# What one process has for itself.
PROCESS_SETTINGS = (
    "socket_buffer_bytes", "measured_path", "compression", "tunnel_mtu", "mssfix", "replay_window_packets",
    "replay_window_seconds", "tcp_nodelay", "tcp_queue_limit", "broadcast_buffers", "transmit_queue_length",
)  # fmt: skip
# A property of its unit.
REALTIME = "realtime_scheduling"
_HOST_SETTINGS = (
    "sysctl", "sysctl_managed", "congestion_control", "netdev_backlog", "receive_buffer_limit_bytes",
    "send_buffer_limit_bytes",
)  # fmt: skip
LEAST_PAIRS, MOST_PAIRS = 6, 100
LONGEST_SEGMENT_SECONDS = 5
# The share of a segment at its beginning that is left out: TCP looks for the rate.
SETTLE_SHARE = 0.3
# Connections, the look at the speed, and the end.
FIXED_SECONDS = 8.0
# What a segment takes besides its traffic where nothing else is known; a first look tells.
AROUND_SECONDS = 0.15
# Headers, what is sent again, and a little for rates that waver.
_OVERHEAD = 1.2


@dataclass(frozen=True)
class Wish:
    """The variables of one side, those of the gateway itself where it says nothing.

    :param settings: For ``openvpn_server_config``. :param realtime: ``None`` leaves it as it is.
    """

    settings: Mapping[str, Any]
    realtime: bool | None = None


@dataclass(frozen=True)
class Schedule:
    """How often and how long; the same for both sides and directions."""

    pairs: int
    seconds: int


def parse_overrides(raw: Any, *, what: str) -> Wish:
    """The variables of one side.

    :param what: The variable that holds them.
    :raises InputError: one of them cannot be compared, and why.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"{what} is not a dictionary of variables.", remedy=f"Such as -e '{{\"{what}\": {{}}}}'.")
    settings = {}
    realtime = None
    for key, value in raw.items():
        name = str(key)[len(PREFIX) :] if str(key).startswith(PREFIX) else ""
        if name in _HOST_SETTINGS:
            raise InputError(
                f"{what}: {key} is a setting of the whole host, so a comparison would change it for everybody.",
                remedy="Run diagnose, change it with site, and run diagnose again: its history shows the difference.",
            )
        if name == REALTIME:
            realtime = _boolean(value, what=f"{what}: {key}")
        elif name in PROCESS_SETTINGS:
            settings[name] = value
        else:
            known = ", ".join(PREFIX + one for one in (*PROCESS_SETTINGS, REALTIME))
            raise InputError(f"{what}: {shown(str(key))} cannot be compared.", remedy=f"What can be: {known}.")
    return Wish(settings, realtime)


def _boolean(value: Any, *, what: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{what} is not true or false.")
    return value


def plan_schedule(
    rates: Mapping[str, float],
    *,
    pairs: int,
    seconds: float,
    megabytes: float,
    around: float = AROUND_SECONDS,
    alpha: float,
) -> Schedule:
    """The longest segments, and at most the wanted pairs of them, that the limits allow.

    :param rates: Payload of the faster side by direction, bit/s, from a first look.
    :param seconds: The most for everything together. :param megabytes: The most each way.
    :param around: Seconds that a segment takes besides its traffic: connecting, and fetching the other end's figures.
    :param alpha: For one direction: fewer pairs than show something at this level are of no use.
    :raises StateError: the limits allow too little; it names what would do.
    """
    least = max(LEAST_PAIRS, math.ceil(1 - math.log2(alpha)))
    if not least <= pairs <= MOST_PAIRS:
        raise InputError(f"{pairs} pairs are asked for; from {least} to {MOST_PAIRS} can show something.")
    fastest = max(rates.values(), default=0.0)
    for number in range(pairs, least - 1, -1):
        for length in range(LONGEST_SEGMENT_SECONDS, 0, -1):
            schedule = Schedule(number, length)
            if needed_seconds(schedule, around) <= seconds and needed_megabytes(schedule, fastest) <= megabytes:
                return schedule
    shortest = Schedule(least, 1)
    wanted = replace(shortest, pairs=pairs)
    raise StateError(
        f"{least} pairs, the fewest that show anything, take {needed_seconds(shortest, around):.0f} s and, at "
        f"{fastest / 1e6:.0f} Mbit/s, {needed_megabytes(shortest, fastest):.0f} MB each way; {seconds:g} s and "
        f"{megabytes:g} MB are allowed.",
        remedy=(
            f"For {pairs} pairs set diagnosis_compare_seconds to {math.ceil(needed_seconds(wanted, around))} and "
            f"diagnosis_compare_megabytes to {math.ceil(needed_megabytes(wanted, fastest))}."
        ),
    )


def needed_seconds(schedule: Schedule, around: float) -> float:
    """What all of it takes, both directions."""
    return FIXED_SECONDS + schedule.pairs * len(SIDES) * len(DIRECTIONS) * (schedule.seconds + around)


def needed_megabytes(schedule: Schedule, rate: float) -> float:
    """What one direction sends, its share of the first look included."""
    return (schedule.pairs * schedule.seconds + 1) * len(SIDES) * rate / 8e6 * _OVERHEAD


def plan_order(pairs: int) -> tuple[tuple[int, str, tuple[str, str]], ...]:
    """Pair, direction and the sides in their order: A B, then B A, so that what drifts does the same to both."""
    return tuple(
        (pair, direction, (A, B) if (pair + DIRECTIONS.index(direction)) % 2 else (B, A))
        for pair in range(1, pairs + 1)
        for direction in (DIRECTIONS if pair % 2 else tuple(reversed(DIRECTIONS)))
    )


def describe_plan(
    configs: Mapping[str, str], *, gateway: str, probe: str, pairs: int, seconds: float, megabytes: float, protocol: str
) -> list[str]:
    """What a comparison would do, a sentence each."""
    over = protocol.upper()
    return [
        f"Two OpenVPN servers over {over} would run on {gateway} for this alone; what runs now stays as it is.",
        *differences(configs),
        f"{probe} would send up to {pairs} pairs of transfers each way: {seconds:g} s and {megabytes:g} MB at most.",
        f"The test: Wilcoxon signed-rank on pairs, two-sided; {pairs} pairs can have p = {least_p_paired(pairs):.2g}.",
    ]


def differences(configs: Mapping[str, str]) -> list[str]:
    """The lines in which two configurations differ, but for what the two servers need to be two."""
    lines = {side: [one for one in configs[side].splitlines() if not _is_own(one)] for side in SIDES}
    found = [f"Only A: {one}" for one in lines[A] if one not in lines[B]]
    return found + [f"Only B: {one}" for one in lines[B] if one not in lines[A]]


_OWN_WORDS = ("#", "port ", "dev ", "server ", "ifconfig-pool ", "client-config-dir ", "management ")


def _is_own(line: str) -> bool:
    return not line or line.startswith(_OWN_WORDS)


def pick_listener(processes: Sequence[Mapping[str, Any]], *, name: str) -> Mapping[str, Any]:
    """The process whose kind is compared.

    :raises InputError: there is none of that name.
    """
    for one in processes:
        if name in (one["name"], one["listener"]):
            return one
    known = ", ".join(str(one["name"]) for one in processes) or "none"
    raise InputError(f"The gateway has no listener '{shown(name)}'.", remedy=f"Those it has: {known}.")
