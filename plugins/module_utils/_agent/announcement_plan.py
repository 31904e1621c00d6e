# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway announces, decided: which addresses its name shall show, and when to try again."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import BY_HAND, FAMILIES, Found

# A family that went away may be on its way back: a lease that is renewed, a router that has not been heard yet.
PATIENCE_SECONDS = 300
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 300


@dataclass(frozen=True)
class State:
    """What the last look has left, as it lies in a file that anybody may read.

    :param addresses: What the name shows, as far as is known.
    :param source: By family (``4``, ``6``), who told the address.
    :param changed_at: When the record was changed last, by this gateway, since it was started.
    :param problem: Why the name may not show the gateway's addresses; empty where it does.
    :param notes: Sources that could not be asked; no reason to worry where another one could.
    :param wanted: What the last attempt was to write.
    :param retry_at: Before this moment the same is not attempted again.
    :param none_since: By family, since when every source says that there is no address of it.
    :param read_at: When whoever holds the zone was asked last.
    :param servers: The name servers of the zone, with their ports.
    """

    name: str = ""
    addresses: tuple[str, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)
    changed_at: float | None = None
    checked_at: float | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    failures: int = 0
    retry_at: float = 0.0
    none_since: Mapping[str, float] = field(default_factory=dict)
    read_at: float = 0.0
    servers: tuple[tuple[str, int], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in ("addresses", "notes", "wanted")}}


def parse_state(raw: Any, *, name: str) -> State:
    """A state that was read; one of another name, or one that is damaged, is none."""
    if not isinstance(raw, Mapping) or raw.get("name") != name:
        return State(name=name)
    known = {one: raw[one] for one in State.__dataclass_fields__ if one in raw}
    try:
        lists = {one: tuple(map(str, known.get(one, ()))) for one in ("addresses", "notes", "wanted")}
        maps = {one: dict(known.get(one, {})) for one in ("source", "none_since")}
        servers = tuple((str(host), int(port)) for host, port in known.get("servers", ()))
        moments = {one: float(known.get(one, 0)) for one in ("retry_at", "read_at")}
        return State(**{**known, **lists, **maps, **moments, "servers": servers})
    except (TypeError, ValueError):
        return State(name=name)


@dataclass(frozen=True)
class Intent:
    """What the name shall show.

    :param addresses: Of the families that are known, canonical.
    :param kept: Families whose addresses stay as they are in DNS.
    :param source: By family, who told the address.
    :param none_since: As in :class:`State`.
    """

    addresses: tuple[str, ...]
    kept: frozenset[int]
    source: Mapping[str, str]
    none_since: Mapping[str, float]


def intend(found: Found, last: State, *, now: float) -> Intent | None:
    """Decide what the name shall show; ``None`` where nobody knows an address: then the record stays as it is.

    A family without an address leaves the name only when the source that knew one can be asked and has had none for a
    while. So no record goes away because a source failed.
    """
    if not found.addresses:
        return None
    given = set(found.source.values()) == {BY_HAND}
    kept, source, none_since = set(), {str(family): name for family, name in found.source.items()}, {}
    for family in FAMILIES:
        if family in found.addresses or given:
            continue
        key = str(family)
        if _is_unsure(found, last, family):
            kept.add(family)
        else:
            none_since[key] = min(now, float(last.none_since.get(key, now)))
            if now - none_since[key] < PATIENCE_SECONDS:
                kept.add(family)
        if family in kept and key in last.source:
            source[key] = last.source[key]
    addresses = tuple(one for family in FAMILIES for one in found.addresses.get(family, ()))
    return Intent(addresses, frozenset(kept), source, none_since)


def _is_unsure(found: Found, last: State, family: int) -> bool:
    """Whether the source that could know did not answer; where nobody knows which one that is, any that answers at all.

    One that has failed for every family while another one answered is taken for one that is not there, such as
    Amazon's metadata elsewhere.
    """
    failed = {name for name, failed_family in found.failed if failed_family == family}
    knew = last.source.get(str(family))
    if knew:
        return knew in failed
    return any((name, other) not in found.failed for name in failed for other in FAMILIES)


def with_kept(intent: Intent, present: Iterable[str]) -> tuple[str, ...]:
    """All addresses that the name shall show, given those that it shows."""
    kept = [one for one in present if ipaddress.ip_address(one).version in intent.kept]
    return (*intent.addresses, *kept)


def is_paused(last: State, wanted: Iterable[str], *, now: float) -> bool:
    """Whether the same failed a moment ago. Another address is worth an attempt at once."""
    return bool(last.failures) and now < last.retry_at <= now + LONGEST_PAUSE_SECONDS and last.wanted == tuple(wanted)


def pause_after(failures: int, *, chance: float) -> float:
    """How long to wait after some failures in a row: longer each time, and not all gateways at the same moment.

    :param chance: From 0 to 1.
    """
    bound = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS)
    return bound / 2 + bound / 2 * chance
