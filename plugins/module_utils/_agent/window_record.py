# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a window saw, in plain types, and how that becomes a part of what is known of a gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Gateway,
    Interface,
    Listener,
    Sample,
    TcpSession,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain

INTERRUPTED = "The measuring window was killed before its end: what the gateway saw of itself meanwhile is lost."


def empty_record(*, started: float, ended: float) -> dict[str, Any]:
    """The record of a window that saw nothing."""
    return {
        "started": started, "ended": ended, "complete": False, "samples": [], "logs": [], "interfaces": [],
        "udp_errors": {}, "listeners": {}, "unmeasured": [],
    }  # fmt: skip


def interrupted_record(state: Mapping[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """The record of a window that was killed.

    :param state: What was written down of it.
    """
    started = float(state.get("started", 0.0))
    return {**empty_record(started=started, ended=started), "unmeasured": [INTERRUPTED, *problems]}


def merge_seen(gateway: Gateway, seen: Mapping[str, Any]) -> Gateway:
    """The gateway with what a window saw of it: samples, lines of its logs, counters.

    :param seen: As a window wrote it.
    :raises InputError: it is damaged.
    """
    if not isinstance(seen.get("listeners"), Mapping) or not isinstance(seen.get("udp_errors"), Mapping):
        raise InputError("'seen' is not what network_window returned.", remedy="Hand over its return value 'seen'.")
    listeners = tuple(_with_counts(one, seen["listeners"].get(one.name)) for one in gateway.listeners)
    devices = {one.name: one for one in _records(Interface, seen, "interfaces")}
    return replace(
        gateway,
        listeners=listeners,
        samples=(*gateway.samples, *_records(Sample, seen, "samples")),
        logs=(*gateway.logs, *_records(LogCount, seen, "logs")),
        interfaces=tuple(devices.get(one.name, one) for one in gateway.interfaces) or tuple(devices.values()),
        udp_errors={str(name): int(count) for name, count in seen["udp_errors"].items()},
        unknown=(*gateway.unknown, *map(str, seen.get("unmeasured") or ())),
    )


def _with_counts(listener: Listener, counted: Any) -> Listener:
    if not isinstance(counted, Mapping):
        return listener
    sessions = tuple(from_plain(TcpSession, one) for one in counted.get("tcp_sessions") or ())
    seconds = counted.get("cpu_seconds")
    return replace(
        listener,
        octets=int(counted.get("octets") or 0),
        cpu_seconds=None if seconds is None else float(seconds),
        tcp_sessions=sessions or listener.tcp_sessions,
    )


def _records(kind: Any, seen: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    plain = seen.get(name)
    if not isinstance(plain, Sequence):
        raise InputError(f"'seen' has no list of {name}.", remedy="Hand over what network_window returned as 'seen'.")
    return tuple(from_plain(kind, one) for one in plain)
