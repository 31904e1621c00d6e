"""Groups, users and addresses: what an administrator may write, and what it means for each device."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.addresses import allocate_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.clients import (
    parse_devices,
    plan_clients,
    unknown_users,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import parse_listeners
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import Policy, parse_policy
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process, plan_processes

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24"}
TCP: dict[str, Any] = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.1.0/24", "per_core": True}
GROUPS = ({"name": "staff", "default": True}, {"name": "sales", "networks": ["10.20.7.0/24"]})


def processes(*listeners: dict[str, Any]) -> tuple[Process, ...]:
    return plan_processes(parse_listeners(listeners or (UDP, TCP)), 2)


def parse(users: Any = (), groups: Any = GROUPS, listeners: Any = (), **settings: Any) -> Policy:
    return parse_policy({"users": users, "groups": groups, "settings": settings}, processes=processes(*listeners))


def plan(users: Any, names: str, **options: Any) -> dict[str, Any]:
    devices = parse_devices([dict(zip(("user", "device"), name.split("@"), strict=True)) for name in names.split()])
    kept = {"udp": {}, **options.pop("kept", {})}
    return {one.common_name: one for one in plan_clients(parse(users, **options), devices, kept=kept)}


@pytest.mark.parametrize(
    ("users", "groups", "reason"),
    [
        ([], [{"name": "a"}], "0 groups have 'default: true'"),
        ([], [{"name": "a", "default": True}, {"name": "b", "default": True}], "2 groups have 'default: true': a, b"),
        ([], [{"name": "a", "default": True}, {"name": "a"}], "The group 'a' is listed twice"),
        ([], [{"name": "A", "default": True}], "The name of a group is 'A'"),
        ([], [{"name": "a" * 33, "default": True}], "at most 32"),
        ([], [{"name": "a", "default": True, "network": []}], "unknown key: network"),
        ([], [{"name": "a", "default": True, "networks": ["10.0.0.1/8"]}], "Group 'a': a network is not"),
        ([], [{"name": "a", "default": True, "push_options": ["up x"]}], "Group 'a': a pushed option is refused"),
        ([{"name": "al", "group": "ghosts"}], GROUPS, "User 'al': there is no group 'ghosts'. Groups: sales, staff."),
        ([{"name": "al"}, {"name": "al"}], GROUPS, "The user 'al' is listed twice"),
        ([{"name": "al", "device": "x"}] * 2, GROUPS, "The user 'al@x' is listed twice"),
        ([{"name": "../etc"}], GROUPS, "is no name: '../etc'"),
        ([{"name": "al", "device": "a/b"}], GROUPS, "is no name: 'a/b'"),
        ([{"name": "al", "device": "a..b"}], GROUPS, "is no name"),
        ([{"name": "al", "devices": []}], GROUPS, "unknown key: devices"),
        ([{"name": "al", "addresses": {"udp": "10.91.0.200"}}], GROUPS, "addresses belong to one device"),
        ([{"name": "al", "networks_behind": ["10.9.0.0/24"]}], GROUPS, "networks_behind belong to one device"),
        (
            [{"name": "al", "device": "x", "addresses": {"udp": "10.91.0.9"}}],
            GROUPS,
            "Those are 10.91.0.191 to 10.91.0.254",
        ),
        ([{"name": "al", "device": "x", "addresses": {"udp": "10.91.0.255"}}], GROUPS, "is not a static address"),
        ([{"name": "al", "device": "x", "addresses": {"udp": "nine"}}], GROUPS, "'nine' is not an IPv4 address"),
        ([{"name": "al", "device": "x", "addresses": {"tcp": "10.91.1.127"}}], GROUPS, "'tcp' runs 2 processes"),
        ([{"name": "al", "device": "x", "addresses": {"wire": "10.91.1.1"}}], GROUPS, "there is no listener 'wire'"),
        (
            [{"name": one, "device": "x", "addresses": {"udp": "10.91.0.200"}} for one in ("al", "bo")],
            GROUPS,
            "al@x and bo@x are both given 10.91.0.200",
        ),
        ([{"name": "al", "device": "x", "networks_behind": ["10.91.0.0/26"]}], GROUPS, "overlaps 10.91.0.0/24"),
        ([{"name": "al", "device": "x", "networks_behind": ["0.0.0.0/0"]}], GROUPS, "everything cannot lie behind it"),
        ([{"name": "al", "device": "x", "networks_behind": ["fd00::/64"]}], GROUPS, "carries no IPv6"),
        (
            [{"name": one, "device": "x", "networks_behind": ["10.9.0.0/24"]} for one in ("al", "bo")],
            GROUPS,
            "10.9.0.0/24, behind bo@x, overlaps 10.9.0.0/24: behind al@x",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(users: Any, groups: Any, reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)):
        parse(users, groups)


def test_a_network_behind_needs_a_tunnel_that_is_one_process() -> None:
    users = [{"name": "al", "device": "router", "networks_behind": ["10.9.0.0/24"]}]
    behind = {name: [str(one) for one in networks] for name, networks in parse(users).client_networks().items()}
    assert behind == {"udp": ["10.9.0.0/24"], "tcp-1": [], "tcp-2": []}
    with pytest.raises(InputError, match="need a listener without per_core"):
        parse(users, listeners=[TCP])


def test_a_device_belongs_to_its_own_group_then_to_that_of_its_user_then_to_the_default() -> None:
    users = [{"name": "al", "group": "sales"}, {"name": "al", "device": "server", "group": "staff"}]
    found = plan(users, "al@phone al@server bo@phone")
    assert {name: one.group.name for name, one in found.items()} == {
        "al@phone": "sales", "al@server": "staff", "bo@phone": "staff",
    }  # fmt: skip
    assert {name: sorted(one.addresses) for name, one in found.items()} == {
        "al@phone": ["tcp-1", "tcp-2", "udp"], "al@server": [], "bo@phone": [],
    }  # fmt: skip
    assert [one.common_name for one in found.values() if one.special] == ["al@phone"]


def test_a_device_is_told_what_its_group_and_its_user_are_told() -> None:
    users = [
        {"name": "al", "group": "sales", "push_routes": ["10.1.0.0/16"]},
        {"name": "al", "device": "x", "push_routes": ["10.2.0.0/16"], "push_options": ["ping 7"]},
    ]
    groups = [
        {"name": "staff", "default": True},
        {"name": "sales", "full_tunnel": False, "push_routes": ["10.0.0.0/16"]},
    ]
    told = plan(users, "al@x", groups=groups)["al@x"].pushes
    assert [str(one) for one in told.routes] == ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]
    assert (told.full_tunnel, told.options) == (False, ("ping 7",))


def test_without_groups_nobody_is_special_by_being_known() -> None:
    found = plan([], "al@x", groups=[])
    assert (found["al@x"].group, found["al@x"].special) == (None, False)


def test_users_without_a_device_are_told() -> None:
    policy = parse([{"name": "al"}, {"name": "al", "device": "x"}, {"name": "bo"}])
    assert unknown_users(policy, parse_devices([{"user": "al", "device": "y"}])) == ["al@x", "bo"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([{"user": "al", "device": "../x"}], "is no name"),
        ([{"user": "al", "device": "x\n"}], "control character"),
        ([{"user": "al", "device": "x", "common_name": "bo@x"}], "is another"),
        ([{"user": "al", "device": "x"}] * 2, "listed twice"),
        ([{"user": "al", "device": "x", "disabled": "no"}], "neither true nor false"),
    ],
)
def test_devices_that_could_not_name_a_file_are_refused(raw: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_devices(raw)


def allocate(names: str, process: Process, *, chosen: Any = (), kept: Any = ()) -> dict[str, str]:
    def parsed(raw: Any) -> dict[str, ipaddress.IPv4Address]:
        return {name: ipaddress.IPv4Address(text) for name, text in dict(raw).items()}

    found = allocate_addresses(names.split(), process=process, chosen=parsed(chosen), kept=parsed(kept))
    assert len(set(found.values())) == len(found)
    assert all(process.is_static(address) for address in found.values())
    return {name: str(address) for name, address in found.items()}


def test_an_address_is_kept_unless_somebody_else_was_given_it() -> None:
    udp = processes()[0]
    kept = {"al": "10.91.0.200", "bo": "10.91.0.201", "ci": "10.91.0.7", "di": "10.91.0.200"}
    found = allocate("al bo ci di", udp, chosen={"ci": "10.91.0.201"}, kept=kept)
    assert (found["al"], found["ci"]) == ("10.91.0.200", "10.91.0.201")


def test_addresses_do_not_depend_on_the_order_or_on_others() -> None:
    udp = processes()[0]
    alone = allocate("al", udp)
    assert allocate("ci al bo", udp) == allocate("bo ci al", udp)
    assert allocate("al bo", udp)["al"] == alone["al"]


def test_every_static_address_can_be_given_out_and_no_more() -> None:
    udp = processes({**UDP, "reserved": 5})[0]
    assert sorted(allocate("a b c d e", udp).values()) == [f"10.91.0.{last}" for last in range(250, 255)]
    with pytest.raises(
        InputError, match=r"'udp' keeps 5 static addresses of 10\.91\.0\.0/24; 6 are needed.*'reserved'"
    ):
        allocate("a b c d e f", udp)
    with pytest.raises(InputError, match="keeps 0 static addresses"):
        allocate("a", processes({**UDP, "reserved": 0})[0])
