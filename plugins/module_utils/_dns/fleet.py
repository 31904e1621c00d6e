# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One name for all healthy gateways: who is in it, and what its records are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import canonical

NOT_REACHED = "it was not reached"


def find_names(
    gateways: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], zone: str
) -> dict[str, str]:
    """The names of gateways, in full: the one that the authority gave, else the label of the inventory.

    A gateway that has neither is left out.
    """
    names = {}
    for gateway in gateways:
        label = hostvars[gateway].get("dns_label") or ""
        name = given.get(gateway) or (f"{label}.{zone}" if label else "")
        if name and zone:
            names[gateway] = name
    return names


def judge_member(facts: Mapping[str, Any]) -> str:
    """Why a gateway is not fit for clients; empty where it is.

    :param facts: With ``maintenance``, ``addresses``, ``listeners`` (what each answered, as
        ``openvpn_session_info`` tells it) and ``expected_listeners`` (names of those that are configured).
    """
    if not facts or facts.get("listeners") is None:
        return NOT_REACHED
    if facts.get("maintenance"):
        return "it is in maintenance"
    if not facts.get("addresses"):
        return "it has no address"
    answered = {one["name"] for one in facts["listeners"] if one["state"] == "answered"}
    # What a configuration that was put aside has left behind is nobody's way in.
    known = set(facts.get("expected_listeners") or {one["name"] for one in facts["listeners"]})
    if not known:
        return "no listener runs"
    silent = sorted(known - answered)
    return f"listener {', '.join(silent)} does not answer" if silent else ""


def plan_fleet(
    members: Mapping[str, Mapping[str, Any]],
    *,
    name: str,
    ttl: int,
    weighted: bool = False,
    others: Mapping[str, Sequence[str]] | None = None,
    present: Sequence[str] = (),
) -> dict[str, Any]:
    """Decide what the name of the fleet shows.

    :param members: The gateways that were to be asked in this run; the facts of one that was not reached are empty.
    :param weighted: One weighted record set for each gateway, as Route 53 has them, instead of one for all.
    :param others: The addresses of the gateways that this run is not about: what the name shows of them stays. With
        weights those of their sets.
    :param present: What the name shows now.
    :raises StateError: nobody would be left, and everybody would be locked out.
    """
    left_out = {gateway: reason for gateway, facts in members.items() if (reason := judge_member(facts))}
    healthy = [gateway for gateway in members if gateway not in left_out]
    of_others = {one for some in (others or {}).values() for one in some}
    kept = sorted(of_others) if weighted else [one for one in present if one in of_others]
    if not healthy and not kept:
        why = "; ".join(f"{gateway}: {reason}" for gateway, reason in left_out.items())
        raise StateError(
            f"No gateway is fit for {name}, so its record stays as it is and may lead nowhere ({why}).",
            remedy="Mend one of them and run the playbook dns_update again.",
        )
    if weighted:
        records = [
            _weighted(gateway, members[gateway], name, healthy=gateway in healthy, ttl=ttl) for gateway in members
        ]
    else:
        shown = canonical([*kept, *(one for gateway in healthy for one in members[gateway]["addresses"])])
        records = [{"name": name, "addresses": list(shown), "ttl": ttl}]
    return {"name": name, "healthy": healthy, "left_out": left_out, "kept": kept, "records": records}


def _weighted(gateway: str, facts: Mapping[str, Any], name: str, *, healthy: bool, ttl: int) -> dict[str, Any]:
    record: dict[str, Any] = {"name": name, "ttl": ttl, "set_identifier": gateway}
    if not healthy:
        return {**record, "state": "absent"}
    return {**record, "addresses": list(facts["addresses"]), "weight": int(facts.get("weight", 0))}


def render_report(
    gateways: Sequence[Mapping[str, Any]],
    *,
    outcome: Mapping[str, Any],
    not_reached: Sequence[str] = (),
    fleet: Mapping[str, Any] | None = None,
) -> list[str]:
    """What a run did, for a terminal.

    :param gateways: With ``gateway``, ``name`` and ``addresses``.
    :param outcome: What ``dns_address`` returned.
    :param fleet: What :func:`plan_fleet` returned, with ``changed``, ``verified``, and ``before``: the addresses that
        the name showed.
    """
    changed = set(outcome.get("changed_names") or ())
    widest = max((len(one["name"]) for one in gateways), default=0)
    lines = [
        f"{one['name'].ljust(widest)}  {'changed' if one['name'] in changed else 'unchanged'}  "
        f"{', '.join(one['addresses'])}  ({one['gateway']})"
        for one in gateways
    ]
    lines += [f"{gateway} was not reached: its record stays as it is" for gateway in not_reached]
    if fleet:
        state = "changed" if fleet.get("changed") else "unchanged"
        shown = canonical(address for record in fleet["records"] for address in record.get("addresses", ()))
        lines.append(f"{fleet['name']}  {state}  {', '.join(shown)}  (all healthy gateways)")
        lines += [f"  without {gateway}: {reason}" for gateway, reason in fleet["left_out"].items()]
        left = [one for one in fleet.get("before") or () if one not in shown]
        lines += [f"  left the fleet: {', '.join(left)}"] if left else []
    if outcome.get("verified"):
        lines.append(f"The name servers answered right after {float(outcome.get('seconds') or 0):.1f} s.")
    return lines
