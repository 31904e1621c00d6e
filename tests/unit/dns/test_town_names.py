# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of towns: which are free, in which round, and which one a seed gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.town_name import FilterModule
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.town_names import (
    choose_by_seed,
    parse_towns,
    pick_names,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.towns import TOWNS

THREE = ("cambridge", "oxford", "york")


def first(towns: Sequence[str]) -> str:
    return towns[0]


def chance(seed: int = 1) -> Any:
    return random.Random(seed).choice  # noqa: S311 - no secret hangs on it


def town_name(*arguments: Any, **options: Any) -> str:
    return str(FilterModule().filters()["town_name"](*arguments, **options))


def test_every_town_once_and_then_with_a_number() -> None:
    names = pick_names(8, towns=THREE, taken=(), choose=chance())
    assert sorted(names[:3]) == ["cambridge", "oxford", "york"]
    assert sorted(names[3:6]) == ["cambridge2", "oxford2", "york2"]
    assert set(names[6:]) < {"cambridge3", "oxford3", "york3"}


def test_chance_decides_among_those_that_are_free() -> None:
    firsts = {pick_names(1, towns=THREE, taken=("york",), choose=chance(seed))[0] for seed in range(50)}
    assert firsts == {"cambridge", "oxford"}


@pytest.mark.parametrize(
    ("taken", "names"),
    [
        (["cambridge"], ["oxford", "york", "cambridge2"]),
        (["cambridge2"], ["oxford", "york", "cambridge"]),
        (["cambridge", "oxford", "york", "cambridge2"], ["oxford2", "york2", "cambridge3"]),
        (["cambridge", "cambridge3", "oxford", "york"], ["oxford2", "york2", "cambridge2"]),
        (["headquarters"], ["cambridge", "oxford", "york"]),
    ],
)
def test_what_is_taken_is_never_given_again(taken: list[str], names: list[str]) -> None:
    assert pick_names(3, towns=THREE, taken=taken, choose=first) == names


def test_one_town_is_enough() -> None:
    assert pick_names(3, towns=("cambridge",), taken=(), choose=first) == ["cambridge", "cambridge2", "cambridge3"]


def test_thousands_are_all_different() -> None:
    names = pick_names(5000, towns=TOWNS, taken=("cambridge", "york7"), choose=chance())
    assert len({*names, "cambridge", "york7"}) == 5002


def test_a_list_of_a_company_is_read_in_lower_case_and_once() -> None:
    assert parse_towns(["Cambridge", "york", "cambridge"]) == ("cambridge", "york")
    assert parse_towns([]) == parse_towns(None) == TOWNS


@pytest.mark.parametrize(
    ("town", "message"),
    [
        ("cambridge\nwww", "control character"),
        ("*", "wildcard"),
        ("site1", "ends in a digit"),
        ("x" * 300, "longer than the 63"),
        ("x" * 58, "no room for a number"),
        ("a.b", "may hold a-z"),
        ("", "is empty"),
        (None, "is not a word"),
    ],
)
def test_towns_that_are_refused(town: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_towns(["york", town])


def test_the_filter_gives_a_seed_its_name() -> None:
    name = town_name("vpn1")
    assert name in TOWNS
    assert town_name("vpn1", []) == name
    assert len({town_name(f"vpn{number}") for number in range(100)}) > 80
    assert town_name("vpn1", towns=["Cambridge"]) == "cambridge"
    assert town_name("vpn1", ["cambridge"], towns=["cambridge"]) == "cambridge2"


def test_a_seed_keeps_its_name_when_others_take_theirs() -> None:
    name, other = town_name("vpn1"), town_name("vpn2")
    assert town_name("vpn1", [other]) == name
    assert town_name("vpn1", [name]) not in (name, f"{name}2")
    assert choose_by_seed("vpn1")(TOWNS) == choose_by_seed("vpn1")(TOWNS[::-1]) == name


@pytest.mark.parametrize(("taken", "towns"), [(["a b"], None), ([], ["york\n"])])
def test_the_filter_says_what_is_wrong(taken: list[str], towns: list[str] | None) -> None:
    with pytest.raises(AnsibleFilterError, match="town_name: A"):
        town_name("vpn1", taken, towns)
