# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of names: the decisions as tables, and whose record is whose."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import (
    WantedName,
    parse_wanted,
    plan_names,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import ForeignRecordError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey

ZONE = "example.net"
BATH = "bath.example.net"
FREE = NameState(BATH)
OURS = NameState(BATH, ("192.0.2.1",), 60, None, marked=True)
THEIRS = NameState(BATH, ("192.0.2.66",), 300, None)
EQUAL = NameState(BATH, ("192.0.2.1",), 60, None)
ALIAS = NameState(BATH, other_types=("CNAME",))
MAIL = NameState(BATH, other_types=("MX",))
ONLY_TEXT = NameState(BATH, marked=True)


def want(*addresses: str, ttl: int = 60, overwrite: bool = False) -> WantedName:
    return WantedName(BATH, addresses, ttl, present=bool(addresses), overwrite=overwrite)


ONE = ("192.0.2.1",)
TABLE = [
    # found, wanted, whether marks count, what it becomes (None: nothing is to be done)
    (FREE, want(*ONE), True, OURS),
    (FREE, want(*ONE), False, EQUAL),
    (FREE, want(), True, None),
    (OURS, want(*ONE), True, None),
    (OURS, want(*ONE, ttl=30), True, NameState(BATH, ONE, 30, None, marked=True)),
    (OURS, want("192.0.2.2", "2001:db8::1"), True, NameState(BATH, ("192.0.2.2", "2001:db8::1"), 60, 60, marked=True)),
    (OURS, want("2001:db8::1"), True, NameState(BATH, ("2001:db8::1",), None, 60, marked=True)),
    (OURS, want(), True, FREE),
    (ONLY_TEXT, want(), True, FREE),
    (EQUAL, want(*ONE), True, OURS),
    (THEIRS, want(*ONE, overwrite=True), True, OURS),
    (THEIRS, want(overwrite=True), True, FREE),
    (THEIRS, want(*ONE), False, EQUAL),
    (EQUAL, want(*ONE), False, None),
    (EQUAL, want(), False, FREE),
    (ALIAS, want(*ONE, overwrite=True), True, OURS),
    (ALIAS, want(overwrite=True), True, FREE),
    (
        NameState(BATH, other_types=("MX",)),
        want(*ONE),
        True,
        NameState(BATH, ONE, 60, marked=True, other_types=("MX",)),
    ),
]


@pytest.mark.parametrize(("found", "wanted", "marker", "expected"), TABLE)
def test_what_becomes_of_a_name(found: NameState, wanted: WantedName, marker: bool, expected: NameState | None) -> None:
    change = plan_names([wanted], {wanted.key: found}, marker=marker)
    assert [step.after for step in change.steps] == ([] if expected is None else [expected])
    assert change.result["changed_names"] == ([] if expected is None else [BATH])
    assert change.needed is (change.before != change.after)


@pytest.mark.parametrize(("found", "wanted", "marker", "expected"), TABLE)
def test_once_is_enough(found: NameState, wanted: WantedName, marker: bool, expected: NameState | None) -> None:
    """What a plan leads to needs no further one."""
    after = expected or found
    assert not plan_names([wanted], {wanted.key: after}, marker=marker).needed


@pytest.mark.parametrize(
    ("found", "wanted", "marker", "message"),
    [
        (THEIRS, want(*ONE), True, "bath.example.net is somebody else's: it shows 192.0.2.66"),
        (THEIRS, want(), True, "it shows 192.0.2.66"),
        (ALIAS, want(*ONE), True, "has records of somebody else: CNAME"),
        (ALIAS, want(*ONE), False, "has records of somebody else: CNAME"),
        (ALIAS, want(), True, "CNAME"),
        (NameState(BATH, marked=True, other_types=("ALIAS",)), want(*ONE), True, "ALIAS"),
        (NameState(BATH, other_types=("NS",)), want(*ONE, overwrite=True), True, "it is delegated to them"),
    ],
)
def test_what_is_refused(found: NameState, wanted: WantedName, marker: bool, message: str) -> None:
    with pytest.raises(ForeignRecordError, match=message):
        plan_names([wanted], {wanted.key: found}, marker=marker)


def test_one_record_of_others_stops_all() -> None:
    other = WantedName("wells.example.net", ONE, 60)
    with pytest.raises(ForeignRecordError, match="bath"):
        plan_names([other, want(*ONE)], {other.key: NameState(other.name), want(*ONE).key: THEIRS}, marker=True)


def weighted(identifier: str, *addresses: str, weight: int = 1) -> WantedName:
    present = bool(addresses)
    return WantedName(BATH, addresses, 60, present, weight=weight if present else None, set_identifier=identifier)


