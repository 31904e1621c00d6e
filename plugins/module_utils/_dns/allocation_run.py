# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that gives names to gateways, or releases them: many in one call, one change of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.allocation import (
    KnownName,
    NamePlan,
    NameStep,
    Rules,
    Wish,
    given_up,
    last_names,
    parse_wishes,
    plan_names,
    plan_release,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import (
    LONGEST_LABEL,
    LONGEST_NAME,
    parse_label,
    parse_zone,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.town_names import Choose, parse_towns

BY_CHANCE = "(a free town)"
LONGEST_ZONE = LONGEST_NAME - LONGEST_LABEL - 1


class NameBook(Protocol):
    """What the store keeps of names."""

    def names(self) -> Sequence[KnownName]: ...

    def change_names(self, changes: Sequence[NameStep]) -> None: ...


@dataclass(frozen=True)
class AllocationRun:
    """One call of ``gateway_name``.

    :param wishes: The gateways that it is about.
    :param present: Whether they are to have names.
    :param choose: Chance; ``None`` in check mode, when it is not asked.
    """

    wishes: Sequence[Wish]
    zone: str
    present: bool
    rules: Rules
    choose: Choose | None

    def decide(self, book: NameBook) -> Change[NameStep]:
        """Look at the names that there are; nothing is written.

        :raises InputError: a name cannot be had.
        :raises StateError: a name belongs, or belonged, to another gateway.
        """
        known = book.names()
        plan = self._plan(known)
        given = {step.gateway: step.label for step in plan.steps if not step.released}
        released = (
            given_up(self.wishes, known, rules=self.rules, steps=plan.steps)
            if self.present
            else last_names(self.wishes, known)
        )
        before = {each.gateway: self._full(each.label) for each in known if each.released_at is None}
        gone = {step.gateway for step in plan.steps if step.released}
        after = {gateway: name for gateway, name in before.items() if gateway not in gone}
        after |= {gateway: self._full(label) for gateway, label in given.items()} | dict.fromkeys(plan.open, BY_CHANCE)
        return Change(
            self._of_wishes(before),
            self._of_wishes(after),
            (*plan.steps, *[NameStep(gateway, "") for gateway in plan.open]),
            {
                "names": self._names(known, plan),
                "allocated": [wish.gateway for wish in self.wishes if wish.gateway in {*given, *plan.open}],
                "released": [self._full(label) for label in released],
            },
        )

    def apply(self, book: NameBook, change: Change[NameStep]) -> Mapping[str, Any]:
        """Store it, all of it or nothing."""
        book.change_names(change.steps)
        return {"names": self._names(book.names(), NamePlan())}

    def _plan(self, known: Sequence[KnownName]) -> NamePlan:
        if self.present:
            return plan_names(self.wishes, known, rules=self.rules, choose=self.choose)
        return plan_release(self.wishes, known)

    def _names(self, known: Sequence[KnownName], plan: NamePlan) -> dict[str, dict[str, Any]]:
        """The names of the gateways of this call, as they will be where it is certain."""
        held = {each.gateway: (each.label, each.since.isoformat()) for each in known if each.released_at is None}
        entries: dict[str, tuple[str, str | None]] = {**held}
        for step in plan.steps:
            if step.released:
                entries.pop(step.gateway, None)
            else:
                entries[step.gateway] = (step.label, None)
        shown = {
            gateway: {"label": label, "fqdn": self._full(label), "since": since}
            for gateway, (label, since) in entries.items()
        }
        return self._of_wishes(shown)

    def _of_wishes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {wish.gateway: values[wish.gateway] for wish in self.wishes if wish.gateway in values}

    def _full(self, label: str) -> str:
        return f"{label}.{self.zone}"


def read_run(options: Mapping[str, Any], *, choose: Choose | None) -> AllocationRun:
    """A run from the options of the module.

    :raises InputError: one of them cannot be accepted.
    """
    zone = parse_zone(options["zone"], what="The option 'zone'")
    if len(zone) > LONGEST_ZONE:
        raise InputError(f"The option 'zone' leaves no room for names: it may have {LONGEST_ZONE} characters.")
    reserved = frozenset(parse_label(label, what="A label of 'reserved'") for label in options["reserved"])
    rules = Rules(parse_towns(options["towns"]), reserved, options["reuse_released"])
    present = options["state"] == "present"
    return AllocationRun(parse_wishes(options["gateways"]), zone, present, rules, choose)
