# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which gateway gets which name, and which name nobody bears any more: decided from values alone.

Profiles in the field name gateways, so a name that was released is not given to another gateway unless that is asked
for: old profiles would silently lead to another gateway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_label
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.town_names import Choose, pick_names

LONGEST_GATEWAY = 255


class KnownName(Protocol):
    """A name that a gateway has (``released_at`` is ``None``), or had."""

    @property
    def gateway(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def since(self) -> datetime: ...

    @property
    def released_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Wish:
    """A gateway, and the name that it is to have; without one it keeps what it has, or gets one."""

    gateway: str
    label: str = ""


@dataclass(frozen=True)
class NameStep:
    """A name is given to a gateway, or released by it.

    :param own: Whether an administrator chose it, and not chance.
    """

    gateway: str
    label: str
    released: bool = False
    own: bool = False


@dataclass(frozen=True)
class Rules:
    """What may be given.

    :param towns: As ``parse_towns`` returns them.
    :param reserved: Labels that no gateway gets.
    :param reuse_released: Whether what one gateway released may go to another.
    """

    towns: Sequence[str]
    reserved: Collection[str] = ()
    reuse_released: bool = False


@dataclass(frozen=True)
class NamePlan:
    """What is to be done.

    :param steps: In order: everything that is released comes first.
    :param open: The gateways for which chance has not decided, because nobody asked it (check mode).
    """

    steps: tuple[NameStep, ...] = ()
    open: tuple[str, ...] = ()


@dataclass
class _Register:
    """The names that are known, and what is going to happen to them."""

    current: dict[str, str]
    holders: Mapping[str, KnownName]
    steps: list[NameStep] = field(default_factory=list)


def parse_wishes(items: Iterable[Mapping[str, Any]]) -> tuple[Wish, ...]:
    """The option ``gateways``.

    :raises InputError: naming what is wrong, or who is named twice.
    """
    wishes = tuple(_parse_wish(item) for item in items)
    _require_different([wish.gateway for wish in wishes], "The gateway '{}' is listed twice.")
    _require_different([wish.label for wish in wishes if wish.label], "Two gateways ask for the name '{}'.")
    return wishes


def _parse_wish(item: Mapping[str, Any]) -> Wish:
    gateway = require_single_line(str(item["name"]), what="The name of a gateway")
    if not gateway or len(gateway) > LONGEST_GATEWAY:
        raise InputError(f"The name of a gateway has 1 to {LONGEST_GATEWAY} characters: '{shown(gateway)}'.")
    label = item.get("label") or ""
    return Wish(gateway, parse_label(label, what=f"The label of the gateway '{shown(gateway)}'") if label else "")


def _require_different(values: Sequence[str], message: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InputError(message.format(shown(value)))
        seen.add(value)


def plan_names(wishes: Sequence[Wish], known: Sequence[KnownName], *, rules: Rules, choose: Choose | None) -> NamePlan:
    """Give every gateway the name that it asks for, and those without a name one of a town.

    :param known: Every name that any gateway has or had.
    :param choose: Chance; ``None`` where it is not to be asked.
    :raises InputError: a name that was asked for is reserved.
    :raises StateError: a name that was asked for belongs, or belonged, to another gateway.
    """
    register = _register(known)
    own = [wish for wish in wishes if wish.label and register.current.get(wish.gateway) != wish.label]
    for wish in own:
        if wish.gateway in register.current:
            _release(register, wish.gateway)
    for wish in own:
        _require_free(wish, register, rules)
        register.steps.append(NameStep(wish.gateway, wish.label, own=True))
    nameless = tuple(wish.gateway for wish in wishes if not wish.label and wish.gateway not in register.current)
    if choose is None:
        return NamePlan(tuple(register.steps), nameless)
    taken = {each.label for each in known if each.released_at is None or not rules.reuse_released}
    taken.update(rules.reserved, (wish.label for wish in own))
    names = pick_names(len(nameless), towns=rules.towns, taken=taken, choose=choose)
    given = [NameStep(gateway, name) for gateway, name in zip(nameless, names)]
    return NamePlan((*register.steps, *given))


def plan_release(wishes: Sequence[Wish], known: Sequence[KnownName]) -> NamePlan:
    """Have the gateways give up their names.

    :raises InputError: a label was given, too.
    """
    register = _register(known)
    for wish in wishes:
        if wish.label:
            raise InputError(
                f"The gateway '{shown(wish.gateway)}' is to have no name, and yet a label: '{shown(wish.label)}'.",
                remedy="Leave 'label' out; the name that it has is released, whichever that is.",
            )
        if wish.gateway in register.current:
            _release(register, wish.gateway)
    return NamePlan(tuple(register.steps))


def last_names(wishes: Sequence[Wish], known: Sequence[KnownName]) -> list[str]:
    """The label that each gateway has, or that it released last; so that a release that broke off can be completed."""
    latest: dict[str, KnownName] = {}
    for each in sorted(known, key=lambda one: (one.released_at is None, one.released_at or one.since)):
        latest[each.gateway] = each
    return [latest[wish.gateway].label for wish in wishes if wish.gateway in latest]


def given_up(
    wishes: Sequence[Wish], known: Sequence[KnownName], *, rules: Rules, steps: Sequence[NameStep]
) -> list[str]:
    """The labels that gateways give up now, or had before: whose records are to go, also where that broke off once.

    What an administrator reserved since then belongs to something else.
    """
    gateways = {wish.gateway for wish in wishes}
    now = [step.label for step in steps if step.released]
    before = [each.label for each in known if each.released_at is not None and each.gateway in gateways]
    kept = {step.label for step in steps if not step.released} | set(rules.reserved)
    return [label for label in dict.fromkeys((*now, *before)) if label not in kept]


def _register(known: Sequence[KnownName]) -> _Register:
    current = {each.gateway: each.label for each in known if each.released_at is None}
    return _Register(current, {each.label: each for each in known})


def _release(register: _Register, gateway: str) -> None:
    register.steps.append(NameStep(gateway, register.current.pop(gateway), released=True))


def _require_free(wish: Wish, register: _Register, rules: Rules) -> None:
    if wish.label in rules.reserved:
        raise InputError(f"The name '{wish.label}' is reserved; the gateway '{wish.gateway}' cannot have it.")
    holder = register.holders.get(wish.label)
    if holder is None or holder.gateway == wish.gateway:
        return
    if register.current.get(holder.gateway) == wish.label:
        raise StateError(
            f"The name '{wish.label}' belongs to the gateway '{holder.gateway}'; '{wish.gateway}' cannot have it.",
            remedy="Choose another label, or release that name first: ansible-playbook "
            f"privatespace.gateway.gateway_release -e gateway_name={holder.gateway}",
        )
    if not rules.reuse_released:
        raise StateError(
            f"The name '{wish.label}' belonged to the gateway '{holder.gateway}', and profiles may still name it.",
            remedy="Choose another label; or, where no such profile is left, allow it: reuse_released of the module, "
            "pki_gateway_names_reuse of the role.",
        )
