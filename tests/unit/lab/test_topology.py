# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as data: who reaches whom, what a host needs, and the texts that follow."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from privatespace_lab import acme, image, topology
from privatespace_lab.topology import HOSTS, NETWORKS, Action, Actual

BY_NAME = {host.name: host for host in HOSTS}


def test_clients_share_no_network_with_the_outside_world() -> None:
    for client in ("alice", "bob"):
        assert not set(BY_NAME[client].octets) & set(BY_NAME["internet"].octets)
        assert all(network.internal for network in NETWORKS if network.name in BY_NAME[client].octets)


@pytest.mark.parametrize("instance", sorted(topology.SECOND_OCTETS))
def test_every_address_is_unique_and_inside_its_network(instance: str) -> None:
    prefixes = {network.name: ipaddress.ip_network(topology.subnet(instance, network)) for network in NETWORKS}
    hosts = topology.hosts_of(instance)
    pairs = [(topology.address(instance, host, name), prefixes[name]) for host in hosts for name in host.octets]
    assert all(ipaddress.ip_address(address) in prefix for address, prefix in pairs)
    assert len({pair[0] for pair in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("actual", "action"),
    [
        (None, Action.CREATE),
        (Actual("running", "now"), Action.KEEP),
        (Actual("exited", "now"), Action.START),
        (Actual("created", "now"), Action.RECREATE),
        (Actual("running", "before"), Action.RECREATE),
        (Actual("stopping", "now"), Action.RECREATE),
    ],
)
def test_plan_host(actual: Actual | None, action: Action) -> None:
    assert topology.plan_host("now", actual) is action


def test_suites_are_kept_unless_asked_otherwise() -> None:
    suites = topology.parse_suites("alice", "gateway2,bob", {"authority": "trixie", "alice": "trixie"})
    assert suites == {
        **dict.fromkeys(BY_NAME, "bookworm"),
        **dict.fromkeys(("authority", "gateway2", "bob"), "trixie"),
    }


def test_the_benchmark_has_an_authority_and_ten_gateways_and_the_others_are_as_they_were() -> None:
    inventory = topology.build_inventory("bench", Path("/state"))["all"]["children"]
    assert list(inventory["gateways"]["hosts"]) == [f"gateway{number}" for number in range(1, 11)]
    assert inventory["gateways"]["hosts"]["gateway10"]["ansible_host"] == "10.85.3.30"
    assert set(inventory) == {"authority", "gateways"}
    assert topology.hosts_of("demo") == topology.hosts_of("test") == HOSTS
    suites = topology.parse_suites("", "gateway10", {}, hosts=topology.hosts_of("bench"))
    assert (len(suites), suites["gateway10"]) == (11, "trixie")


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(ValueError, match="'gateway9'"):
        topology.parse_suites("", "gateway9", {})


def test_hosts_file_names_only_those_in_reach() -> None:
    text = topology.render_hosts_file("demo", BY_NAME["alice"])
    assert "10.87.1.21 gateway1\n" in text
    assert "internet" not in text
    assert "authority" not in text


def test_inventory_reaches_gateways_by_management_and_offers_them_outside() -> None:
    inventory = topology.build_inventory("test", Path("/state"))
    gateway = inventory["all"]["children"]["gateways"]["hosts"]["gateway2"]
    assert gateway["ansible_host"] == "10.86.3.22"
    assert gateway["openvpn_public_address"] == "10.86.1.22"


def test_every_host_knows_where_the_names_of_gateways_are_kept() -> None:
    common = topology.build_inventory("test", Path("/state"))["all"]["vars"]
    assert (common["dns_zone"], common["dns_servers"]) == ("lab.example", ["10.86.1.53"])
    assert "dns-key" in common["dns_key_secret"], "looked up, not written into the inventory"
    assert not [name for name in topology.build_inventory("bench", Path("/state"))["all"]["vars"] if "dns" in name]


def test_what_lies_beyond_the_gateways_is_not_told_to_users() -> None:
    files = topology.render_name_service("demo", "c2VjcmV0", "search x\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    assert "forwarders { 192.0.2.1; 192.0.2.2; };" in files["etc/bind/named.conf"]
    assert (
        'file "/etc/bind/lab/internet.lab"; allow-query { 127.0.0.0/8; 10.87.3.0/24; };' in files["etc/bind/named.conf"]
    )
    assert [name for name, text in files.items() if "c2VjcmV0" in text] == ["etc/bind/privatespace/controller.key"]
    assert topology.render_resolver("demo", BY_NAME["alice"], "nameserver 192.0.2.1\n") == "nameserver 10.87.1.53\n"


def test_gateways_know_where_certificates_for_web_pages_come_from() -> None:
    gateways = topology.build_inventory("test", Path("/state"))["all"]["children"]["gateways"]["vars"]
    assert gateways["acme_directory"] == "https://acme.outside.example:14000/dir"
    assert gateways["acme_ca_bundle"] == "/state/test/acme-ca.pem"
    zone = topology.render_name_service("test", "", "")["etc/bind/lab/outside.example"]
    assert "\nacme IN A 10.86.1.53\n" in zone
    assert (
        "acme_enabled" not in topology.build_inventory("bench", Path("/state"))["all"]["children"]["gateways"]["vars"]
    )


def test_a_change_of_one_image_leaves_the_hosts_with_another_alone() -> None:
    recipe = "FROM ${BASE} AS client\nRUN one\nFROM client AS internet\nRUN two\nFROM client AS nameserver\nRUN three\n"
    files = {"Containerfile": recipe.encode(), "internet/page": b"1", "nameserver/zone": b"1"}
    before = image.hash_flavours("0", recipe, files)
    assert set(before) == {"base", "client", "internet", "nameserver"}

    def changed(base: str, text: str, more: dict[str, bytes]) -> set[str]:
        return {
            name for name, digest in image.hash_flavours(base, text, files | more).items() if digest != before[name]
        }

    assert changed("0", recipe, {"nameserver/zone": b"2"}) == {"nameserver"}
    assert changed("0", recipe, {"nameserver/more": b""}) == {"nameserver"}
    assert changed("0", recipe.replace("two", "2"), {}) == {"internet"}
    assert changed("0", recipe.replace("one", "1"), {}) == {"client", "internet", "nameserver"}
    assert changed("1", recipe, {}) == set(before)


def test_the_certificate_authority_for_web_pages_has_a_certificate_of_its_own(tmp_path: Path) -> None:
    ca_file, folder = tmp_path / "demo" / "acme-ca.pem", tmp_path / "demo" / "hosts"
    acme.write_acme_certificate(ca_file, folder)
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    own = x509.load_pem_x509_certificate((folder / "acme.crt").read_bytes())
    own.verify_directly_issued_by(ca)
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "acme.outside.example" in names.get_values_for_type(x509.DNSName)
    assert (folder / "acme.key").stat().st_mode & 0o777 == 0o600
    before = (folder / "acme.crt").read_bytes()
    acme.write_acme_certificate(ca_file, folder)
    assert (folder / "acme.crt").read_bytes() == before
    ca_file.unlink()
    acme.write_acme_certificate(ca_file, folder)
    assert (folder / "acme.crt").read_bytes() != before


def test_only_networks_without_a_way_out_carry_ipv6() -> None:
    prefixes = {network.name: topology.subnets("demo", network) for network in topology.NETWORKS}
    assert prefixes["outside"] == ["10.87.1.0/24", "fd00:87:1::/64"]
    assert prefixes["management"] == ["10.87.3.0/24"]
    assert topology.gateway_addresses6("demo") == {"gateway1": "fd00:87:1::21", "gateway2": "fd00:87:1::22"}


def test_one_gateway_carries_ipv6_inside_and_the_other_does_not() -> None:
    gateways = topology.build_inventory("test", Path("/state"))["all"]["children"]["gateways"]["hosts"]
    assert [one["network6"] for one in gateways["gateway1"]["openvpn_listeners"]] == [
        "fd00:86:91::/64",
        "fd00:86:92::/64",
    ]
    assert "openvpn_listeners" not in gateways["gateway2"]


def test_package_sources_are_debians_and_of_the_suite() -> None:
    lines = [
        "http://mirror/debian/ bookworm main Debian",
        "http://mirror/debian/ bookworm main Debian",
        "http://mirror/security/ bookworm-security main Debian",
        "http://other/ bookworm stable Other",
        "http://unread/ bookworm main",
    ]
    expected = "deb http://mirror/debian/ trixie main\ndeb http://mirror/security/ trixie-security main\n"
    assert image.render_sources(lines, "bookworm", "trixie") == expected


def test_pip_configuration_leaves_out_folders_of_the_machine() -> None:
    text = image.render_pip_config(
        "global.index-url='https://index/simple'\nglobal.extra-index-url='file:///x https://y'\n"
    )
    assert "\nindex-url = https://index/simple\nextra-index-url = https://y\n" in text
    assert "file:" not in text
