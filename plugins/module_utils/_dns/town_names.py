# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names made of towns: ``cambridge``, and for the second gateway of that town ``cambridge2``.

A town is used again only when every other one is used as often.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import LONGEST_LABEL, parse_label
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.towns import TOWNS

DIGITS = "0123456789"
ROOM_FOR_NUMBER = 6
LONGEST_TOWN = LONGEST_LABEL - ROOM_FOR_NUMBER

# Takes one out of several towns, at least one.
Choose = Callable[[Sequence[str]], str]


def parse_towns(values: Sequence[Any] | None) -> tuple[str, ...]:
    """The towns of a company's own list, each once; without a list those that this collection brings.

    :raises InputError: naming the one that is no name of a host, too long, or ends in a digit.
    """
    return tuple(dict.fromkeys(_parse_town(value) for value in values)) if values else TOWNS


def _parse_town(value: Any) -> str:
    town = parse_label(value, what="A town of 'towns'")
    if len(town) > LONGEST_TOWN:
        raise InputError(
            f"A town of 'towns' is longer than {LONGEST_TOWN} characters, which leave no room for a number: "
            f"'{shown(town)}'."
        )
    if town[-1] in DIGITS:
        raise InputError(
            f"A town of 'towns' ends in a digit, which tells the second gateway of a town: '{shown(town)}'.",
            remedy="Leave the digit out; the numbers come by themselves.",
        )
    return town


def pick_names(count: int, *, towns: Sequence[str], taken: Collection[str], choose: Choose) -> list[str]:
    """Names that are not taken, of towns that are used least.

    :param towns: At least one, as :func:`parse_towns` returns them.
    :param taken: Every name that is not to be had.
    :param choose: Says which one of the towns that are used least.
    """
    held = set(taken)
    used = Counter(label.rstrip(DIGITS) for label in held)
    by_use: dict[int, list[str]] = {}
    for town in towns:
        by_use.setdefault(used[town], []).append(town)
    names: list[str] = []
    while len(names) < count:
        fewest = min(by_use)
        town = choose(by_use[fewest])
        by_use[fewest].remove(town)
        if not by_use[fewest]:
            del by_use[fewest]
        by_use.setdefault(fewest + 1, []).append(town)
        names.append(_first_free(town, held))
        held.add(names[-1])
    return names


def _first_free(town: str, held: Collection[str]) -> str:
    name, number = town, 1
    while name in held:
        number += 1
        name = f"{town}{number}"
    return name


def choose_by_seed(seed: str) -> Choose:
    """Always the same one for a seed, whatever their order.

    Every town has its rank for the seed (rendezvous hashing): another one is chosen only where that one is gone, or
    where a new one ranks higher.
    """
    return partial(min, key=lambda town: hashlib.sha256(f"{seed}\0{town}".encode()).digest())
