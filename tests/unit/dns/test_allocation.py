# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which gateway gets which name: decided from values, and every refusal with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.gateway_fqdns import gateway_fqdns
from ansible_collections.privatespace.gateway.plugins.filter.gateway_wishes import gateway_wishes
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.allocation import (
    NameStep,
    Rules,
    Wish,
    last_names,
    parse_wishes,
    plan_names,
    plan_release,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.allocation_run import AllocationRun, read_run

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOWNS = ("cambridge", "oxford", "york")


@dataclass(frozen=True)
class Known:
    gateway: str
    label: str
    released_at: datetime | None = None
    since: datetime = NOON


@dataclass
class Book:
    known: list[Known] = field(default_factory=list)

    def names(self) -> Sequence[Known]:
        return self.known

    def change_names(self, changes: Sequence[NameStep]) -> None:
        self.known += [Known(change.gateway, change.label) for change in changes if not change.released]


def first(towns: Sequence[str]) -> str:
    return towns[0]


def planned(wishes: dict[str, str], known: Sequence[Known] = (), **rules: Any) -> tuple[NameStep, ...]:
    asked = [Wish(gateway, label) for gateway, label in wishes.items()]
    return plan_names(asked, known, rules=Rules(TOWNS, **rules), choose=first).steps


HAS, HAD = Known("gw1", "cambridge"), Known("gw1", "cambridge", NOON)


def test_who_has_none_gets_one_and_who_has_one_keeps_it() -> None:
    steps = planned({"gw1": "", "gw2": "", "gw3": ""}, [Known("gw2", "cambridge"), Known("gone", "oxford")])
    assert steps == (NameStep("gw1", "york"), NameStep("gw3", "cambridge2"))
    assert planned({"gw1": ""}, [HAS]) == ()


def test_an_own_name_is_kept_when_the_wish_is_gone() -> None:
    assert planned({"gw1": ""}, [Known("gw1", "headquarters")]) == ()


def test_an_own_name_replaces_the_one_of_a_town_and_is_not_given_to_others() -> None:
    steps = planned({"gw1": "oxford", "gw2": ""}, [HAS])
    assert steps == (
        NameStep("gw1", "cambridge", released=True),
        NameStep("gw1", "oxford", own=True),
        NameStep("gw2", "york"),
    )
    assert planned({"gw1": "cambridge"}, [HAS]) == ()


def test_a_released_name_goes_to_nobody_else() -> None:
    assert planned({"gw2": ""}, [HAD]) == (NameStep("gw2", "oxford"),)
    with pytest.raises(StateError, match=r"belonged to the gateway 'gw1'.*reuse_released"):
        planned({"gw2": "cambridge"}, [HAD])


def test_a_released_name_goes_on_where_that_is_allowed() -> None:
    assert planned({"gw2": ""}, [HAD], reuse_released=True) == (NameStep("gw2", "cambridge"),)
    assert planned({"gw2": "cambridge"}, [HAD], reuse_released=True) == (NameStep("gw2", "cambridge", own=True),)


def test_a_gateway_may_ask_for_what_it_had_and_gets_another_by_chance() -> None:
    assert planned({"gw1": "cambridge"}, [HAD]) == (NameStep("gw1", "cambridge", own=True),)
    assert planned({"gw1": ""}, [HAD]) == (NameStep("gw1", "oxford"),)


def test_a_name_of_another_gateway_is_refused_with_the_command_that_frees_it() -> None:
    for rules in ({}, {"reuse_released": True}):
        with pytest.raises(StateError, match=r"belongs to the gateway 'gw1'.*gateway_release -e gateway_name=gw1"):
            planned({"gw2": "cambridge"}, [HAS], **rules)


def test_names_change_hands_in_one_call_only_where_that_is_allowed() -> None:
    known, wishes = [HAS, Known("gw2", "oxford")], {"gw1": "oxford", "gw2": "cambridge"}
    with pytest.raises(StateError, match="belonged to"):
        planned(wishes, known)
    steps = planned(wishes, known, reuse_released=True)
    assert [step.released for step in steps] == [True, True, False, False]


def test_reserved_names_are_given_to_nobody() -> None:
    assert planned({"gw1": ""}, reserved=("cambridge",)) == (NameStep("gw1", "oxford"),)
    with pytest.raises(InputError, match="'vpn' is reserved"):
        planned({"gw1": "vpn"}, reserved=("vpn",))


def test_without_chance_nothing_is_made_up() -> None:
    plan = plan_names([Wish("gw1"), Wish("gw2", "hq")], [], rules=Rules(TOWNS), choose=None)
    assert (plan.steps, plan.open) == ((NameStep("gw2", "hq", own=True),), ("gw1",))


def test_releasing_is_only_for_those_that_have_one() -> None:
    wishes = [Wish("gw1"), Wish("unknown")]
    assert plan_release(wishes, [HAS]).steps == (NameStep("gw1", "cambridge", released=True),)
    assert plan_release(wishes, [HAD]).steps == ()
    with pytest.raises(InputError, match="Leave 'label' out"):
        plan_release([Wish("gw1", "cambridge")], [HAS])


def test_what_was_released_last_is_told_again() -> None:
    earlier = Known("gw1", "york", NOON - timedelta(days=1))
    assert last_names([Wish("gw1"), Wish("gw2")], [HAD, earlier]) == ["cambridge"]
    assert last_names([Wish("gw1")], [Known("gw1", "oxford"), HAD]) == ["oxford"]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{"name": "gw1"}, {"name": "gw1"}], "'gw1' is listed twice"),
        ([{"name": "gw1", "label": "hq"}, {"name": "gw2", "label": "HQ"}], "Two gateways ask for the name 'hq'"),
        ([{"name": ""}], "1 to 255 characters"),
        ([{"name": "x" * 300}], r"1 to 255 characters.*300 characters"),
        ([{"name": "gw1\nx"}], "control character"),
        ([{"name": "gw1", "label": "x" * 300}], "gateway 'gw1' is longer than the 63"),
        ([{"name": "gw1", "label": "*"}], "wildcard"),
        ([{"name": "gw1", "label": "a\nb"}], "control character"),
    ],
)
def test_gateways_that_are_refused(items: list[dict[str, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_wishes(items)


def run_of(*gateways: str, choose: Any = first, **options: Any) -> AllocationRun:
    settings = {"zone": "Example.NET.", "state": "present", "towns": TOWNS, "reserved": [], "reuse_released": False}
    items = [dict(zip(("name", "label"), gateway.split("="), strict=False)) for gateway in gateways]
    return read_run({"gateways": items, **settings, **options}, choose=choose)


def test_a_run_tells_what_it_found_and_what_it_did() -> None:
    run, book = run_of("gw1=hq", "gw2"), Book([HAS, Known("other", "oxford")])
    change = run.decide(book)
    assert change.before == {"gw1": "cambridge.example.net"}
    assert change.after == {"gw1": "hq.example.net", "gw2": "york.example.net"}
    assert change.result["allocated"] == ["gw1", "gw2"]
    assert change.result["released"] == ["cambridge.example.net"]
    book.known.remove(HAS)
    assert run.apply(book, change)["names"]["gw2"] == {
        "label": "york", "fqdn": "york.example.net", "since": "2026-11-22T12:00:00+00:00"
    }  # fmt: skip
    again = run.decide(book)
    assert (again.steps, again.result["allocated"], again.result["released"]) == ((), [], [])
    assert again.before == again.after


def test_names_that_were_given_up_are_told_again_until_somebody_has_them() -> None:
    hers = Known("gw1", "hq")
    change = run_of("gw1=hq", "gw2").decide(Book([HAD, hers, Known("gw2", "york"), Known("gone", "oxford", NOON)]))
    assert (change.needed, change.result["released"]) == (False, ["cambridge.example.net"])
    assert run_of("gw1=hq", reserved=["cambridge"]).decide(Book([HAD, hers])).result["released"] == []
    back = run_of("gw1=cambridge").decide(Book([HAD, hers]))
    assert (back.needed, back.result["released"]) == (True, ["hq.example.net"])


def test_check_mode_names_no_town() -> None:
    change = run_of("gw1", "gw2=hq", choose=None).decide(Book())
    assert change.needed
    assert change.after == {"gw1": "(a free town)", "gw2": "hq.example.net"}
    assert change.result["names"] == {"gw2": {"label": "hq", "fqdn": "hq.example.net", "since": None}}
    assert change.result["allocated"] == ["gw1", "gw2"]


def test_a_release_can_be_completed() -> None:
    run = run_of("gw1", state="absent")
    change = run.decide(Book([HAS]))
    assert (change.needed, change.after, change.result["released"]) == (True, {}, ["cambridge.example.net"])
    assert change.result["names"] == {}
    again = run.decide(Book([HAD]))
    assert (again.needed, again.result["released"]) == (False, ["cambridge.example.net"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zone": "*.example.net"}, "wildcard"),
        ({"zone": "net"}, "top-level"),
        ({"zone": "example.net\n"}, "control character"),
        ({"zone": ".".join(["x" * 63] * 3)}, "leaves no room for names"),
        ({"zone": ""}, "empty"),
        ({"towns": ["york\nwww"]}, "control character"),
        ({"reserved": ["*"]}, "wildcard"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CollectionError, match=message):
        run_of("gw1", **options)


def test_wishes_come_from_the_variables_of_the_gateways() -> None:
    hostvars: dict[str, dict[str, Any]] = {"gw1": {"dns_label": "hq"}, "gw2": {"dns_label": None}, "gw3": {}}
    assert [item["label"] for item in gateway_wishes(list(hostvars), hostvars)] == ["hq", "", ""]


def test_full_names_of_those_that_have_one() -> None:
    names = {"gw1": {"label": "york"}, "other": {"label": "oxford"}}
    assert gateway_fqdns(names, "Example.net", ["gw1", "gw2"]) == {"gw1": "york.example.net"}
    with pytest.raises(AnsibleFilterError, match=r"gateway_fqdns: .*wildcard"):
        gateway_fqdns(names, "*.net", ["gw1"])
    with pytest.raises(AnsibleFilterError, match="not the names of gateway_name"):
        gateway_fqdns({"gw1": {}}, "example.net", ["gw1"])
