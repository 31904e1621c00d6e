# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step means for record sets of Route 53, and how many go into one request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import NameStep
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.route53_changes import (
    changes_for,
    order_of,
    split_steps,
    state_of,
    unique_changes,
)

BATH = "bath.example.net"
KEY = RecordKey(BATH)


def record_set(kind: str, *values: str, ttl: int = 60, **more: Any) -> dict[str, Any]:
    records = [{"Value": value} for value in values]
    return {"Name": f"{BATH}.", "Type": kind, "TTL": ttl, "ResourceRecords": records, **more}


MARK = record_set("TXT", '"heritage=privatespace.gateway"', ttl=300)


def test_what_is_found() -> None:
    found = [record_set("A", "192.0.2.10", "192.0.2.9"), record_set("AAAA", "2001:DB8:0::1", ttl=30), MARK]
    state = state_of(KEY, found)
    assert state == NameState(BATH, ("192.0.2.9", "192.0.2.10", "2001:db8::1"), 60, 30, marked=True)


def test_only_what_differs_is_replaced() -> None:
    found = [record_set("A", "192.0.2.1"), record_set("AAAA", "2001:db8::1"), MARK]
    before = state_of(KEY, found)
    step = NameStep(before, replace(before, addresses=("192.0.2.2", "2001:db8::1")))
    assert changes_for(step) == [
        {"Action": "DELETE", "ResourceRecordSet": found[0]},
        {"Action": "CREATE", "ResourceRecordSet": record_set("A", "192.0.2.2")},
    ]


def test_what_others_wrote_is_deleted_exactly_as_it_was_read() -> None:
    """Else Route 53 refuses, and so it should."""
    found = [record_set("A", "192.0.2.9", "192.0.2.1", ttl=77, HealthCheckId="h")]
    before = state_of(KEY, found)
    step = NameStep(before, replace(before, addresses=(), ttl_a=None))
    assert changes_for(step) == [{"Action": "DELETE", "ResourceRecordSet": found[0]}]


def steps(number: int, *, old: int = 0, new: int = 1) -> list[NameStep]:
    """Steps of names that have some addresses and get others."""
    made = []
    for count in range(number):
        name = f"n{count:04}.example.net"
        values = [{"Value": f"10.0.0.{one}"} for one in range(old)]
        found = [{"Name": f"{name}.", "Type": "A", "TTL": 60, "ResourceRecords": values}] if old else []
        before = state_of(RecordKey(name), found)
        made.append(NameStep(before, replace(before, addresses=tuple(f"10.1.0.{one}" for one in range(new)), ttl_a=60)))
    return made


@pytest.mark.parametrize(
    ("number", "old", "new", "sizes"),
    [
        (1, 0, 1, [1]),
        (1000, 0, 1, [1000]),
        (1001, 0, 1, [1000, 1]),
        (500, 1, 1, [500]),
        (501, 1, 1, [500, 1]),
        (11, 0, 200, [5, 5, 1]),
    ],
)
def test_as_few_requests_as_route_53_allows(number: int, old: int, new: int, sizes: list[int]) -> None:
    assert [len(part) for part in split_steps(steps(number, old=old, new=new))] == sizes


def test_long_values_fill_a_request_sooner() -> None:
    found = [record_set("TXT", f'"{"x" * 9000}"')]
    before = state_of(KEY, found)
    claimed = NameStep(before, replace(before, addresses=("192.0.2.1",), ttl_a=60, marked=True))
    several = [
        NameStep(replace(before, name=f"n{one}.example.net"), replace(claimed.after, name=f"n{one}.example.net"))
        for one in range(3)
    ]
    assert [len(part) for part in split_steps(several)] == [1, 1, 1]


def test_what_sets_of_a_name_have_in_common_is_sent_once() -> None:
    """Two weighted sets take the place of one simple one: it goes once, and the mark comes once."""
    simple = record_set("A", "192.0.2.1")
    made = []
    for identifier in ("a", "b"):
        before = state_of(RecordKey(BATH, identifier), [simple])
        after = replace(before, addresses=("192.0.2.1",), ttl_a=60, weight=1, marked=True, other_types=())
        made.append(NameStep(before, after))
    kinds = [(one["Action"], one["ResourceRecordSet"]["Type"]) for one in unique_changes(made)]
    assert kinds == [("DELETE", "A"), ("CREATE", "A"), ("CREATE", "TXT"), ("CREATE", "A")]


def test_the_order_of_names() -> None:
    names = ["b.example.net", "a-b.example.net", "a.example.net", "x.a.example.net", "a1.example.net"]
    assert sorted(names, key=order_of) == [
        "a-b.example.net", "a.example.net", "x.a.example.net", "a1.example.net", "b.example.net",
    ]  # fmt: skip
