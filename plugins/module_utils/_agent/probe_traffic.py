# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One transfer of iperf3 at a time, as it was ordered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import Children, Ended
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import Window
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.budget import END_SECONDS, Order, duration
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.iperf3 import Transfer, read_transfer
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DOWN,
    OUTSIDE,
    TCP,
    PathMtu,
    Segment,
)

INTERVAL_SECONDS = 0.1
# How much longer than planned a transfer may take before it is given up.
_GRACE_SECONDS = 2.0
_BUSY_SECONDS = 1.5
_TCP_BLOCK = 32_768
# TCP's segments leave at the rate of the order, headers included, and never in a burst above it.
_PACING = 1.1
# Measured at 10 to 200 ms: of what a run of iperf3 takes beside its traffic, 0.66 to 0.80 come before it.
_TIME_BEFORE = 0.72


class Traffic:
    """Sends what is ordered.

    :param begin: The beginning of the measurement on the monotonic clock.
    """

    def __init__(self, children: Children, window: Window, *, begin: float, round_trip: float) -> None:
        self._children = children
        self._window = window
        self._begin = begin
        self._round_trip = round_trip
        self._mtus: dict[str, PathMtu] = {}

    def heed(self, mtus: tuple[PathMtu, ...]) -> None:
        """Keep within the largest packets that get through."""
        self._mtus = {one.place: one for one in mtus if one.failed and one.passed}

    def send(self, order: Order) -> Transfer:
        """Send one segment; what goes wrong is told in it."""
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            began = time.monotonic()
            ended = self._children.run(self._argv(order), seconds=self._seconds(order))
            planned = self._planned(order, began + time_before(time.monotonic() - began, order.seconds))
            transfer = read_transfer(ended.output, planned, settle=order.settle)
            if not transfer.busy or time.monotonic() > until or self._children.left < END_SECONDS + order.seconds + 1:
                return _explained(transfer, ended)
            time.sleep(INTERVAL_SECONDS)

    def _seconds(self, order: Order) -> float:
        return min(duration(order, self._round_trip) + _GRACE_SECONDS, self._children.left - END_SECONDS / 2)

    def _planned(self, order: Order, began: float) -> Segment:
        return Segment(
            round=order.round, place=order.place, protocol=order.protocol, direction=order.direction,
            purpose=order.purpose, begin=round(began - self._begin, 3), seconds=order.seconds, delivered=0.0,
            offered=order.rate, port=self._port(order) if order.place == OUTSIDE else 0,
        )  # fmt: skip

    def _port(self, order: Order) -> int:
        ports = self._window.outside_ports
        return ports[1] if order.second_port and len(ports) > 1 else ports[0]

    def _target(self, order: Order) -> tuple[str, int]:
        inside = {one.place: (one.tunnel_address, one.iperf_port) for one in self._window.one_of_each()}
        return inside.get(order.place, (self._window.address, self._port(order)))

    def _argv(self, order: Order) -> list[str]:
        address, port = self._target(order)
        # Who sends or takes datagrams has to be in time: a pause looks like loss.
        argv = [
            "nice",
            "-n",
            "-10",
            "iperf3",
            "--json",
            "--client",
            address,
            "--port",
            str(port),
            "--time",
            str(order.seconds),
        ]
        argv += ["--interval", str(INTERVAL_SECONDS), "--bitrate", str(round(order.rate)), "--connect-timeout", "2000"]
        argv += ["--reverse"] if order.direction == DOWN else []
        mtu = self._mtus.get(order.place)
        # The server's figures are larger than a packet: where such packets vanish they would never come.
        argv += ["--get-server-output"] if mtu is None or mtu.told is not None else []
        if order.protocol == TCP:
            argv += ["--length", str(_TCP_BLOCK), "--fq-rate", str(round(order.rate * _PACING))]
            return argv + (["--set-mss", str(mtu.passed - _headers(address) - 20)] if mtu else [])
        return [*argv, "--udp", "--length", str(order.packet)]


def _headers(address: str) -> int:
    return 40 if ":" in address else 20


def time_before(elapsed: float, seconds: float) -> float:
    """How long a run of iperf3 took to come to its traffic; on a long path that is more than a second."""
    return max(0.0, elapsed - seconds) * _TIME_BEFORE


def smallest_packet(mtus: tuple[PathMtu, ...], *, most: int) -> int:
    """The payload of a datagram that gets through everywhere."""
    limits: Mapping[str, int] = {one.place: one.passed - 80 for one in mtus if one.passed}
    return max(200, min([most, *limits.values()]))


def _explained(transfer: Transfer, ended: Ended) -> Transfer:
    if not ended.late:
        return transfer
    return replace(transfer, segment=replace(transfer.segment, error="iperf3 did not end in time: nothing came back."))
