# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the last run that kept the CRL fresh, what to say of it, and when to be worried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

_TEXTS = ("problem", "refused_pin", "proven_pin")
_NUMBERS = ("checked_at", "problem_since", "signed_at")


@dataclass(frozen=True)
class KeeperState:
    """As it lies in a file.

    :param checked_at: When the last run ended, in seconds since 1970-01-01 UTC; 0 for never.
    :param problem: What is wrong; empty where nothing is.
    :param problem_since: Since when something is.
    :param warnings: What has to be done some day.
    :param signed_at: When a run of this program signed last; 0 for never.
    :param issuers: Of each authority ``key_label``, ``number``, ``this_update``, ``next_update``, ``revoked_count``.
    :param first_end: Whose CRL ends first, and when: ``issuer``, ``next_update``.
    :param refused_pin: Tells the PIN that the token refused from any other, and nothing of it; empty for none.
    :param proven_pin: Likewise the PIN that it took.
    """

    checked_at: float = 0.0
    problem: str = ""
    problem_since: float = 0.0
    warnings: tuple[str, ...] = ()
    signed_at: float = 0.0
    issuers: tuple[Mapping[str, Any], ...] = ()
    first_end: Mapping[str, Any] | None = None
    refused_pin: str = ""
    proven_pin: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {**asdict(self), "warnings": list(self.warnings), "issuers": [dict(one) for one in self.issuers]}


def parse_state(raw: Any) -> KeeperState:
    """A state that was read; one that is damaged is none."""
    if not isinstance(raw, Mapping):
        return KeeperState()
    try:
        found: dict[str, Any] = {name: str(raw.get(name, "")) for name in _TEXTS}
        found.update({name: float(raw.get(name, 0)) for name in _NUMBERS})
        return KeeperState(
            **found,
            warnings=tuple(map(str, raw.get("warnings", ()))),
            issuers=tuple(dict(one) for one in raw.get("issuers", ())),
            first_end=None if raw.get("first_end") is None else dict(raw["first_end"]),
        )
    except (TypeError, ValueError):
        return KeeperState()


def conclude(last: KeeperState, state: KeeperState, *, now: float, warning_days: int) -> KeeperState:
    """The state of a run that has ended: with what is wrong besides what stopped it, and since when.

    :param state: What the run found, and what stopped it, if anything.
    """
    problem = " ".join(filter(None, (state.problem, judge_end(state.first_end, now=now, warning_days=warning_days))))
    since = (last.problem_since or now) if problem and last.problem else now if problem else 0.0
    return replace(state, checked_at=now, problem=problem, problem_since=since)


def judge_end(first_end: Mapping[str, Any] | None, *, now: float, warning_days: int) -> str:
    """A sentence about the CRL that ends first, where that is too soon; empty where it is not.

    :param first_end: ``issuer`` and ``next_update`` (ISO 8601); ``None`` where there is no CRL at all.
    """
    if first_end is None:
        return ""
    end, moment = datetime.fromisoformat(str(first_end["next_update"])), datetime.fromtimestamp(now, timezone.utc)
    left = end - moment
    if left >= timedelta(days=warning_days):
        return ""
    name, told = first_end["issuer"], f"{end:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta(0):
        return f"The CRL of '{name}' expired at {told}: gateways refuse everybody."
    return f"The CRL of '{name}' expires in {left.days} days, at {told}; from then on gateways refuse everybody."


def news(last: KeeperState, state: KeeperState) -> list[str]:
    """A line for each change, and nothing while all stays as it was."""
    lines = []
    if state.signed_at != last.signed_at:
        lines += [
            f"{one['key_label']}: CRL {one['number']}, {one['revoked_count']} revoked, good until {one['next_update']}"
            for one in state.issuers
        ]
    lines += [warning for warning in state.warnings if warning not in last.warnings]
    if state.problem:
        lines.append(state.problem)
    elif last.problem:
        lines.append("The CRL is as it should be again.")
    return lines


def is_refused(last: KeeperState, pin: str) -> bool:
    """Whether the token has refused this very PIN before.

    :param pin: Tells it from any other; empty where nobody can: such a PIN is tried.
    """
    return bool(pin) and last.refused_pin == pin


def is_unproven(last: KeeperState, pin: str) -> bool:
    """Whether it has to be seen that the token takes this PIN: now, and not in the week in which the CRL is due."""
    return bool(pin) and last.proven_pin != pin