@pytest.mark.parametrize(
    ("found", "wanted", "marked"),
    [
        # the marks after each step: ours until the last set of the name goes
        ({"a": (), "b": ()}, [weighted("a", *ONE), weighted("b", *ONE)], [True, True]),
        ({"a": ("b",)}, [weighted("a")], [True]),
        ({"a": ()}, [weighted("a")], [False]),
        ({"a": ("b",), "b": ("a",)}, [weighted("a"), weighted("b")], [False, False]),
        ({"a": ("b", "c"), "b": ("a", "c")}, [weighted("a"), weighted("b")], [True, True]),
    ],
)
def test_the_mark_of_weighted_sets(
    found: dict[str, tuple[str, ...]], wanted: list[WantedName], marked: list[bool]
) -> None:
    removed = not wanted[0].present
    states = {
        RecordKey(BATH, name): NameState(
            BATH, ONE if removed else (), 60 if removed else None, marked=removed, set_identifier=name,
            weight=1 if removed else None, neighbours=others,
        )
        for name, others in found.items()
    }  # fmt: skip
    steps = plan_names(wanted, states, marker=True).steps
    assert [step.after.marked for step in steps] == marked


def test_another_weight_is_a_change() -> None:
    found = NameState(BATH, ONE, 60, marked=True, set_identifier="a", weight=1)
    key = RecordKey(BATH, "a")
    assert not plan_names([weighted("a", *ONE)], {key: found}, marker=True).needed
    change = plan_names([weighted("a", *ONE, weight=0)], {key: found}, marker=True)
    assert change.after == {f"{BATH} (a)": {"addresses": ["192.0.2.1"], "ttl": {"A": 60}, "ours": True, "weight": 0}}


def test_what_is_asked_for_in_full() -> None:
    raw = [
        {"name": "Bath", "addresses": ["2001:DB8:0::1", "192.0.2.9", "192.0.2.10", "192.0.2.9"], "ttl": 60},
        {"name": "wells.example.net.", "ttl": 30, "state": "absent", "addresses": ["192.0.2.1"]},
    ]
    assert parse_wanted(raw, ZONE) == (
        WantedName(BATH, ("192.0.2.9", "192.0.2.10", "2001:db8::1"), 60),
        WantedName("wells.example.net", (), 30, present=False),
    )


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"name": "*"}, "is a wildcard"),
        ({"name": "a\nb"}, "control character"),
        ({"name": "x" * 300}, "63 characters"),
        ({"name": ZONE}, "is the zone itself"),
        ({"name": "bath.example.org"}, "is not in the zone example.net"),
        ({"name": None}, "is not a word"),
        ({"addresses": []}, r"has no addresses.*state: absent"),
        ({"addresses": ["bath"]}, "'bath' is not an IPv4 or IPv6 address"),
        ({"addresses": [3221225985]}, "is not an IPv4 or IPv6 address"),
        ({"addresses": ["0.0.0.0"]}, "is the unspecified address"),
        ({"addresses": ["::"]}, "is the unspecified address"),
        ({"addresses": ["127.0.0.2"]}, "is an address of the loopback"),
        ({"addresses": ["::1"]}, "is an address of the loopback"),
        ({"addresses": ["224.0.0.1"]}, "is a multicast address"),
        ({"addresses": ["ff02::1"]}, "is a multicast address"),
        ({"addresses": ["169.254.1.1"]}, "is a link-local address"),
        ({"addresses": ["fe80::1"]}, "is a link-local address"),
        ({"addresses": ["2001:db8::1%eth0"]}, "is a link-local address"),
        ({"addresses": ["255.255.255.255"]}, "is a reserved address"),
        ({"addresses": ["::ffff:192.0.2.1"]}, "in the clothes of"),
        ({"addresses": [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(401)]}, "has 401 addresses"),
        ({"ttl": 0}, "from 1 to 604800"),
        ({"ttl": 604801}, "from 1 to 604800"),
        ({"ttl": True}, "from 1 to 604800"),
        ({"weight": 1, "set_identifier": "a"}, "which only Route 53 knows"),
    ],
)
def test_what_cannot_be_wanted(record: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_wanted([{"name": "bath", "addresses": ["192.0.2.1"], "ttl": 60, **record}], ZONE)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "203.0.113.9"])
def test_private_addresses_are_let_through(address: str) -> None:
    assert parse_wanted([{"name": "bath", "addresses": [address], "ttl": 60}], ZONE)[0].addresses == (address,)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"weight": 1}, "the set_identifier has 1 to 128"),
        ({"set_identifier": "a"}, "the weight is not a number from 0 to 255"),
        ({"set_identifier": "a", "weight": 256}, "the weight is not"),
        ({"set_identifier": "a" * 129, "weight": 1}, "1 to 128 characters"),
        ({"set_identifier": "a\nb", "weight": 1}, "control character"),
    ],
)
def test_weights_that_are_wrong(record: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_wanted([{"name": "bath", "addresses": ["192.0.2.1"], "ttl": 60, **record}], ZONE, weights=True)


def test_names_that_are_listed_twice() -> None:
    one = {"name": "bath", "addresses": ["192.0.2.1"], "ttl": 60}
    with pytest.raises(InputError, match="is listed twice"):
        parse_wanted([one, {**one, "name": "BATH.example.net"}], ZONE)
    with pytest.raises(InputError, match="with a set_identifier and without one"):
        parse_wanted([one, {**one, "set_identifier": "a", "weight": 1}], ZONE, weights=True)
