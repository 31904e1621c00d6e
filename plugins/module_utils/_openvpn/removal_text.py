# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A removal for a person: what was measured, what is still owed and by whom, and the command that finishes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import RemovalReport

MOST_COMMANDS = 5
PLAYBOOKS = "ansible-playbook privatespace.gateway."


def render_removal_report(report: RemovalReport, *, revoked: Sequence[str], heading: str = "") -> list[str]:
    """What was measured, as lines for a terminal.

    :param revoked: Common names that were revoked, in this run or before.
    :param heading: The first line, in place of that which names them.
    """
    removed = f"Removed: {', '.join(sorted(revoked))}" if revoked else "Nobody was removed; the gateways have the CRL."
    lines = [heading or removed]
    width = max((len(moment.host) for moment in report.moments), default=1)
    lines += [f"  +{moment.seconds:6.2f} s  {moment.host:<{width}}  {moment.text}" for moment in report.moments]
    spans = {
        "First task to last session cut": report.start_to_cut,
        "CRL signed to last session cut": report.signed_to_cut,
        "First task to last proof": report.start_to_proof,
    }
    lines += [f"{what}: {seconds:.2f} s" for what, seconds in spans.items() if seconds is not None]
    lines += list(report.remarks)
    lines += [f"NOT PROVED on {name}: {reason}" for name, reason in report.missing]
    return lines


def render_heading(orders: Mapping[str, Any], subjects: Sequence[str]) -> str:
    """What became of those who were to be removed, where it is not that they are; else empty.

    :param subjects: Users and devices as they were named.
    """
    if orders["is_recorded"] and not orders["is_signed"] and orders["common_names"]:
        return f"Revoked, and in no CRL yet: {', '.join(sorted(orders['common_names']))}"
    if not subjects and not orders["is_signed"] and not orders["common_names"]:
        return "Nobody was removed, and no CRL is signed."
    known = [name for name in subjects if name not in orders["unknown"]]
    return f"To be removed, and not revoked yet: {', '.join(known)}" if known and not orders["is_recorded"] else ""


def render_owed(
    report: RemovalReport, orders: Mapping[str, Any], *, authority: str, subjects: Sequence[str] = ()
) -> list[str]:
    """What is not done, and who has to do it, besides gateways that proved nothing; nothing where all is.

    :param orders: From :class:`~.removal_orders.Orders`, in plain types.
    :param subjects: Users and devices as they were named; empty where nobody was.
    """
    unknown, owed = orders["unknown"], list[str]()
    if not orders["is_signed"] and (subjects or orders["common_names"]):
        state = (
            "The certificates are revoked in its store, but no CRL that lists them is signed"
            if orders["is_recorded"]
            else "No certificate is revoked, and no CRL is signed"
        )
        owed.append(f"OWED by {authority}: {state}: {orders['problem'] or 'it did not say why'}")
        if orders["replaced"]:
            replaced = ", ".join(orders["replaced"])
            owed.append(f"STILL ACCEPTED, with sessions cut: the certificates that were replaced of {replaced}")
    elif not orders["is_signed"] and orders["problem"]:
        owed.append(f"OWED by {authority}: No CRL is signed: {orders['problem']}")
    denied = [name for name in (subjects or orders["deny_names"]) if name not in unknown]
    if report.denying and denied:
        owed.append(f"DENIED by name on {', '.join(report.denying)} meanwhile: {', '.join(denied)}")
    if unknown:
        owed.append(
            f"UNKNOWN to {authority}: {', '.join(unknown)}. There never was such a certificate; look at the spelling."
        )
    return owed


def render_commands(
    orders: Mapping[str, Any],
    *,
    subjects: Sequence[str] = (),
    reason: str = "",
    inventory: Sequence[str] = (),
    missing: Sequence[str] = (),
) -> list[str]:
    """The commands that finish what is owed; no character of a name means anything to a shell.

    :param subjects: Users and devices as ``user_remove`` was given them, ``reason`` likewise; empty where another
        playbook ran.
    :param inventory: Paths of the inventory.
    :param missing: Gateways that proved nothing: they may go on denying who was removed once and was issued again.
    """
    where = "".join(f" -i {shlex.quote(path)}" for path in inventory)
    known = [name for name in subjects if name not in orders["unknown"]]
    if known:
        why = f" -e user_reason={reason}" if reason else ""
        return [f"{PLAYBOOKS}user_remove{where} -e user_names={','.join(known)}{why}"]
    commands = []
    if orders["removed"]:
        commands.append(f"{PLAYBOOKS}user_remove{where} -e user_names={','.join(orders['removed'])}")
    for name in orders["replaced"]:
        user, _at, device = name.partition("@")
        commands.append(f"{PLAYBOOKS}user_add{where} -e user_name={user} -e user_device={device}")
    more = len(commands) - MOST_COMMANDS
    rest = [f"and {more} more like the last one"] if more > 0 else []
    # Last, since the CRL has to keep out first what was removed.
    lifting = f"ansible {shlex.quote(','.join(missing))}{where} {_lifting(orders['admitted'])}"
    return [
        *([*commands[:MOST_COMMANDS], *rest] or [f"{PLAYBOOKS}crl_refresh{where}"]),
        *([lifting] if missing and orders["admitted"] else []),
    ]


def _lifting(names: Sequence[str]) -> str:
    """What Ansible is told to have names denied no more: the playbook, run again, issues nothing and lifts nothing."""
    asked = {
        "state": "absent",
        "users": [name for name in names if "@" not in name],
        "common_names": [name for name in names if "@" in name],
    }
    return f"-b -m privatespace.gateway.openvpn_denial -a {shlex.quote(json.dumps(asked))}"


def render_failure(report: RemovalReport, owed: Sequence[str], commands: Sequence[str]) -> str:
    """Why a playbook has to fail, in some sentences; empty where it need not."""
    missing = ", ".join(name for name, _reason in report.missing)
    told = [*([f"Not proved on {missing}."] if missing else []), *(f"{sentence.rstrip('.')}." for sentence in owed)]
    then = [f"Once that is mended, run: {'; '.join(commands)}"] if commands else []
    return " ".join([*told, *then])


def render_hint(gateways: int, *, forks: int) -> list[str]:
    """That Ansible would reach all gateways at once if it were let; nothing where it does, or nobody knows.

    :param forks: How many hosts Ansible works on at a time; 0 for unknown.
    """
    if not 0 < forks < gateways:
        return []
    hint = f"Hint: Ansible works on {forks} hosts at a time; with --forks {gateways} all gateways are told at once."
    return [hint]
