# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tunnels at once, and one transfer after the other through them, now through A, now through B."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import (
    Children,
    ended_by_signals,
    ended_children,
    find_program,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import WindowTunnel
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_tunnel import (
    ProbeTunnel,
    load_profile,
    opened_tunnels,
    why_no_tunnel,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_plan import (
    FIXED_SECONDS,
    SETTLE_SHARE,
    SIDES,
    Schedule,
    plan_order,
    plan_schedule,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_report import ALPHA
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.iperf3 import Transfer, read_transfer
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    DOWN,
    FULL,
    TCP,
    Segment,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock

# The same as that of the measurement for a diagnosis: two at once would measure each other.
LOCK = Path("/run/privatespace-probe.lock")
# What iperf3 takes as a limit; 0 would be none.
_LEAST_RATE = 100_000
# Bytes on the wire by bytes of payload.
_HEADERS = 1.1
_GRACE_SECONDS, _BUSY_SECONDS, _INTERVAL_SECONDS = 6.0, 3.0, 0.1


@dataclass(frozen=True)
class CompareSettings:
    """One comparison.

    :param tunnels: By side. :param address: Of the gateway. :param alpha: For one direction.
    """

    tunnels: Mapping[str, WindowTunnel]
    address: str
    profile: Path
    pairs: int
    seconds: float
    megabytes: float
    alpha: float


def compare(settings: CompareSettings, *, lock: Path = LOCK) -> dict[str, Any]:
    """Measure, in the main thread of a process, as root: ``segments`` by side, ``schedule``, ``sent_bytes``, ``notes``.

    :raises StateError: a program is missing, a tunnel does not open, or the limits are too narrow.
    """
    if os.geteuid() != 0:
        raise StateError("A comparison needs root.", remedy="Run the task with 'become: true'.")
    missing = why_no_tunnel() or ("" if find_program("iperf3") else "iperf3 is missing; install it on the probe.")
    if missing:
        raise StateError(missing)
    profile = load_profile(settings.profile)
    alone = exclusive_lock(lock, wait_seconds=0, what="The measuring from this host")
    until = time.monotonic() + settings.seconds + FIXED_SECONDS
    with alone, ended_by_signals(), ended_children(until) as children:
        tunnels = {side: ProbeTunnel(children, settings.tunnels[side], address=settings.address) for side in SIDES}
        with opened_tunnels(list(tunnels.values())):
            for side, tunnel in tunnels.items():
                tunnel.device = f"psgp-{side}"
                tunnel.start(profile, folder=settings.profile.parent)
            for side, tunnel in tunnels.items():
                opened = tunnel.wait()
                if opened.error:
                    raise _unopened(side, settings, opened.error)
            return _Comparison(settings, children).run()


def _unopened(side: str, settings: CompareSettings, error: str) -> StateError:
    tunnel = settings.tunnels[side]
    return StateError(
        f"The tunnel of {side.upper()} does not open: {error}",
        remedy=(
            f"Let {tunnel.transport.upper()} {tunnel.port} in at {settings.address} (provider's firewall) for the "
            "comparison, or choose open ports with diagnosis_compare_ports."
        ),
    )


class _Comparison:
    def __init__(self, settings: CompareSettings, children: Children) -> None:
        self._settings = settings
        self._children = children
        self._begin = time.monotonic()
        self._sent = dict.fromkeys(DIRECTIONS, 0)
        self._largest = dict.fromkeys(DIRECTIONS, 0)
        self._carried = dict.fromkeys(SIDES, 0)

    def run(self) -> dict[str, Any]:
        schedule = self._look()
        segments: dict[str, list[Segment]] = {side: [] for side in SIDES}
        notes = []
        if schedule.pairs < self._settings.pairs:
            notes.append(f"The limits allow {schedule.pairs} pairs, and {self._settings.pairs} were asked for.")
        for pair, direction, sides in plan_order(schedule.pairs):
            if not self._may_go_on(schedule, direction):
                notes.append(f"The limits ended it before pair {pair} of {schedule.pairs} ({direction}).")
                break
            for side, segment in self._send_pair(sides, direction, seconds=schedule.seconds, number=pair):
                segments[side].append(segment)
        return {
            "segments": {side: [to_plain(one) for one in segments[side]] for side in SIDES},
            "schedule": {"pairs": schedule.pairs, "seconds": schedule.seconds},
            "sent_bytes": dict(self._carried),
            "notes": notes,
        }

    def _look(self) -> Schedule:
        """A second of each, to see what a segment costs; it is no part of the comparison."""
        rates: dict[str, float] = {}
        around = 0.0
        for direction in DIRECTIONS:
            began = time.monotonic()
            for side, segment in self._send_pair(SIDES, direction, seconds=1, number=0):
                around = max(around, time.monotonic() - began - 1)
                if segment.error:
                    raise StateError(
                        f"Nothing goes through the tunnel of {side.upper()}: {segment.error}",
                        remedy="Look at the gateway's firewall, and at what this setting does.",
                    )
                rates[direction] = max(rates.get(direction, 0.0), segment.delivered)
                began = time.monotonic()
        limits = self._settings
        return plan_schedule(
            rates, pairs=limits.pairs, seconds=limits.seconds, megabytes=limits.megabytes, around=around,
            alpha=limits.alpha,
        )  # fmt: skip

    def _may_go_on(self, schedule: Schedule, direction: str) -> bool:
        """Whether a pair as large as the largest so far would still be within the limits."""
        return time.monotonic() - self._begin + 2 * schedule.seconds <= self._settings.seconds and len(
            SIDES
        ) * self._largest[direction] <= self._left(direction)

    def _left(self, direction: str) -> float:
        """Bytes of payload that may still be sent."""
        return self._settings.megabytes * 1e6 / _HEADERS - self._sent[direction]

    def _send_pair(
        self, sides: Sequence[str], direction: str, *, seconds: int, number: int
    ) -> Iterator[tuple[str, Segment]]:  # fmt: skip
        # Where the line has become faster, both together use up what is left, at the same rate, and no more.
        rate = max(_LEAST_RATE, int(self._left(direction) * 8 / len(SIDES) / seconds))
        for side in sides:
            yield side, self._send(side, direction, seconds=seconds, number=number, rate=rate).segment

    def _send(self, side: str, direction: str, *, seconds: int, number: int, rate: int) -> Transfer:
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            transfer = self._try(side, direction, seconds=seconds, number=number, rate=rate)
            sent = max(0, transfer.sent or 0)
            self._sent[direction] += sent
            self._largest[direction] = max(self._largest[direction], sent)
            self._carried[side] += sent
            if not transfer.busy or time.monotonic() > until:
                return transfer
            time.sleep(_INTERVAL_SECONDS)

    def _try(self, side: str, direction: str, *, seconds: int, number: int, rate: int) -> Transfer:
        tunnel = self._settings.tunnels[side]
        planned = Segment(
            round=number, place=tunnel.place, protocol=TCP, direction=direction, purpose=FULL,
            begin=round(time.monotonic() - self._begin, 3), seconds=seconds, delivered=0.0,
        )  # fmt: skip
        argv = [
            "iperf3", "--json", "--client", tunnel.tunnel_address, "--port", str(tunnel.iperf_port),
            "--time", str(seconds), "--interval", str(_INTERVAL_SECONDS), "--connect-timeout", "3000",
            "--bitrate", str(rate), "--get-server-output", *(["--reverse"] if direction == DOWN else []),
        ]  # fmt: skip
        ended = self._children.run(argv, seconds=seconds + _GRACE_SECONDS)
        transfer = read_transfer(ended.output, planned, settle=SETTLE_SHARE * seconds)
        if ended.late and transfer.segment.error:
            return replace(transfer, segment=replace(transfer.segment, error="iperf3 did not end in time."))
        return transfer


def parse_compare(given: Mapping[str, Any]) -> CompareSettings:
    """Read the options of the module.

    :raises InputError: the tunnels are not those of a plan.
    """
    try:
        tunnels = {side: WindowTunnel(**given["tunnels"][side]) for side in SIDES}
    except (KeyError, TypeError) as error:
        raise InputError("'tunnels' is not what the filter compare_plan gave.") from error
    return CompareSettings(
        tunnels=tunnels,
        address=given["address"],
        profile=Path(given["profile"]),
        pairs=given["pairs"],
        seconds=given["seconds"],
        megabytes=given["megabytes"],
        alpha=ALPHA / len(DIRECTIONS),
    )
