# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echoes on every place of a path during the whole measurement, and the search for the largest packet."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import Children, read_so_far
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    UP,
    Echo,
    PathMtu,
    Segment,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.ping import Pings, parse_pings

INTERVAL_SECONDS = 0.2
# Closer together on the empty path, for enough of them to see a loss.
IDLE_INTERVAL_SECONDS, IDLE_COUNT = 0.02, 75
LEAST_MTU = 576
# Sizes that are tried at once; three times that finds the edge to a byte.
_AT_ONCE = 9
_ROUNDS = 3


@dataclass(frozen=True)
class _Running:
    place: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]


class Echoes:
    """Pings in the background.

    :param started: The beginning of the measurement, seconds since 1970-01-01 UTC.
    """

    def __init__(self, children: Children, started: float) -> None:
        self._children = children
        self._started = started
        self._running: list[_Running] = []
        self._idle: list[Echo] = []

    def start(self, place: str, address: str) -> None:
        """Ping an address until the end."""
        # pylint: disable-next=consider-using-with
        output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `finish`
        argv = ("ping", "-n", "-D", "-O", "-i", str(INTERVAL_SECONDS), address)
        self._running.append(_Running(place, self._children.start(argv, output=output), output))

    def idle(self, place: str, address: str) -> None:
        """Some close together, while nothing else is under way."""
        argv = ("ping", "-n", "-D", "-O", "-i", str(IDLE_INTERVAL_SECONDS), "-c", str(IDLE_COUNT), "-W", "1", address)
        ended = self._children.run(argv, seconds=IDLE_INTERVAL_SECONDS * IDLE_COUNT + 1.2)
        pings = parse_pings(ended.output, interval=IDLE_INTERVAL_SECONDS)
        if pings.answered:
            self._idle += self._echoes(place, pings, ())

    def round_trip(self, place: str) -> float | None:
        """The shortest so far."""
        return next((_shortest(read_so_far(one.output)) for one in self._running if one.place == place), None)

    def finish(self, segments: Sequence[Segment]) -> tuple[Echo, ...]:
        """End them, and return all, the oldest first."""
        found: list[Echo] = list(self._idle)
        for one in self._running:
            self._children.stop(one.process, signal.SIGINT)
            pings = parse_pings(read_so_far(one.output), interval=INTERVAL_SECONDS)
            one.output.close()
            if pings.answered:
                found += self._echoes(one.place, pings, segments)
        self._running.clear()
        return tuple(sorted(found, key=lambda echo: echo.at))

    def _echoes(self, place: str, pings: Pings, segments: Sequence[Segment]) -> list[Echo]:
        ends = [(one.begin, one.begin + (one.settled or 0.0) + one.seconds) for one in segments if not one.error]
        echoes = []
        for answer in pings.answers:
            if answer.at is not None:
                at = answer.at - self._started
                loaded = any(begin <= at <= end for begin, end in ends)
                echoes.append(Echo(round(at, 3), place, answer.rtt, loaded))
        return echoes


def _shortest(output: str) -> float | None:
    times = [one.rtt for one in parse_pings(output).answers if one.rtt is not None]
    return min(times) if times else None


def find_mtu(children: Children, place: str, address: str, *, link: int, kernel_mtu: int | None) -> PathMtu | None:
    """The largest packet that is answered; ``None`` where not even a small one is.

    The answer to a large echo may be cut into fragments, so that this tells about the way to the gateway.

    :param link: The MTU of the device that leads there.
    :param kernel_mtu: What the kernel has already learnt of this path, if that is less.
    """
    first = _ask(children, address, link, count=3)
    if first.answered:
        return PathMtu(place, UP, link, 0, None, link)
    # Debian 13's ping does not name what the kernel has learnt.
    told = next((one for one in (first.told, first.own, kernel_mtu) if one and one < link), None)
    passed, failed = 0, link
    for _round in range(_ROUNDS):
        low = passed or LEAST_MTU
        step = (failed - low) / (_AT_ONCE + 1)
        sizes = sorted({low, *(round(low + step * number) for number in range(1, _AT_ONCE + 1))} - {passed, failed})
        if told is not None and passed < told < failed:
            sizes = sorted({*sizes, told})
        answers = _survey(children, address, [size for size in sizes if passed < size < failed])
        told = told or next((one.told for one in answers.values() if one.told), None)
        good = [size for size, one in answers.items() if one.answered]
        if not passed and not good:
            return None
        passed = max([passed, *good])
        failed = min([failed, *(size for size, one in answers.items() if not one.answered and size > passed)])
        if failed - passed <= 1:
            break
    return PathMtu(place, UP, passed, failed, told, link)


def _survey(children: Children, address: str, sizes: Sequence[int]) -> dict[int, Pings]:
    if not sizes:
        return {}
    with ThreadPoolExecutor(len(sizes)) as pool:
        return dict(zip(sizes, pool.map(lambda size: _ask(children, address, size, count=2), sizes)))


def _ask(children: Children, address: str, size: int, *, count: int) -> Pings:
    headers = 48 if ":" in address else 28
    argv = ("ping", "-n", "-c", str(count), "-i", "0.2", "-W", "0.7", "-M", "do", "-s", str(size - headers), address)
    ended = children.run(argv, seconds=2.5)
    return parse_pings(f"{ended.output}\n{ended.errors}")
