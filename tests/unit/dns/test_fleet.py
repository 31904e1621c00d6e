# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the name of the fleet, and that nobody is locked out of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.dns_announcement import dns_announcement
from ansible_collections.privatespace.gateway.plugins.filter.dns_fleet import dns_fleet
from ansible_collections.privatespace.gateway.plugins.filter.dns_names import dns_names
from ansible_collections.privatespace.gateway.plugins.filter.dns_records import dns_records
from ansible_collections.privatespace.gateway.plugins.filter.dns_report import dns_report
from ansible_collections.privatespace.gateway.plugins.filter.dns_tsig_keys import dns_tsig_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.fleet import judge_member

NAME = "vpn.example.net"


def member(*addresses: str, **more: Any) -> dict[str, Any]:
    listeners = [{"name": "udp", "state": "answered"}, {"name": "tcp", "state": "answered"}]
    return {"addresses": list(addresses), "listeners": listeners, "expected_listeners": ["udp", "tcp"], **more}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (member("192.0.2.1"), ""),
        ({}, "it was not reached"),
        (member("192.0.2.1", listeners=None), "it was not reached"),
        (member("192.0.2.1", maintenance=True), "it is in maintenance"),
        (member(), "it has no address"),
        (
            member(
                "192.0.2.1",
                listeners=[{"name": "udp", "state": "answered"}, {"name": "udp-old", "state": "not_running"}],
                expected_listeners=["udp"],
            ),
            "",
        ),
        (member("192.0.2.1", listeners=[], expected_listeners=[]), "no listener runs"),
        (member("192.0.2.1", listeners=[{"name": "udp", "state": "answered"}]), "listener tcp does not answer"),
        (
            member("192.0.2.1", listeners=[{"name": "udp", "state": "silent"}], expected_listeners=["udp"]),
            "listener udp does not answer",
        ),
    ],
)
def test_who_is_fit_for_clients(facts: dict[str, Any], reason: str) -> None:
    assert judge_member(facts) == reason


def test_one_name_shows_the_addresses_of_all_that_are_healthy() -> None:
    members = {"a": member("192.0.2.2", "2001:db8::2"), "b": member("192.0.2.1"), "c": {}}
    plan = dns_fleet(members, NAME, 60)
    assert plan["records"] == [{"name": NAME, "addresses": ["192.0.2.1", "192.0.2.2", "2001:db8::2"], "ttl": 60}]
    assert (plan["healthy"], plan["left_out"]) == (["a", "b"], {"c": "it was not reached"})


def test_gateways_that_a_run_is_not_about_stay_and_addresses_of_nobody_go() -> None:
    others = {"b.example.net": ["192.0.2.2"], "c.example.net": ["192.0.2.3"]}
    present = ["192.0.2.2", "192.0.2.9", "192.0.2.1"]
    plan = dns_fleet({"a": member("192.0.2.11")}, NAME, 60, others=others, present=present)
    # c was not in it and stays out; 192.0.2.1 is what a had before.
    assert plan["records"][0]["addresses"] == ["192.0.2.2", "192.0.2.11"]
    left = dns_fleet({"a": member("192.0.2.11", maintenance=True)}, NAME, 60, others=others, present=present)
    assert left["records"][0]["addresses"] == ["192.0.2.2"]


@pytest.mark.parametrize("weighted", [False, True])
def test_where_nobody_is_left_it_fails_and_names_the_reasons(weighted: bool) -> None:
    members = {"a": {}, "b": member("192.0.2.1", maintenance=True)}
    with pytest.raises(AnsibleFilterError, match=r"record stays as it is .*a: it was not reached; b: it is in maint"):
        dns_fleet(members, NAME, 60, weighted=weighted)


def test_weighted_sets_are_one_for_each_gateway() -> None:
    plan = dns_fleet({"a": member("192.0.2.1", weight=10), "b": {}}, NAME, 60, weighted=True)
    assert plan["records"] == [
        {"name": NAME, "ttl": 60, "set_identifier": "a", "addresses": ["192.0.2.1"], "weight": 10},
        {"name": NAME, "ttl": 60, "set_identifier": "b", "state": "absent"},
    ]


def test_a_gateway_leaves_the_weighted_name_while_others_are_in_it() -> None:
    members = {"a": member("192.0.2.1", maintenance=True)}
    plan = dns_fleet(members, NAME, 60, weighted=True, others={f"{NAME} (b)": ["192.0.2.2"]})
    assert plan["records"] == [{"name": NAME, "ttl": 60, "set_identifier": "a", "state": "absent"}]
    with pytest.raises(AnsibleFilterError, match="a: it is in maintenance"):
        # A record of all gateways is no share of another one.
        dns_fleet(members, NAME, 60, weighted=True, others={f"{NAME} (b)": []})


