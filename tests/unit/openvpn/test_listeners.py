"""Listeners are checked before anything is planned from them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import parse_listeners

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"}
TCP: dict[str, Any] = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20"}


def test_a_listener_is_completed() -> None:
    (listener,) = parse_listeners([UDP])
    assert (listener.max_clients, listener.address, listener.reserved, listener.per_core) == (1024, None, None, False)
    assert parse_listeners([listener.as_dict()]) == (listener,)


@pytest.mark.parametrize(("network", "clients"), [("10.91.0.0/29", 5), ("10.91.0.0/24", 253), ("10.91.0.0/16", 1024)])
def test_nobody_is_promised_an_address_that_the_network_does_not_have(network: str, clients: int) -> None:
    assert parse_listeners([{**UDP, "network": network}])[0].max_clients == clients


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": ""}, "has no name"),
        ({"name": "eleven-char"}, "cannot name"),
        ({"name": "Udp"}, "cannot name"),
        ({"name": "../udp"}, "cannot name"),
        ({"name": "udp\nup /bin/sh"}, "control character"),
        ({"name": ["udp"]}, "not a word"),
        ({"protocol": "sctp"}, "neither udp nor tcp"),
        ({"protocol": "udp\nscript-security 2"}, "control character"),
        ({"port": 0}, "port number"),
        ({"port": 65536}, "port number"),
        ({"port": "1194 "}, "port number"),
        ({"port": "١١٩٤"}, "port number"),
        ({"port": True}, "not a word or a number"),
        ({"network": "10.91.0.1/20"}, "host bits"),
        ({"network": "10.0.0.0/15"}, "/16 to /29"),
        ({"network": "10.0.0.0/30"}, "/16 to /29"),
        ({"network": "fd00::/64"}, "IPv4 network"),
        ({"network6": "10.0.0.0/24"}, "IPv6 network"),
        ({"network6": "fd00::/63"}, "/64 to /112"),
        ({"address": "somewhere"}, "not an IP address"),
        ({"address": "fe80::1%eth0"}, "zone"),
        ({"max_clients": 5000}, "addresses for 1 to 4093"),
        ({"max_clients": 0}, "addresses for"),
        ({"script-security": 2}, "unknown key: script-security"),
    ],
)
def test_a_bad_listener_is_refused_by_name(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_listeners([{**UDP, **change}])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "udp"}, "name udp is used by two"),
        ({"protocol": "udp", "port": 1194}, "port 1194/udp is used by two"),
        ({"network": "10.91.8.0/24"}, "overlap"),
    ],
)
def test_listeners_that_do_not_fit_together_are_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_listeners([UDP, {**TCP, **change}])


def test_ipv6_networks_may_not_overlap_either() -> None:
    with pytest.raises(InputError, match="overlap"):
        parse_listeners([{**UDP, "network6": "fd00::/64"}, {**TCP, "network6": "fd00::/112"}])


def test_one_port_may_serve_both_protocols() -> None:
    assert len(parse_listeners([UDP, {**TCP, "port": 1194}])) == 2


@pytest.mark.parametrize("raw", [[], None, "udp", ["udp"]])
def test_what_is_no_list_of_listeners_is_refused(raw: Any) -> None:
    with pytest.raises(InputError):
        parse_listeners(raw)
