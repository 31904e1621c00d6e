# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that the gateway drops because a TCP client takes them too slowly.

Only OpenVPN's own log line says so, at verb 4, which the measuring window sets. The measurement must not accuse itself:
where the probe sent UDP into the tunnel over TCP, faster than that tunnel can be, drops are what it asked for, and TCP
inside of it finds its rate by such drops, which it sends again (51 lines seen for 25 that were sent again). So they
count only where nothing like that was sent; or where UDP at a low rate was lost in that tunnel; or where there
are far more lines than the probe's own lost packets explain, or lines about several clients.

Lost packets of the path explain those of the low rate: TCP outside stands still for each, and 64 packets are there
in 10 ms (446 lines seen for 454 packets at 20 Mbit/s with 2 % lost). Otherwise nothing silences it: the line names the
cause itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
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
    median,
    segments_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DOWN,
    PAIR,
    TCP,
    TUNNEL_TCP,
    UDP,
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
_FITS = 0.9
# The settling time of a segment is not in its figures, and drops as well.
_UNCOUNTED, _FEW = 3, 20
_DEFAULT_QUEUE, _LONGER = 64, 4


def find_output_saturation(observations: Observations, found: Found) -> Iterator[Finding]:
    """A TCP listener that had to drop packets."""
    lines = [one for kind in _KINDS for one in logs_of(observations, kind) if not one.where.startswith("client")]
    if not lines or _is_own_doing(observations, lines, found):
        return
    where = sorted({one.where for one in lines})
    total = sum(one.count for one in lines)
    listener = next((one for one in observations.gateway.listeners if one.name in where), None)
    clients = sorted({client for one in lines for client in one.clients})
    names = wording.listed([f"'{one}'" for one in where])
    named = f" Clients: {wording.listed(clients)}." if clients else ""
    yield Finding(
        cause=TCP_OUTPUT_SATURATION,
        weight=FAULT,
        certainty=CERTAIN if total >= _FEW else LIKELY,
        title=f"The TCP listener {names} drops packets: clients take them too slowly",
        explanation=(
            "Something sends to a client over TCP faster than its line takes it, and does not slow down by itself:"
            " UDP inside the tunnel, such as video and telephony, or multicast. What does not fit is dropped."
        ),
        evidence=tuple(
            Evidence(
                f"'{one.where}' dropped {one.count} packets during the measurement.{named}",
                "journal",
                (one.example,) if one.example else (),
            )
            for one in lines
        ),
        remedies=_remedies(listener),
        gateway=observations.gateway.name,
        figures=(("dropped_packets", float(total)),),
    )


def _is_own_doing(observations: Observations, lines: list[LogCount], found: Found) -> bool:
    """Whether the drops are those of what the probes themselves sent too fast."""
    too_fast, own_lost = False, 0.0
    for path in observations.paths:
        capacity = median(one.delivered for one in segments_of(path, TUNNEL_TCP, DOWN)) or 0.0
        low = low_rate_loss(path, TUNNEL_TCP, DOWN)
        if low is not None and low.share >= _LOST:
            if not known(found, PACKET_LOSS, probe=path.probe):
                return False
            too_fast, own_lost = True, own_lost + low.share * low.packets
        for one in segments_of(path, TUNNEL_TCP, DOWN, protocol=UDP, purposes=(PAIR,)):
            too_fast = too_fast or (one.offered or 0.0) > _FITS * capacity
            own_lost += (one.lost or 0.0) * max(one.datagrams, 0)
        again = sum(one.retransmits or 0 for one in segments_of(path, TUNNEL_TCP, DOWN))
        too_fast, own_lost = too_fast or again > 0, own_lost + again
    clients = {client for one in lines for client in one.clients}
    many = sum(one.count for one in lines) > _UNCOUNTED * own_lost + _FEW
    return too_fast and not many and len(clients) <= max(1, len(observations.paths))


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
