"""The filters pass on what is right and turn our errors into Ansible's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter import (
    openvpn_gateways,
    openvpn_listeners,
    openvpn_profile,
    openvpn_qr_code,
    openvpn_server_config,
    openvpn_status,
    openvpn_status_report,
    openvpn_totp_uri,
)

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"}


def run(module: Any, *arguments: Any, **options: Any) -> Any:
    ((_name, function),) = module.FilterModule().filters().items()
    return function(*arguments, **options)


def test_listeners_are_completed() -> None:
    assert run(openvpn_listeners, [UDP])[0]["device"] == "tun-udp"
    assert run(openvpn_server_config, UDP, chroot=True).startswith("# Managed by Ansible")


def test_gateways_come_from_the_variables_of_hosts() -> None:
    hosts = {
        "one": {"ansible_host": "192.0.2.1"},
        "two": {"openvpn_public_address": "two.example.net", "openvpn_listeners": [{**UDP, "port": 53}]},
        "three": {"openvpn_second_factor": "totp"},
    }
    found = run(openvpn_gateways, ["one", "two", "three"], hosts, [UDP])
    assert [(one["name"], one["address"], one["listeners"][0]["port"]) for one in found] == [
        ("one", "192.0.2.1", 1194),
        ("two", "two.example.net", 53),
        ("three", "three", 1194),
    ]
    assert [one["second_factor"] for one in found] == [False, False, True]


def test_a_name_follows_a_gateway_and_an_address_does_not() -> None:
    hosts = {
        "one": {"ansible_host": "192.0.2.1", "openvpn_public_address": ""},
        "two": {"ansible_host": "192.0.2.2", "openvpn_public_address": "198.51.100.2"},
        "three": {"ansible_host": "192.0.2.3"},
    }
    names = {"one": "cambridge.example.net", "two": "leeds.example.net"}
    found = run(openvpn_gateways, list(hosts), hosts, [UDP], names)
    assert [one["address"] for one in found] == ["cambridge.example.net", "198.51.100.2", "192.0.2.3"]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (openvpn_listeners, ([{**UDP, "port": 0}],)),
        (openvpn_server_config, ({**UDP, "name": "x\ny"},)),
        (openvpn_profile, ({"common_name": "alice"}, [])),
        (openvpn_gateways, (["one"], {"one": {}}, [])),
        (openvpn_qr_code, ("",)),
        (openvpn_totp_uri, ("alice", "Example", "short")),
        (openvpn_status, ({"one": {"listeners": [{}]}}, 0)),
        (openvpn_status_report, ({},)),
    ],
)
def test_errors_name_the_filter(module: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(AnsibleFilterError, match=module.__name__.rpartition(".")[2]):
        run(module, *arguments)
