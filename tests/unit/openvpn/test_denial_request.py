"""What an administrator asks of the register, and what the register is then."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denial_request import parse_request
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Denials, Entry

NOTHING: dict[str, Any] = {
    "state": "present", "users": [], "common_names": [], "serials": {}, "reason": None, "lockdown": "",
    "lockdown_groups": [], "lockdown_except": None,
}  # fmt: skip


def after(*before: str, **asked: Any) -> dict[str, Entry]:
    register = Denials(dict.fromkeys(before, Entry(1, "removal")))
    return dict(parse_request({**NOTHING, **asked}, now=9.7).apply_to(register).entries)


def test_users_and_devices_are_denied_for_a_reason() -> None:
    found = after("users/zoe", users=["al"], common_names=["bob@x"], reason="stolen")
    assert found == {
        "users/zoe": Entry(1, "removal"), "users/al": Entry(9, "stolen"), "devices/bob@x": Entry(9, "stolen"),
    }  # fmt: skip
    assert after(users=["al"]) == {"users/al": Entry(9, "removal")}
    assert after(lockdown="everybody") == {"lockdown/everybody": Entry(9, "lockdown")}


def test_serial_numbers_are_those_that_a_name_waits_for() -> None:
    asked = {"serials": {"al": ["0010", 9, "10"], "bob@x": []}}
    found = after(users=["al"], common_names=["bob@x"], **asked)
    assert found["users/al"].serials == ("9", "10")
    assert found["devices/bob@x"].serials is None


def test_a_denial_that_stands_stays_as_strict_as_it_is() -> None:
    assert after("users/al", users=["al"], serials={"al": ["7"]}) == {"users/al": Entry(1, "removal")}


def test_who_knows_every_certificate_may_replace_what_was_said_for_the_same_reason() -> None:
    asked = {"users": ["al"], "serials": {"al": ["7"]}, "replace": True}
    assert after("users/al", **asked) == {"users/al": Entry(9, "removal", ("7",))}
    stolen = Denials({"users/al": Entry(1, "stolen")})
    found = parse_request({**NOTHING, **asked}, now=9.7).apply_to(stolen)
    assert found.entries["users/al"].serials is None, "somebody keeps it out for another reason"


def test_whom_a_lockdown_spares_is_said_anew_or_not_at_all() -> None:
    before = ("lockdown/everybody", "lockdown/except/al", "users/zoe")
    assert set(after(*before, lockdown="everybody")) == set(before)
    assert set(after(*before, lockdown="everybody", lockdown_except=["bob", "carol@x"])) == {
        "lockdown/everybody", "users/zoe", "lockdown/except/bob", "lockdown/except/carol@x",
    }  # fmt: skip
    assert set(after(*before, lockdown="everybody", lockdown_except=[])) == {"lockdown/everybody", "users/zoe"}
    assert set(after(lockdown="groups", lockdown_groups=["sales", "staff"])) == {
        "lockdown/groups/sales", "lockdown/groups/staff",
    }  # fmt: skip


def test_a_denial_by_name_changes_nothing_about_whom_a_lockdown_spares() -> None:
    before = ("lockdown/everybody", "lockdown/except/al")
    assert set(after(*before, users=["zoe"], lockdown_except=[])) == {*before, "users/zoe"}


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"users": ["al"]}, {"devices/al@x", "lockdown/everybody", "lockdown/groups/sales", "lockdown/except/al"}),
        ({"common_names": ["al@x"]}, {"users/al", "lockdown/everybody", "lockdown/groups/sales", "lockdown/except/al"}),
        ({"lockdown": "everybody"}, {"users/al", "devices/al@x", "lockdown/groups/sales", "lockdown/except/al"}),
        (
            {"lockdown": "groups", "lockdown_groups": ["sales"]},
            {"users/al", "devices/al@x", "lockdown/everybody", "lockdown/except/al"},
        ),
        ({"lockdown": "groups"}, {"users/al", "devices/al@x", "lockdown/everybody", "lockdown/except/al"}),
        ({"users": ["alice"], "lockdown_except": ["al"]}, None),
        ({}, None),
    ],
)
def test_what_is_lifted_is_what_was_named(asked: dict[str, Any], left: set[str] | None) -> None:
    before = {"users/al", "devices/al@x", "lockdown/everybody", "lockdown/groups/sales", "lockdown/except/al"}
    assert set(after(*before, state="absent", **asked)) == (before if left is None else left)


def test_with_the_last_lockdown_goes_whom_it_spared() -> None:
    before = ("lockdown/groups/sales", "lockdown/except/al", "expired", "users/al")
    assert set(after(*before, state="absent", lockdown="groups")) == {"expired", "users/al"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"users": ["al@x"]}, "A user is no name: 'al@x'"),
        ({"users": ["Al"]}, "A user is no name"),
        ({"users": ["../al"]}, "A user is no name"),
        ({"users": ["al\nx"]}, "control character"),
        ({"users": [""]}, "A user is no name"),
        ({"common_names": ["al"]}, "The device in the common name 'al' is no name"),
        ({"common_names": ["@x"]}, "The user in the common name '@x' is no name"),
        ({"common_names": ["al@x@y"]}, "The device in the common name"),
        ({"common_names": ["al@../x"]}, "The device in the common name"),
        ({"common_names": [f"{'a' * 60}@{'b' * 60}"]}, "at most 64 characters"),
        ({"lockdown": "groups"}, "A lockdown of groups needs groups. Name them in lockdown_groups."),
        ({"lockdown_groups": ["sales"]}, "lockdown is not 'groups'"),
        ({"lockdown": "everybody", "lockdown_groups": ["sales"]}, "lockdown is not 'groups'"),
        ({"lockdown": "groups", "lockdown_groups": ["Sales/x"]}, "The name of a group is 'Sales/x'"),
        ({"lockdown_except": ["al"]}, "lockdown_except names whom a lockdown spares, but there is none."),
        ({"lockdown": "everybody", "lockdown_except": ["al/../x"]}, "A user is no name"),
        ({"lockdown": "everybody", "lockdown_except": ["al@"]}, "The device in the common name 'al@' is no name"),
        ({"serials": {"al": ["1"]}}, "serials are given for 'al', who is neither in users nor in common_names."),
        ({"users": ["al"], "serials": {"al": "12"}}, "The serials of 'al' are not a list."),
        ({"users": ["al"], "serials": {"al": ["0x1"]}}, "'0x1' is not a serial number of 'al' in decimal."),
        ({"users": ["al"], "serials": {"al": [-1]}}, "'-1' is not a serial number"),
        ({"users": ["al"], "reason": "a\nb"}, "The reason holds the control character"),
    ],
)
def test_what_nobody_can_mean_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        after(**asked)
    assert message in str(caught.value)


def test_what_is_lifted_is_checked_as_well() -> None:
    for asked in ({"users": ["../al"]}, {"lockdown_groups": ["sales"]}, {"common_names": ["al"]}):
        with pytest.raises(InputError):
            after(state="absent", **asked)
