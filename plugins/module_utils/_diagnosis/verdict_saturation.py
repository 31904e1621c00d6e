# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that the gateway drops because a TCP client takes them too slowly.

Only OpenVPN's own log line says so, at verb 4, which the measuring window sets, and names the client. TCP inside a
tunnel finds its rate by such drops and sends again what was dropped (51 and 54 lines seen for a transfer that began
over 40 ms): up to a hundred for each client are ordinary.

The measurement must not accuse itself: lines about the probe's own client count only where UDP at a low rate was lost
in that tunnel. Lost packets of the path explain those, too: TCP outside stands still for each, and 64 packets are there
in 10 ms (446 lines seen for 454 packets at 20 Mbit/s with 2 % lost); so does a full core. Nothing silences lines about
others. Users behind the same address as a probe are taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    CPU_BOUND,
    FAULT,
    LIKELY,
    PACKET_LOSS,
    TCP_OUTPUT_SATURATION,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Listener, Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import (
    low_rate_loss,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DOWN,
    TCP,
    TUNNEL_TCP,
    LogCount,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    first_number,
    known,
    logs_of,
)

_KINDS = ("output_saturation", "mbuf_dropped")
_LOST = 0.01
_ORDINARY = 100
_DEFAULT_QUEUE, _LONGER = 64, 4


def find_output_saturation(observations: Observations, found: Found) -> Iterator[Finding]:
    """A TCP listener that had to drop packets."""
    lines = [one for kind in _KINDS for one in logs_of(observations, kind) if not one.where.startswith("client")]
    others = [one for one in lines if one.count - one.own > _ORDINARY * max(1, len(one.clients))]
    if not others and not (lines and _loses_low_rate(observations, found)):
        return
    lines = others or lines
    where = sorted({one.where for one in lines})
    total = sum(_counted(one) for one in lines)
    listener = next((one for one in observations.gateway.listeners if one.name in where), None)
    clients = sorted({client for one in lines for client in one.clients})
    names = wording.listed([f"'{one}'" for one in where])
    named = f" Clients: {wording.listed(clients)}." if clients else ""
    yield Finding(
        cause=TCP_OUTPUT_SATURATION,
        weight=FAULT,
        certainty=CERTAIN if others else LIKELY,
        title=f"The TCP listener {names} drops packets: clients take them too slowly",
        explanation=(
            "Something sends to a client over TCP faster than its line takes it, and does not slow down by itself:"
            " UDP inside the tunnel, such as video and telephony, or multicast. What does not fit is dropped."
        ),
        evidence=tuple(
            Evidence(
                f"'{one.where}' dropped {_counted(one)} packets during the measurement.{named}",
                "journal",
                (one.example,) if one.example else (),
            )
            for one in lines
        ),
        remedies=_remedies(listener),
        gateway=observations.gateway.name,
        figures=(("dropped_packets", float(total)),),
    )


def _counted(one: LogCount) -> int:
    """Lines about others, or else all."""
    return one.count - one.own or one.count


def _loses_low_rate(observations: Observations, found: Found) -> bool:
    """Whether the tunnel over TCP loses what a quarter of its rate is, and nothing else explains that."""
    for path in observations.paths:
        low = low_rate_loss(path, TUNNEL_TCP, DOWN)
        if low is not None and low.share >= _LOST and not known(found, PACKET_LOSS, probe=path.probe):
            return not known(found, CPU_BOUND, faults_only=True)
    return False


def _remedies(listener: Listener | None) -> tuple[Remedy, ...]:
    options = {} if listener is None else listener.options
    queue = _LONGER * (first_number(options.get("tcp-queue-limit")) or _DEFAULT_QUEUE)
    transport = "UDP" if listener is None or listener.transport == TCP else "TCP"
    return (
        Remedy(
            f"Have those clients use the {transport} listener where they can: it does not queue, and it does not stall."
        ),
        Remedy(
            "Let more packets wait for a client; that also lets them wait longer.", "openvpn_tcp_queue_limit", queue
        ),
        Remedy(
            "These buffers are shared by all clients, and have to be more than wait for one.",
            "openvpn_broadcast_buffers",
            2 * queue,
        ),
    )
