# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of network devices, UDP and connections, read from its texts; see ``processor_readings``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Interface, TcpSession

UDP_COUNTERS = ("InErrors", "RcvbufErrors", "SndbufErrors")
_NUMBER = r"(\d{1,18}(?:\.\d{1,9})?)"


def parse_links(text: str, *, speeds: Mapping[str, float] | None = None) -> tuple[Interface, ...]:
    """The network devices, from ``ip -j -d -s link``; the loopback device is left out.

    :param speeds: Bits per second by name, of those that have one.
    """
    try:
        links = json.loads(text)
    except ValueError:
        return ()
    named = [link for link in links if isinstance(link, dict) and link.get("ifname")] if isinstance(links, list) else []
    return tuple(_interface(link, speeds or {}) for link in named if link["ifname"] != "lo")


def _interface(link: Mapping[str, Any], speeds: Mapping[str, float]) -> Interface:
    name = str(link["ifname"])
    counters = link.get("stats64") or link.get("stats") or {}
    received, sent = counters.get("rx") or {}, counters.get("tx") or {}
    return Interface(
        name=name,
        mtu=_whole(link.get("mtu")),
        kind=str((link.get("linkinfo") or {}).get("info_kind") or link.get("link_type") or ""),
        received_dropped=_whole(received.get("dropped")),
        sent_dropped=_whole(sent.get("dropped")),
        received_errors=_whole(received.get("errors")),
        queue_discipline=str(link.get("qdisc") or ""),
        speed=speeds.get(name),
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def parse_device_counters(text: str) -> dict[str, tuple[int, int, int]]:
    """Dropped on reception and on sending, and errors of reception, by device, in ``/proc/net/dev``."""
    found = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        values = rest.split()
        if colon and len(values) >= 12 and all(value.isdecimal() for value in values):
            found[name.strip()] = (int(values[3]), int(values[11]), int(values[2]))
    return found


def since(devices: Iterable[Interface], before: Mapping[str, tuple[int, int, int]]) -> tuple[Interface, ...]:
    """The devices with what was added since counters were read; a device that is new keeps its own."""
    return tuple(_less(one, before.get(one.name, (0, 0, 0))) for one in devices)


def _less(device: Interface, before: tuple[int, int, int]) -> Interface:
    now = (device.received_dropped, device.sent_dropped, device.received_errors)
    # A device that was made anew under its name counts from 0.
    added = [last - first if last >= first else last for first, last in zip(before, now)]
    return replace(device, received_dropped=added[0], sent_dropped=added[1], received_errors=added[2])


def parse_udp_counters(text: str, text6: str = "") -> dict[str, int]:
    """The errors of UDP since the machine was started, in ``/proc/net/snmp`` and ``/proc/net/snmp6``."""
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith("Udp:")]
    found = dict.fromkeys(UDP_COUNTERS, 0) if len(rows) >= 2 else {}
    if found:
        values = dict(zip(rows[0], rows[1]))
        found = {name: int(values[name]) if values.get(name, "").isdecimal() else 0 for name in UDP_COUNTERS}
    for name in found:
        six = re.search(rf"^Udp6{name}\s+(\d{{1,19}})\s*$", text6, re.MULTILINE)
        found[name] += 0 if six is None else int(six.group(1))
    return found


def parse_tcp_sessions(text: str) -> tuple[TcpSession, ...]:
    """Connections, from ``ss -tinH``; one whose round trip the kernel does not know yet is left out."""
    found: list[TcpSession] = []
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith(("\t", " ")):
            head = line.split()
        elif len(head) >= 4:
            session = _tcp_session(head, line)
            found += [] if session is None else [session]
            head = []
    return tuple(found)


def _tcp_session(head: list[str], details: str) -> TcpSession | None:
    rtt = _figure(details, rf"\brtt:{_NUMBER}/")
    if rtt is None:
        return None
    minimum, rate = _figure(details, rf"\bminrtt:{_NUMBER}"), _figure(details, rf"\bdelivery_rate {_NUMBER}bps")
    sent, again = _figure(details, rf"\bbytes_sent:{_NUMBER}"), _figure(details, rf"\bbytes_retrans:{_NUMBER}")
    busy, limited = _figure(details, rf"\bbusy:{_NUMBER}ms"), _figure(details, rf"\bsndbuf_limited:{_NUMBER}ms")
    return TcpSession(
        client=_plain_address(head[-1]),
        rtt=rtt / 1000,
        minimum_rtt=None if minimum is None else minimum / 1000,
        # Without a word of it nothing was sent twice, or buffered too little.
        retransmitted=(again or 0.0) / sent if sent else None,
        delivery_rate=rate,
        unsent=int(_figure(details, rf"\bnotsent:{_NUMBER}") or 0),
        limited_by_buffer=min(1.0, (limited or 0.0) / busy) if busy else None,
    )


def _figure(text: str, pattern: str) -> float | None:
    found = re.search(pattern, text)
    return None if found is None else float(found.group(1))


def _plain_address(text: str) -> str:
    """An IPv4 address in the clothes of IPv6 as what it is."""
    return re.sub(r"^\[::ffff:([0-9.]+)\]", r"\1", text)


def merge_sessions(readings: Iterable[Iterable[TcpSession]]) -> tuple[TcpSession, ...]:
    """One record of each connection from several readings, the oldest first.

    Shares are totals of the kernel, so the newest is taken; of rates and of what waits the greatest, of round trips the
    least that was seen, and for the ordinary one the middle of all.
    """
    by_client: dict[str, list[TcpSession]] = {}
    for reading in readings:
        for one in reading:
            by_client.setdefault(one.client, []).append(one)
    return tuple(_merged(several) for several in by_client.values())


def _merged(several: list[TcpSession]) -> TcpSession:
    least = [one.minimum_rtt for one in several if one.minimum_rtt is not None]
    rates = [one.delivery_rate for one in several if one.delivery_rate is not None]
    return replace(
        several[-1],
        rtt=sorted(one.rtt for one in several)[len(several) // 2],
        minimum_rtt=min(least) if least else None,
        delivery_rate=max(rates) if rates else None,
        unsent=max(one.unsent for one in several),
    )
