"""Listeners become processes, each with its port, its part of the networks and its address plan."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import parse_listeners
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import (
    Process,
    parse_process,
    plan_processes,
)

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"}
TCP: dict[str, Any] = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20"}


def plan(*listeners: dict[str, Any], cores: int = 1) -> tuple[Process, ...]:
    return plan_processes(parse_listeners(listeners), cores)


def test_a_listener_is_one_process_unless_it_is_asked_for_one_per_core() -> None:
    (process,) = plan(UDP, cores=8)
    assert (process.name, process.listener, process.port, process.public_port) == ("udp", "udp", 1194, 1194)
    assert (process.device, str(process.network), process.max_clients) == ("tun-udp", "10.91.0.0/20", 1024)
    assert [one.name for one in plan({**UDP, "per_core": True}, cores=1)] == ["udp"]


def test_one_per_core_divides_ports_networks_and_clients() -> None:
    processes = plan({**UDP, "per_core": True, "network6": "fd00::/64", "max_clients": 1000}, TCP, cores=3)
    assert [(one.name, one.port, one.public_port) for one in processes] == [
        ("udp-1", 1194, 1194),
        ("udp-2", 21196, 1194),
        ("udp-3", 21197, 1194),
        ("tcp", 443, 443),
    ]
    assert [str(one.network) for one in processes[:3]] == ["10.91.0.0/22", "10.91.4.0/22", "10.91.8.0/22"]
    assert [str(one.network6) for one in processes[:3]] == [
        "fd00::/66",
        "fd00::4000:0:0:0/66",
        "fd00::8000:0:0:0/66",
    ]
    assert [one.max_clients for one in processes] == [334, 334, 334, 1024]
    assert {one.device for one in processes} == {"tun-udp-1", "tun-udp-2", "tun-udp-3", "tun-tcp"}


def test_no_device_name_is_longer_than_the_kernel_takes() -> None:
    processes = plan({**UDP, "name": "eightchr", "per_core": True, "network": "10.0.0.0/16"}, cores=200)
    assert len(processes) == 64
    assert max(len(one.device) for one in processes) == 15
    with pytest.raises(InputError, match="at most eight characters"):
        plan({**UDP, "name": "ninechars", "per_core": True})


@pytest.mark.parametrize(
    ("listeners", "complaint"),
    [
        (({**UDP, "per_core": True, "network": "10.91.0.0/28"},), "cannot be divided among 4"),
        (({**UDP, "per_core": True, "reserved": 2000},), "from 0 to 1020"),
        (({**UDP, "per_core": True}, {**UDP, "name": "udp-2", "port": 53, "network": "10.9.0.0/24"}), "name udp-2"),
        (({**UDP, "per_core": True}, {**UDP, "name": "b", "port": 21196, "network": "10.9.0.0/24"}), "port 21196/udp"),
        (({**UDP, "network": "10.91.0.0/16", "network6": "fd00::/112", "per_core": "yes"},), "neither true nor false"),
    ],
)
def test_what_cannot_be_divided_is_refused(listeners: tuple[dict[str, Any], ...], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        plan(*listeners, cores=4)


@pytest.mark.parametrize(
    ("network", "reserved", "dynamic", "static"),
    [
        ("10.91.0.0/24", None, ("10.91.0.2", "10.91.0.190"), ("10.91.0.191", "10.91.0.254")),
        ("10.91.0.0/24", 10, ("10.91.0.2", "10.91.0.244"), ("10.91.0.245", "10.91.0.254")),
        ("10.91.0.0/24", 0, ("10.91.0.2", "10.91.0.254"), None),
        ("10.91.0.0/29", None, ("10.91.0.2", "10.91.0.4"), ("10.91.0.5", "10.91.0.6")),
        ("10.91.0.0/29", 4, ("10.91.0.2", "10.91.0.2"), ("10.91.0.3", "10.91.0.6")),
    ],
)
def test_the_end_of_a_network_is_kept_for_static_addresses(
    network: str, reserved: int | None, dynamic: tuple[str, str], static: tuple[str, str] | None
) -> None:
    (process,) = plan({**UDP, "network": network, "reserved": reserved})
    assert tuple(map(str, process.dynamic_range)) == dynamic
    assert process.static_range == (None if static is None else tuple(map(ipaddress.ip_address, static)))
    for address in process.network:
        kept = static is not None and ipaddress.IPv4Address(static[0]) <= address <= ipaddress.IPv4Address(static[1])
        assert process.is_static(address) == kept


def test_a_network_keeps_one_dynamic_address() -> None:
    with pytest.raises(InputError, match="from 0 to 4"):
        plan({**UDP, "network": "10.91.0.0/29", "reserved": 5})


@pytest.mark.parametrize(
    ("network6", "address", "address6"),
    [
        ("fd00::/64", "10.91.0.2", "fd00::1000"),
        ("fd00::/64", "10.91.0.191", "fd00::10bd"),
        ("fd00::/112", "10.91.0.2", "fd00::2"),
        (None, "10.91.0.2", None),
    ],
)
def test_ipv6_follows_ipv4_as_in_the_pool_of_openvpn(network6: str | None, address: str, address6: str | None) -> None:
    (process,) = plan({**UDP, "network": "10.91.0.0/24", "network6": network6})
    found = process.address6_of(ipaddress.IPv4Address(address))
    assert (None if found is None else str(found)) == address6


def test_every_ipv4_address_has_an_ipv6_address() -> None:
    (widest,) = plan({**UDP, "network": "10.91.0.0/16", "network6": "fd00::/112", "reserved": 0})
    assert widest.network6 is not None
    assert widest.address6_of(widest.dynamic_range[1]) in widest.network6
    divided = plan({**UDP, "network": "10.91.0.0/16", "network6": "fd00::/112", "per_core": True}, cores=4)
    for process in divided:
        assert process.network6 is not None
        assert process.static_range is not None
        assert process.address6_of(process.static_range[1]) in process.network6
    with pytest.raises(InputError, match="fewer addresses"):
        parse_process({**UDP, "network6": "fd00::/120"})


@pytest.mark.parametrize("cores", [1, 3])
def test_a_process_survives_the_way_through_facts(cores: int) -> None:
    listeners = (
        {**UDP, "per_core": True, "network6": "fd00::/64", "reserved": 7, "address": "2001:db8::1"},
        {**TCP, "port_share": "127.0.0.1:4443"},
    )
    for process in plan(*listeners, cores=cores):
        assert parse_process(process.as_dict()) == process


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": None}, "cannot name"),
        ({"name": "../x"}, "cannot name"),
        ({"listener": "x\nup y"}, "control character"),
        ({"public_port": 0}, "port number"),
        ({"script-security": 2}, "unknown key: script-security"),
        ({"network": None}, "not a word"),
    ],
)
def test_a_process_from_elsewhere_is_checked_again(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_process({**UDP, **change})
    with pytest.raises(InputError, match="not a dictionary"):
        parse_process("udp")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"port_share": "127.0.0.1"}, "not like 127.0.0.1:4443"),
        ({"port_share": "web:443"}, "not an IP address"),
        ({"port_share": "::1:4443"}, "takes IPv4"),
        ({"port_share": "127.0.0.1:4443\nup x"}, "control character"),
        ({"port_share": "127.0.0.1:0"}, "port number"),
        ({"port_share": "127.0.0.1:443"}, "the listener itself"),
        ({"protocol": "udp", "port_share": "127.0.0.1:4443"}, "needs the protocol tcp"),
    ],
)
def test_a_bad_neighbour_of_a_port_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        plan({**TCP, **change})
