# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step from the addresses that names show to those that they shall show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import records
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import ForeignRecordError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name_in_zone
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey

HEAVIEST = 255
LONGEST_IDENTIFIER = 128
# Address records of another form: where the name is ours, they are what an earlier run of ours has left.
_OUR_FORMS = frozenset({records.SIMPLE, records.WEIGHTED})
_IN_THE_WAY = _OUR_FORMS | {records.CNAME, records.ALIAS, records.ROUTED}


@dataclass(frozen=True)
class WantedName:
    """What a name shall show.

    :param addresses: Canonical and sorted; empty where nothing shall be there.
    :param present: Whether there shall be anything of ours.
    :param overwrite: Whether somebody else's records may be replaced.
    :param weight: The share of a weighted set of Route 53, or ``None``.
    :param set_identifier: Which of the weighted sets of the name; else empty.
    """

    name: str
    addresses: tuple[str, ...]
    ttl: int
    present: bool = True
    overwrite: bool = False
    weight: int | None = None
    set_identifier: str = ""

    @property
    def key(self) -> RecordKey:
        """The name, and which of its sets."""
        return RecordKey(self.name, self.set_identifier)


@dataclass(frozen=True)
class NameStep:
    """What has to become of one set of addresses."""

    before: NameState
    after: NameState


def parse_wanted(raw: Iterable[Mapping[str, Any]], zone: str, *, weights: bool = False) -> tuple[WantedName, ...]:
    """Check what is asked for, all of it, before anything is sent.

    :param raw: Dictionaries with ``name``, ``addresses``, ``ttl``, ``state``, ``overwrite``, ``weight`` and
        ``set_identifier``.
    :param zone: As ``parse_zone`` returns it.
    :param weights: Whether the provider has weighted sets.
    :raises InputError: for the first that is wrong.
    """
    found: dict[RecordKey, WantedName] = {}
    forms: dict[str, bool] = {}
    for one in raw:
        wanted = _parse_one(one, zone, weights=weights)
        if wanted.key in found:
            raise InputError(f"The name {wanted.name} is listed twice.")
        if forms.setdefault(wanted.name, bool(wanted.set_identifier)) is not bool(wanted.set_identifier):
            raise InputError(f"The name {wanted.name} is listed with a set_identifier and without one.")
        found[wanted.key] = wanted
    return tuple(found.values())


def _parse_one(raw: Mapping[str, Any], zone: str, *, weights: bool) -> WantedName:
    name = parse_name_in_zone(raw.get("name"), zone, what="The name")
    what = f"The name {name}"
    present = raw.get("state", "present") == "present"
    addresses = records.parse_addresses(raw.get("addresses") or (), what=what)
    if present and not addresses:
        raise InputError(f"{what} has no addresses.", remedy="Give at least one, or say state: absent.")
    identifier, weight = _parse_weight(raw, what, present=present, weights=weights)
    return WantedName(
        name=name,
        addresses=addresses if present else (),
        ttl=records.parse_ttl(raw.get("ttl"), what=what),
        present=present,
        overwrite=bool(raw.get("overwrite")),
        weight=weight,
        set_identifier=identifier,
    )


def _parse_weight(raw: Mapping[str, Any], what: str, *, present: bool, weights: bool) -> tuple[str, int | None]:
    identifier, weight = raw.get("set_identifier") or "", raw.get("weight")
    if not identifier and weight is None:
        return "", None
    if not weights:
        raise InputError(f"{what} has a weight or a set_identifier, which only Route 53 knows.")
    require_single_line(identifier, what=f"{what}: the set_identifier")
    if not identifier or len(identifier) > LONGEST_IDENTIFIER:
        raise InputError(f"{what}: the set_identifier has 1 to {LONGEST_IDENTIFIER} characters: '{shown(identifier)}'.")
    if not present:
        return identifier, None
    if not isinstance(weight, int) or not 0 <= weight <= HEAVIEST:
        raise InputError(f"{what}: the weight is not a number from 0 to {HEAVIEST}: '{shown(str(weight))}'.")
    return identifier, weight


