# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers of a path, from ``mtr --json`` or from ``traceroute -n``."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Hop

MOST_HOPS = 64
_LONGEST_ADDRESS = 64
_LINE = re.compile(r"^ ?(?P<number>\d{1,2})  ?(?P<rest>\S.*)$", re.MULTILINE)
_MS = re.compile(r"(\d{1,7}(?:\.\d{1,6})?) ms")
_ADDRESS = re.compile(r"[0-9A-Fa-f]{0,4}[.:][0-9A-Fa-f.:]{1,60}")


def parse_mtr(text: str) -> tuple[Hop, ...]:
    """The hops of a report in JSON; none where it cannot be read."""
    begin = text.find("{")
    try:
        found, _end = json.JSONDecoder().raw_decode(text[begin:]) if begin >= 0 else (None, 0)
    except (ValueError, RecursionError):
        return ()
    hubs: Any = found
    for name in ("report", "hubs"):
        hubs = hubs.get(name) if isinstance(hubs, dict) else None
    hops = [_hub(one) for one in hubs[:MOST_HOPS] if isinstance(one, dict)] if isinstance(hubs, list) else []
    return tuple(hop for hop in hops if hop is not None)


def _hub(hub: dict[str, Any]) -> Hop | None:
    # The number was a text before mtr 0.94.
    number, lost, best = (_number(hub.get(name)) for name in ("count", "Loss%", "Avg"))
    if number is None or lost is None:
        return None
    host = str(hub.get("host", ""))[:_LONGEST_ADDRESS]
    address = "" if host == "???" else host
    return Hop(int(number), address, min(1.0, max(0.0, lost / 100)), best / 1000 if best and address else None)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -1e9 < number < 1e9 else None


def parse_traceroute(text: str) -> tuple[Hop, ...]:
    """The hops, also of a run that was cut short."""
    hops = []
    for line in _LINE.finditer(text):
        rest = line["rest"]
        times = [float(one) / 1000 for one in _MS.findall(rest)]
        tried = len(times) + rest.count("*")
        if not tried:
            continue
        address = _ADDRESS.search(rest.split(" ms")[0]) if times else None
        mean = sum(times) / len(times) if times else None
        hops.append(Hop(int(line["number"]), address.group() if address else "", 1 - len(times) / tried, mean))
    return tuple(hops[:MOST_HOPS])
