# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of Route 53's record sets: what a step means for them, and how many go into one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._dns import records
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import NameStep
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey

# What Route 53 takes in one request.
MOST_VALUES = 1000
MOST_CHARACTERS = 32_000

MARKER_VALUE = f'"{records.MARKER}"'
ADDRESS_TYPES = ("A", "AAAA")
_POLICIES = ("Region", "Failover", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation")

RecordSet = Mapping[str, Any]
ChangeItem = dict[str, Any]


def name_of(record_set: RecordSet) -> str:
    """The name as it is written elsewhere."""
    return str(record_set["Name"]).rstrip(".").lower()


def order_of(name: str) -> str:
    """What Route 53 sorts names by: labels from the right."""
    return "".join(f"{label}." for label in reversed(name.split(".")))


def state_of(key: RecordKey, found: Sequence[RecordSet]) -> NameState:
    """What the record sets of a name mean for one set of addresses.

    :param found: All that the name has.
    """
    own = {one["Type"]: one for one in found if one["Type"] in ADDRESS_TYPES and form_of(one) == _form(key)}
    others = [one for one in found if one["Type"] != "TXT" and one not in own.values()]
    mine = [one for one in others if one["Type"] not in ADDRESS_TYPES or form_of(one) != _form(key)]
    weights = [int(one["Weight"]) for one in own.values() if "Weight" in one]
    return NameState(
        name=key.name,
        addresses=records.canonical(value["Value"] for one in own.values() for value in one["ResourceRecords"]),
        ttl_a=own["A"]["TTL"] if "A" in own else None,
        ttl_aaaa=own["AAAA"]["TTL"] if "AAAA" in own else None,
        marked=any(_is_marker(one) for one in found),
        other_types=tuple(sorted({_kind(one) for one in mine if not _is_neighbour(key, one)})),
        set_identifier=key.set_identifier,
        weight=weights[0] if weights else None,
        neighbours=tuple(sorted({one["SetIdentifier"] for one in others if _is_neighbour(key, one)})),
        seen=tuple(found),
    )


def form_of(record_set: RecordSet) -> str:
    """How Route 53 chooses the record set: ``ALIAS``, ``ROUTED``, ``WEIGHTED`` with its identifier, or ``SIMPLE``."""
    if "AliasTarget" in record_set:
        return records.ALIAS
    if any(policy in record_set for policy in _POLICIES):
        return records.ROUTED
    if "SetIdentifier" in record_set:
        return f"{records.WEIGHTED} {record_set['SetIdentifier']}"
    return records.SIMPLE


def _form(key: RecordKey) -> str:
    return f"{records.WEIGHTED} {key.set_identifier}" if key.set_identifier else records.SIMPLE


def _is_neighbour(key: RecordKey, record_set: RecordSet) -> bool:
    """Whether it is another weighted set, beside the one that is meant."""
    weighted = record_set["Type"] in ADDRESS_TYPES and form_of(record_set).startswith(records.WEIGHTED)
    return weighted and bool(key.set_identifier)


def _kind(record_set: RecordSet) -> str:
    if record_set["Type"] not in ADDRESS_TYPES:
        return str(record_set["Type"])
    return form_of(record_set).partition(" ")[0]


def _is_marker(record_set: RecordSet) -> bool:
    if record_set["Type"] != "TXT" or form_of(record_set) != records.SIMPLE:
        return False
    return MARKER_VALUE in {value["Value"] for value in record_set["ResourceRecords"]}


def changes_for(step: NameStep) -> list[ChangeItem]:
    """What has to be removed, exactly as it was read, and what comes instead: one part without the other is refused."""
    before, after = step.before, step.after
    found: Sequence[RecordSet] = before.seen
    gone = [one for one in found if _is_replaced(one, step)]
    made = [one for one in _wanted_sets(after) if one not in found]
    if before.marked is not after.marked:
        gone += [one for one in found if one["Type"] == "TXT" and form_of(one) == records.SIMPLE]
        made += _texts(found, after)
    return [{"Action": "DELETE", "ResourceRecordSet": one} for one in gone] + [
        {"Action": "CREATE", "ResourceRecordSet": one} for one in made
    ]


def _is_replaced(record_set: RecordSet, step: NameStep) -> bool:
    if record_set["Type"] in ADDRESS_TYPES and form_of(record_set) == _form(step.before.key):
        return record_set not in _wanted_sets(step.after)
    if record_set["Type"] == "TXT" or _is_neighbour(step.before.key, record_set):
        return False
    kind = _kind(record_set)
    return kind in step.before.other_types and kind not in step.after.other_types


def _wanted_sets(state: NameState) -> list[dict[str, Any]]:
    wanted = []
    for kind, addresses, ttl in (("A", state.ipv4, state.ttl_a), ("AAAA", state.ipv6, state.ttl_aaaa)):
        if addresses:
            one: dict[str, Any] = {"Name": f"{state.name}.", "Type": kind}
            if state.set_identifier:
                one.update(SetIdentifier=state.set_identifier, Weight=state.weight)
            wanted.append({**one, "TTL": ttl, "ResourceRecords": [{"Value": address} for address in addresses]})
    return wanted


def _texts(found: Sequence[RecordSet], after: NameState) -> list[dict[str, Any]]:
    """The TXT records of the name, ours among those of others or no longer."""
    there = [one for one in found if one["Type"] == "TXT" and form_of(one) == records.SIMPLE]
    values = [value for one in there for value in one["ResourceRecords"] if value["Value"] != MARKER_VALUE]
    if after.marked:
        values.append({"Value": MARKER_VALUE})
    ttl = there[0]["TTL"] if there else records.MARKER_TTL
    return [{"Name": f"{after.name}.", "Type": "TXT", "TTL": ttl, "ResourceRecords": values}] if values else []


def unique_changes(steps: Iterable[NameStep]) -> list[ChangeItem]:
    """The changes of a batch: what several steps of one name have in common, once, and removals first."""
    found: list[ChangeItem] = []
    for change in (one for step in steps for one in changes_for(step)):
        if change not in found:
            found.append(change)
    return sorted(found, key=lambda one: str(one["Action"]), reverse=True)


def split_steps(steps: Sequence[NameStep]) -> list[list[NameStep]]:
    """As many steps in each part as Route 53 takes at once; what belongs to one name stays together where it can."""
    parts: list[list[NameStep]] = []
    values = characters = 0
    for step in sorted(steps, key=lambda one: one.after.key):
        more_values, more_characters = _size(changes_for(step))
        if not parts or values + more_values > MOST_VALUES or characters + more_characters > MOST_CHARACTERS:
            parts.append([])
            values = characters = 0
        parts[-1].append(step)
        values, characters = values + more_values, characters + more_characters
    return parts


def _size(changes: Iterable[ChangeItem]) -> tuple[int, int]:
    values = [
        value["Value"]
        for one in changes
        for value in one["ResourceRecordSet"].get("ResourceRecords", ({"Value": "alias"},))
    ]
    return len(values), sum(len(value) for value in values)
