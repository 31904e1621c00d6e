# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fresh the CRL is at every link on the authority: store, file that is given away, timer, web server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_state import KeeperState, judge_end

# A run that is late by this much more than an interval was left out: a host may be busy, and the timer has jitter.
GRACE_SECONDS = 3600
ACTIVE = "active"


@dataclass(frozen=True)
class IssuerFreshness:
    """The newest CRL of an authority, and the one that is given away.

    :param issuer: The name of the issuer.
    :param number: ``None`` where none was signed yet, as is ``next_update``.
    :param unpublished: How many revocations no CRL lists yet.
    :param published_number: That of the CRL in the file; ``None`` where the file has none that verifies.
    """

    key_label: str
    issuer: str
    number: int | None
    next_update: datetime | None
    revoked_count: int | None
    unpublished: int
    published_number: int | None
    published_next_update: datetime | None

    def as_dict(self, *, now: datetime) -> dict[str, Any]:
        """Plain types."""
        return {
            "key_label": self.key_label,
            "issuer": self.issuer,
            **_crl(self.number, self.next_update, now=now),
            "revoked_count": self.revoked_count,
            "unpublished": self.unpublished,
            "published": _crl(self.published_number, self.published_next_update, now=now),
        }


@dataclass(frozen=True)
class Links:
    """What else was found.

    :param published_path: The file that is given away.
    :param first_end: As in the state of a run: which of all published CRLs ends first.
    :param timer_hours: Every how many hours the timer should come; 0 without one.
    :param units: The state of units by name, where they should be active.
    :param server_problem: What is wrong with the web server's answer; empty where nothing is.
    """

    published_path: str
    first_end: Mapping[str, Any] | None
    timer_hours: int
    units: Mapping[str, str]
    server_problem: str = ""


def judge_freshness(
    issuers: Sequence[IssuerFreshness], links: Links, state: KeeperState, *, now: datetime, warning_days: int
) -> list[str]:
    """A sentence for everything that could let a CRL expire, or keep a revocation from the gateways."""
    found = [sentence for issuer in issuers for sentence in _judge_issuer(issuer, links.published_path)]
    found.append(judge_end(links.first_end, now=now.timestamp(), warning_days=warning_days))
    found += [f"{name} is {word or 'not there'}." for name, word in links.units.items() if word != ACTIVE]
    found.append(links.server_problem)
    found.append(_judge_run(state, links.timer_hours, now=now))
    return list(dict.fromkeys(filter(None, found)))


def unknown_freshness(reason: str) -> dict[str, Any]:
    """What is said of an authority that does not tell."""
    problem = f"How fresh the CRL is on the authority is not known: {reason.rstrip('.')}."
    return {
        "problem": problem,
        "problems": [problem],
        "warnings": [],
        "issuers": [],
        "first_end": None,
        "published_path": "",
        "endpoint": "",
        "timer": {"wanted": False, "active": False, "next": ""},
        "last_run": {"checked_at": None, "signed_at": None, "problem": "", "problem_since": None},
    }


def _judge_issuer(issuer: IssuerFreshness, path: str) -> list[str]:
    label, found = issuer.key_label, []
    if issuer.number is None:
        return [f"The authority '{label}' has signed no CRL yet. Run the playbook crl_refresh."]
    if issuer.unpublished:
        count = issuer.unpublished
        found.append(f"Revocations of '{label}' that no CRL lists yet: {count}. Run the playbook crl_refresh.")
    if issuer.published_number is None:
        found.append(f"{path} holds no CRL of '{label}' that verifies. Run the playbook crl_refresh.")
    elif issuer.published_number != issuer.number:
        found.append(
            f"{path} holds the CRL {issuer.published_number} of '{label}', and {issuer.number} was signed."
            " Run the playbook crl_refresh."
        )
    return found


def _judge_run(state: KeeperState, timer_hours: int, *, now: datetime) -> str:
    if not timer_hours:
        return ""
    if not state.checked_at:
        return "The timer has not had the CRL looked after yet. See: systemctl status privatespace-crl.service"
    if state.problem:
        return state.problem
    late = timedelta(seconds=now.timestamp() - state.checked_at)
    if late > timedelta(hours=2 * timer_hours, seconds=GRACE_SECONDS):
        hours = int(late.total_seconds() // 3600)
        return (
            f"The timer, which comes every {timer_hours} h, last had the CRL looked after {hours} h ago."
            " See: systemctl status privatespace-crl.timer"
        )
    return ""


def _crl(number: int | None, end: datetime | None, *, now: datetime) -> dict[str, Any]:
    left = None if end is None else round((end - now).total_seconds() / 86400, 2)
    return {"number": number, "next_update": end.isoformat() if end else None, "days_left": left}