def test_a_report_names_the_addresses_that_leave_the_fleet() -> None:
    plan = {**dns_fleet({"a": member("192.0.2.1")}, NAME, 60), "changed": True, "before": ["192.0.2.1", "192.0.2.2"]}
    assert dns_report([], {}, fleet=plan)[1:] == ["  left the fleet: 192.0.2.2"]
    assert dns_report([], {}, fleet={**plan, "before": ["192.0.2.1"]})[1:] == []


def test_names_are_those_of_the_authority_or_of_the_inventory() -> None:
    hostvars: dict[str, dict[str, Any]] = {"a": {"dns_label": "ely"}, "b": {"dns_label": "bath"}, "c": {}}
    found = dns_names(["a", "b", "c"], hostvars, {"a": "york.example.net"}, "Example.NET.")
    assert found == {"a": "york.example.net", "b": "bath.example.net"}
    assert dns_names(["a"], hostvars, {}, "") == {}
    with pytest.raises(AnsibleFilterError, match="is a wildcard"):
        dns_names(["a"], {"a": {"dns_label": "*"}}, {}, "example.net")


def test_a_report_names_what_was_changed_and_who_was_not_reached() -> None:
    plan = {**dns_fleet({"a": member("192.0.2.1"), "b": {}}, NAME, 60), "changed": True}
    gateways = [{"gateway": "a", "name": "ely.example.net", "addresses": ["192.0.2.1"]}]
    outcome = {"changed_names": ["ely.example.net"], "verified": True, "seconds": 0.42}
    assert dns_report(gateways, outcome, not_reached=["b"], fleet=plan) == [
        "ely.example.net  changed  192.0.2.1  (a)",
        "b was not reached: its record stays as it is",
        "vpn.example.net  changed  192.0.2.1  (all healthy gateways)",
        "  without b: it was not reached",
        "The name servers answered right after 0.4 s.",
    ]


def test_records_are_gateways_and_names_to_be_removed() -> None:
    assert dns_records(
        [{"gateway": "a", "name": "ely.example.net", "addresses": ["192.0.2.1"]}, "bath.example.net"]
    ) == [
        {"name": "ely.example.net", "addresses": ["192.0.2.1"]},
        {"name": "bath.example.net", "state": "absent"},
    ]
    share = {"name": NAME, "set_identifier": "a"}
    assert dns_records([share]) == dns_records(["a"], sets_of=NAME) == [{**share, "state": "absent"}]


SETTINGS: dict[str, Any] = {
    "name": "ely.example.net", "ttl": 60, "sources": ["interface"], "metadata_url": "http://169.254.169.254",
    "key_file": "/etc/privatespace/dns.key",
    "provider": {"provider": "rfc2136", "zone": "example.net", "servers": ["192.0.2.53"]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": ["dhcp"]}, "dhcp"),
        ({"echo_urls": ["ftp://example.net"]}, "no URL"),
        ({"echo_urls": ["https://user:word@example.net"]}, "without user"),
        ({"metadata_url": ""}, "no URL"),
        ({"interface": "eth0\nup"}, "control character"),
        ({"interface": "../../x"}, "no name of an interface"),
        ({"addresses": ["127.0.0.1"]}, "loopback"),
        ({"ttl": 0}, "TTL"),
        ({"name": "*.example.net"}, "wildcard"),
        ({"provider": {"provider": "rfc2136", "zone": "example.net", "servers": []}}, "name server"),
        ({"key_file": ""}, "TSIG key"),
    ],
)
def test_what_the_program_could_not_work_with_is_refused(changes: dict[str, Any], message: str) -> None:
    assert dns_announcement(SETTINGS) == SETTINGS
    with pytest.raises(AnsibleFilterError, match=message):
        dns_announcement({**SETTINGS, **changes})


def test_keys_of_a_run_join_those_in_place() -> None:
    def key(name: str, letter: str) -> dict[str, Any]:
        return {
            "name": f"{name}.example.net",
            "algorithm": "hmac-sha256",
            "secret": letter * 43 + "=",
            "changed": False,
        }

    names = ["a.example.net", "b.example.net"]
    first = dns_tsig_keys([key("a", "A"), key("b", "B"), key("c", "C")], [], names)
    assert "c.example.net" not in first
    second = dns_tsig_keys([key("a", "D")], [first], names)
    assert ["D" * 43 in second, "A" * 43 in second, "B" * 43 in second] == [True, False, True]
    with pytest.raises(AnsibleFilterError, match="no base64") as caught:
        dns_tsig_keys([{**key("a", "%"), "secret": "%secret%"}], [], names)
    assert "%secret%" not in str(caught.value)
