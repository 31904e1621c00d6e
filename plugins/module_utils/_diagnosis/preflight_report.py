# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a preflight: what is fit, what is not, and what mends it, for each host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight import (
    AREAS,
    FAILED,
    OK,
    PORTS,
    SYSTEM,
    WARNING,
    Check,
    judge_host,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import (
    Attempt,
    Watch,
    judge_ports,
)

_WORDS = {OK: "ok", WARNING: "warning", FAILED: "FAILED"}


def judge_preflight(answers: Mapping[str, Any], *, skip: Sequence[str] = ()) -> tuple[Check, ...]:
    """The checks of one host.

    :param answers: ``host`` and ``watches`` of the gateway, and ``asked``, what the module returned on each probe, with
        its name as ``item``; empty where the host was not reached.
    :param skip: Areas that are left out.
    """
    if not answers.get("host"):
        cause = "The host did not answer Ansible."
        return (Check(SYSTEM, "host", FAILED, cause, "ansible -m ansible.builtin.ping HOST tells why."),)
    checks = list(judge_host(answers["host"]))
    if answers.get("watches") is None:
        checks.append(
            Check(PORTS, "ports", WARNING, "Not tried: check mode opens no listener.", "Run it without --check.")
        )
    else:
        watches = [Watch(**{**one, "wire": _tuple(one.get("wire"))}) for one in answers["watches"]]
        asked = [one for one in answers.get("asked") or () if not one.get("skipped")]
        checks += judge_ports(watches, [Attempt(**one) for answer in asked for one in answer.get("attempts") or ()])
        checks += [_dumb(one) for one in asked if one.get("attempts") is None]
    return tuple(sorted((one for one in checks if one.area not in skip), key=lambda one: AREAS.index(one.area)))


def _dumb(answer: Mapping[str, Any]) -> Check:
    """A probe that could not ask."""
    cause = f"It could not ask: {answer.get('msg') or 'it does not answer'}"
    return Check(
        PORTS, f"probe {answer.get('item', '')}", WARNING, cause, "Mend it, or take it out of the group probes."
    )


def build_report(hosts: Mapping[str, Mapping[str, Any]], *, skip: Sequence[str] = ()) -> dict[str, Any]:
    """``hosts`` with their checks, ``lines`` for a person, and ``failure``, empty where nothing failed."""
    judged = {name: judge_preflight(answers, skip=skip) for name, answers in sorted(hosts.items())}
    failed = {name: sum(one.state == FAILED for one in checks) for name, checks in judged.items()}
    bad = [f"{name} ({number})" for name, number in failed.items() if number]
    return {
        "hosts": {
            name: {"state": _worst(checks), "checks": [asdict(one) for one in checks]}
            for name, checks in judged.items()
        },
        "lines": [line for name, checks in judged.items() for line in _table(name, checks)],
        "failure": f"Not fit to become a gateway: {', '.join(bad)}. The lines marked FAILED say why." if bad else "",
    }


def _worst(checks: Sequence[Check]) -> str:
    states = {one.state for one in checks}
    return next((state for state in (FAILED, WARNING) if state in states), OK)


def _table(name: str, checks: Sequence[Check]) -> list[str]:
    width = max((len(one.subject) for one in checks), default=0)
    lines = [f"{name}: {_WORDS[_worst(checks)]}"]
    for one in checks:
        text = f"  {_WORDS[one.state]:<8} {one.area:<9} {_printable(one.subject):<{width}}  {_printable(one.cause)}"
        lines.append(f"{text} -> {_printable(one.remedy)}" if one.remedy else text)
    return lines


def _tuple(value: Any) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _printable(text: str) -> str:
    """What other programs said must not move the cursor."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