def plan_names(wanted: Sequence[WantedName], found: Mapping[RecordKey, NameState], *, marker: bool) -> Change[NameStep]:
    """Decide what is written and removed.

    :param found: What is there, for each of them.
    :param marker: Whether our TXT record tells whose a name is; without it, the addresses found are ours.
    :raises ForeignRecordError: naming each record of somebody else that is in the way; nothing is to be done then.
    """
    delegated = [one.name for one in wanted if records.DELEGATED in found[one.key].other_types]
    if delegated:
        raise ForeignRecordError(
            f"Other name servers answer for {', '.join(delegated)}: it is delegated to them.",
            remedy="Choose another name.",
        )
    complaints = [text for one in wanted for text in _complaints(one, found[one.key], marker=marker)]
    if complaints:
        raise ForeignRecordError(
            " ".join(complaints), remedy="Choose another name, or say overwrite: true to replace what is there."
        )
    left = _sets_left(wanted, found)
    steps = []
    for one in wanted:
        before = found[one.key]
        after = _after(one, before, marker=marker, shared=bool(left[one.name]))
        if after != before:
            steps.append(NameStep(before, after))
    return Change(
        before={_label(step.before): step.before.facts() for step in steps},
        after={_label(step.after): step.after.facts() for step in steps},
        steps=tuple(steps),
        result={"records": [_described(one) for one in wanted], "changed_names": changed_names(steps)},
    )


def changed_names(steps: Iterable[NameStep]) -> list[str]:
    """The names of steps, each once."""
    return list(dict.fromkeys(step.after.name for step in steps))


def _complaints(wanted: WantedName, found: NameState, *, marker: bool) -> list[str]:
    if wanted.overwrite:
        return []
    blocking = [one for one in found.other_types if one in _IN_THE_WAY]
    if found.marked:
        blocking = [one for one in blocking if one not in _OUR_FORMS]
    if blocking:
        return [f"{wanted.name} has records of somebody else: {', '.join(blocking)}."]
    ours = found.marked or not marker or bool(found.set_identifier)
    if not ours and found.addresses and found.addresses != wanted.addresses:
        return [f"{wanted.name} is somebody else's: it shows {', '.join(found.addresses)}."]
    return []


def _sets_left(wanted: Sequence[WantedName], found: Mapping[RecordKey, NameState]) -> dict[str, set[str]]:
    """By name, the weighted sets that there will be."""
    left: dict[str, set[str]] = {one.name: set() for one in wanted}
    for one in wanted:
        if one.set_identifier:
            left[one.name].update(found[one.key].neighbours)
    for one in wanted:
        if one.set_identifier and one.present:
            left[one.name].add(one.set_identifier)
        else:
            left[one.name].discard(one.set_identifier)
    return left


def _after(wanted: WantedName, found: NameState, *, marker: bool, shared: bool) -> NameState:
    marked = (wanted.present or shared) if marker else found.marked
    if not wanted.present and shared and marker:
        marked = found.marked
    return replace(
        found,
        addresses=wanted.addresses,
        ttl_a=wanted.ttl if any(":" not in one for one in wanted.addresses) else None,
        ttl_aaaa=wanted.ttl if any(":" in one for one in wanted.addresses) else None,
        marked=marked,
        other_types=tuple(one for one in found.other_types if one not in _IN_THE_WAY),
        weight=wanted.weight,
    )


def _label(state: NameState) -> str:
    return f"{state.name} ({state.set_identifier})" if state.set_identifier else state.name


def _described(wanted: WantedName) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": wanted.name,
        "addresses": list(wanted.addresses),
        "ttl": wanted.ttl,
        "state": "present" if wanted.present else "absent",
    }
    if wanted.set_identifier:
        described.update(set_identifier=wanted.set_identifier, weight=wanted.weight)
    return described
