# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a gateway finds its public address: the order, the families, and answers that are worth nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import (
    Answer,
    by_hand,
    find_addresses,
    parse_address,
    require_sources,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.interfaces import (
    default_interface,
    interface_answer,
    parse_interfaces,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.metadata import EchoSource, MetadataSource

V4, V6 = "8.8.4.4", "2001:4860:4860::8844"


def source(answers: dict[int, Answer]) -> Callable[[int], Answer]:
    return lambda family: answers.get(family, Answer())


def test_the_first_source_that_has_addresses_of_a_family_decides_that_family() -> None:
    sources = {
        "metadata": source({4: Answer((V4,))}),
        "interface": source({4: Answer(("1.1.1.1",)), 6: Answer((V6,))}),
        "echo": source({6: Answer(("2606:4700::1",))}),
    }
    found = find_addresses(("metadata", "interface", "echo"), sources)
    assert (found.addresses, found.source) == ({4: (V4,), 6: (V6,)}, {4: "metadata", 6: "interface"})
    assert found.problems == ()
    assert find_addresses(("interface", "metadata"), sources).source[4] == "interface"


def test_a_source_that_fails_is_told_apart_from_one_that_has_none() -> None:
    sources = {"metadata": source({4: Answer(problem="broken")}), "interface": source({})}
    found = find_addresses(("metadata", "interface"), sources)
    assert found.addresses == {}
    assert found.failed == frozenset({("metadata", 4)})
    assert found.problems == ("metadata, IPv4: broken",)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::1", "fe80::1", "::ffff:8.8.8.8"],
)
def test_addresses_that_lead_to_nobody_else_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="clients can reach"):
        parse_address(address, private_addresses=True)


@pytest.mark.parametrize("address", ["10.0.0.1", "100.64.0.1", "192.168.0.1", "fd00::1"])
def test_private_addresses_are_let_through_on_request(address: str) -> None:
    assert parse_address(f" {address}\n", private_addresses=True) == address
    with pytest.raises(InputError, match="dns_announce_private_addresses"):
        parse_address(address, private_addresses=False)


def test_addresses_by_hand_win_and_are_canonical() -> None:
    found = by_hand(["2001:4860:4860:0:0::8844", V4, V4])
    assert found.addresses == {4: (V4,), 6: (V6,)}
    assert by_hand([V4]).addresses == {4: (V4,)}
    with pytest.raises(InputError, match="no IP address"):
        by_hand(["8.8.4.4\nwords"])


def test_an_echo_service_that_nobody_named_is_left_out() -> None:
    assert require_sources(["echo", "interface", "interface"], []) == ("interface",)
    with pytest.raises(InputError, match="'dhcp' is none of"):
        require_sources(["dhcp"], [])


class Web:
    """Answers by what is asked."""

    def __init__(self, answers: dict[str, tuple[int, str]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, str], int | None]] = []

    def __call__(self, method: str, url: str, **rest: Any) -> tuple[int, str]:
        self.asked.append((method, url, rest["headers"], rest["family"]))
        if url not in self.answers:
            raise CollectionError("no answer")
        return self.answers[url]


BASE = "http://169.254.169.254/latest/"
TOKEN = {f"{BASE}api/token": (200, "t0ken")}


