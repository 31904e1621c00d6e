"""What the firewall is made of, and how an administrator reads it. That it works: tests/integration/openvpn."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_firewall import openvpn_firewall
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_foreign_firewalls import openvpn_foreign_firewalls
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_policy import openvpn_policy

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24"}
TCP: dict[str, Any] = {
    "name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.1.0/24", "network6": "fd00:92::/64",
}  # fmt: skip
STAFF: dict[str, Any] = {"name": "staff", "default": True, "networks": None, "addresses": [], "addresses6": []}
SALES: dict[str, Any] = {"name": "sales", "networks": ["10.20.7.0/24"], "addresses": ["10.91.0.200"]}


def block(text: str, name: str) -> list[str]:
    """The lines of a chain or a set."""
    found = re.search(rf"^\t{re.escape(name)} {{\n(.*?)^\t}}", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no {name}"
    return [line.strip() for line in found.group(1).splitlines()]


def test_a_table_replaces_only_itself() -> None:
    lines = openvpn_firewall([UDP], table="mine").splitlines()
    assert [line for line in lines if line.startswith(("table", "delete", "flush", "add"))] == [
        "table inet mine",
        "delete table inet mine",
        "table inet mine {",
    ]


def test_what_is_not_asked_for_is_not_there() -> None:
    text = openvpn_firewall([UDP], masquerade=False)
    assert not [word for word in ("masquerade", "maxseg", "newcomers", "dnat", "group-", "dport") if word in text]


def test_groups_are_told_apart_by_sets_of_addresses() -> None:
    text = openvpn_firewall([UDP], groups=[STAFF, SALES])
    assert "elements = { 10.91.0.200 }" in block(text, "set group-sales-v4")
    assert not [line for line in block(text, "set group-sales-v6") if "elements" in line]
    rules = block(text, "chain from-clients")
    assert rules[-1] == "goto group-staff"
    assert rules.index("ip saddr @group-sales-v4 goto group-sales") < len(rules) - 1
    assert block(text, "chain group-sales")[-1].startswith("counter drop")
    assert block(text, "chain group-staff")[-1] == "accept"


def test_a_tunnel_without_ipv6_lets_none_out() -> None:
    rules = block(openvpn_firewall([UDP, TCP]), "chain spoofing")
    assert 'iifname "tun-udp" meta nfproto ipv6 counter drop comment "no address of this tunnel"' in rules
    assert 'iifname "tun-tcp" ip6 saddr != { fd00:92::/64 } counter drop comment "no address of this tunnel"' in rules


def test_only_the_processes_of_one_listener_share_its_port() -> None:
    several = [
        {**UDP, "name": f"udp-{number}", "listener": "udp", "port": port, "public_port": 1194, "network": network}
        for number, port, network in ((1, 1194, "10.91.0.0/25"), (2, 21196, "10.91.0.128/25"))
    ]
    rules = block(openvpn_firewall([*several, TCP]), "chain spread")
    assert len(rules) == 3
    assert all("udp dport 1194 dnat to :jhash" in rule and "map { 0 : 1194, 1 : 21196 }" in rule for rule in rules[1:])
    bound = [{**one, "address": "192.0.2.1"} for one in several]
    assert [("ip daddr 192.0.2.1" in rule) for rule in block(openvpn_firewall(bound), "chain spread")[1:]] == [True]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"groups": [{**SALES, "name": "a { }"}]}, "nftables does not take"),
        ({"groups": [{**SALES, "addresses": ["10.0.0.1; flush ruleset"]}]}, "not a network"),
        ({"table": "x\n"}, "control character"),
        ({"tcp_ports": ["53, 54"]}, "not a port"),
        ({"max_segment_size": "1380 accept"}, "not a whole number"),
        ({"handshakes_per_second": -1}, "from 0 to"),
        ({"handshake_burst": 0}, "from 1 to"),
        ({"rules": []}, "unknown key"),
    ],
)
def test_what_nftables_could_not_take_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"openvpn_firewall: .*{reason}"):
        openvpn_firewall([UDP], **options)


def test_other_firewalls_are_told_with_the_commands_that_open_them() -> None:
    assert openvpn_foreign_firewalls([UDP, TCP], firewalld=False, ufw=False) == []
    lines = openvpn_foreign_firewalls([UDP, TCP], firewalld=True, ufw=True)
    assert "  firewall-cmd --permanent --add-port=1194/udp" in lines
    assert "  ufw allow 443/tcp" in lines
    assert "  ufw route allow in on tun-udp" in lines


def test_ufw_sees_the_inner_ports_and_firewalld_the_public_one() -> None:
    second = {**UDP, "name": "udp-2", "listener": "udp", "port": 21196, "public_port": 1194}
    assert "  ufw allow 21196/udp" in openvpn_foreign_firewalls([second], firewalld=False, ufw=True)
    assert not [line for line in openvpn_foreign_firewalls([second], firewalld=True, ufw=False) if "21196" in line]


def test_the_networks_behind_devices_are_known_before_anything_is_touched() -> None:
    users = [{"name": "site", "device": "router", "networks_behind": ["192.168.7.0/24"]}]
    assert openvpn_policy([UDP, TCP], users=users) == {"client_networks": {"udp": ["192.168.7.0/24"], "tcp": []}}
    with pytest.raises(AnsibleFilterError, match="openvpn_policy: 0 groups"):
        openvpn_policy([UDP], groups=[{"name": "a"}])