def test_metadata_are_asked_with_a_token_that_is_fetched_once() -> None:
    web = Web({**TOKEN, f"{BASE}meta-data/public-ipv4": (200, V4), f"{BASE}meta-data/ipv6": (200, V6)})
    ask = MetadataSource("http://169.254.169.254/", ask=web, private_addresses=False)
    assert (ask(4), ask(6)) == (Answer((V4,)), Answer((V6,)))
    assert [method for method, _url, _headers, _family in web.asked] == ["PUT", "GET", "GET"]
    assert web.asked[1][2] == {"X-aws-ec2-metadata-token": "t0ken"}


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({}, "no answer"),
        ({f"{BASE}api/token": (403, "")}, "no token"),
        ({f"{BASE}api/token": (200, "a\r\nb")}, "no token"),
        ({**TOKEN, f"{BASE}meta-data/public-ipv4": (401, "")}, "status 401"),
        ({**TOKEN, f"{BASE}meta-data/public-ipv4": (200, "10.0.0.1")}, "clients can reach"),
        ({**TOKEN, f"{BASE}meta-data/public-ipv4": (200, V6)}, "no IPv4 address"),
        ({**TOKEN, f"{BASE}meta-data/public-ipv4": (200, "<html>")}, "no IP address"),
        ({**TOKEN, f"{BASE}meta-data/public-ipv4": (404, "")}, ""),
    ],
)
def test_metadata_that_are_worth_nothing(answers: dict[str, tuple[int, str]], problem: str) -> None:
    answer = MetadataSource("http://169.254.169.254", ask=Web(answers), private_addresses=False)(4)
    assert answer.addresses == ()
    assert (problem in answer.problem) if problem else not answer.problem


def test_where_there_are_no_metadata_nobody_asks_twice() -> None:
    web = Web({})
    ask = MetadataSource("http://169.254.169.254", ask=web, private_addresses=False)
    assert ask(4).problem == ask(6).problem == "no answer"
    assert len(web.asked) == 1


def test_an_echo_service_is_asked_over_the_family_and_the_next_one_if_it_is_wrong() -> None:
    web = Web({"https://a": (302, ""), "https://b": (200, V6), "https://c": (200, f"{V4}\n")})
    answer = EchoSource(["https://a", "https://b", "https://c"], ask=web, private_addresses=False)(4)
    assert answer == Answer((V4,))
    assert [family for _method, _url, _headers, family in web.asked] == [4, 4, 4]
    problem = EchoSource(["https://a", "https://b"], ask=web, private_addresses=False)(4).problem
    assert "a redirect, which is not followed" in problem
    assert "no IPv4 address" in problem


LINKS: list[dict[str, Any]] = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "scope": "host"}]},
    {
        "ifname": "eth0",
        "addr_info": [
            {"family": "inet", "local": "8.8.4.4", "scope": "global"},
            {"family": "inet", "local": "10.0.0.9", "scope": "global"},
            {"family": "inet6", "local": V6, "scope": "global"},
            {"family": "inet6", "local": "2001:4860:4860::1", "scope": "global", "temporary": True},
            {"family": "inet6", "local": "2001:4860:4860::2", "scope": "global", "deprecated": True},
            {"family": "inet6", "local": "2001:4860:4860::3", "scope": "global", "tentative": True},
            {"family": "inet6", "local": "2001:4860:4860::4", "scope": "global", "dadfailed": True},
            {"family": "inet6", "local": "fd00::1", "scope": "global"},
            {"family": "inet6", "local": "fe80::1", "scope": "link"},
        ],
    },
    {"ifname": "eth1", "addr_info": [{"family": "inet", "local": "1.1.1.1", "scope": "global"}]},
]


def test_an_interface_tells_what_others_can_use() -> None:
    addresses = parse_interfaces(LINKS)
    assert interface_answer(addresses, "eth0", 4, private_addresses=False) == Answer((V4,))
    assert interface_answer(addresses, "eth0", 4, private_addresses=True) == Answer(("10.0.0.9", V4))
    assert interface_answer(addresses, "eth0", 6, private_addresses=False) == Answer((V6,))
    assert interface_answer(addresses, "none", 4, private_addresses=True) == Answer()


def test_the_preferred_default_route_names_the_interface() -> None:
    routes: list[dict[str, Any]] = [
        {"dev": "wlan0", "metric": 600},
        {"dev": "eth0", "metric": 100},
        {"dev": "dead0", "flags": ["linkdown"]},
    ]
    assert default_interface(routes) == "eth0"
    assert default_interface([{"dst": "default", "metric": 1}]) == ""
