"""What dnsmasq and stubby are told, and what they are never told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_config import (
    render_config,
    render_hosts,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_settings import parse_resolver
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_values import reverse_zones
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.stubby_config import render_stubby

ROOT_KEYS = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
ROOT_KEYS += ". 172800 IN DS 38696 8 2 683D2D0A CB8C9B71\n"
TLS = {"upstreams": [{"address": "9.9.9.9", "name": "dns.quad9.net"}], "ca_file": "/etc/ssl/ca.pem"}


def config(**settings: Any) -> list[str]:
    lines = render_config(parse_resolver({"upstreams": ["9.9.9.9"], **settings})).splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_by_default_it_listens_on_tunnels_and_loopback_and_asks_the_named_servers() -> None:
    assert config(upstreams=["9.9.9.9", "2620:fe::fe", "10.0.0.1#5300", "9.9.9.9"]) == [
        "no-resolv", "no-hosts", "port=53", "bind-dynamic", "interface=tun-*", "except-interface=lo",
        "listen-address=127.0.0.1", "listen-address=::1", "server=9.9.9.9#53", "server=2620:fe::fe#53",
        "server=10.0.0.1#5300", "fast-dns-retry=500,5000", "addn-hosts=/etc/privatespace/dnsmasq.hosts",
        "servers-file=/etc/privatespace/dnsmasq.blocklist", "domain-needed", "bogus-priv", "stop-dns-rebind",
        "cache-size=2000", "dns-forward-max=1000", "edns-packet-max=1232", "log-facility=-",
    ]  # fmt: skip


def test_local_names_split_domains_and_exceptions() -> None:
    lines = config(
        local_domain="Corp.Example.", rebind_domains=["lan.example"],
        domains=[
            {"domain": "ad.example", "servers": ["10.20.0.1", "10.20.0.2#54"]},
            {"domain": "10.20.0.0/15", "servers": ["10.20.0.1"]},
        ],
    )  # fmt: skip
    assert {
        "server=/ad.example/10.20.0.1#53", "server=/ad.example/10.20.0.2#54",
        "server=/20.10.in-addr.arpa/10.20.0.1#53", "server=/21.10.in-addr.arpa/10.20.0.1#53",
        "local=/corp.example/", "domain=corp.example", "expand-hosts",
    } <= set(lines)  # fmt: skip
    assert [line for line in lines if line.startswith("rebind")] == [
        f"rebind-domain-ok=/{name}/"
        for name in ("corp.example", "ad.example", "20.10.in-addr.arpa", "21.10.in-addr.arpa", "lan.example")
    ]


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ({"all_upstreams_at_once": True}, "all-servers"),
        ({"log_queries": True}, "log-queries=extra"),
        ({"cache_size": 0}, "cache-size=0"),
        ({"concurrent_queries": "77"}, "dns-forward-max=77"),
        ({"tcp_connections": "200"}, "max-tcp-connections=200"),
        ({"interfaces": ["wg0"]}, "interface=wg0"),
        ({"dnssec": True, "root_keys": ROOT_KEYS}, "dnssec"),
        ({"dnssec": True, "root_keys": ROOT_KEYS}, "trust-anchor=.,38696,8,2,683D2D0ACB8C9B71"),
        ({"dnssec": True, "root_keys": ROOT_KEYS}, "dnssec-timestamp=/var/lib/privatespace-dns/timestamp"),
        ({"dhcp_upstreams": True, "network_servers": ["10.0.0.2"]}, "server=10.0.0.2#53"),
    ],
)
def test_each_setting_is_a_line_that_is_not_there_by_default(setting: dict[str, Any], line: str) -> None:
    assert line in config(**setting)
    assert line not in config()


def test_what_dhcp_gave_is_not_asked_unless_wanted() -> None:
    assert "server=10.0.0.2#53" not in config(network_servers=["10.0.0.2"])


def test_with_tls_stubby_alone_is_asked() -> None:
    assert [line for line in config(tls=True) if line.startswith("server=")] == ["server=127.0.0.1#5335"]


def test_without_rebind_protection_there_are_no_exceptions() -> None:
    lines = config(rebind_protection=False, rebind_domains=["lan.example"])
    assert not [line for line in lines if "rebind" in line]


def test_local_names_have_every_address() -> None:
    hosts = [{"name": "Wiki.corp.example", "addresses": ["10.20.0.7", "fd00:0::7"]}]
    text = render_hosts(parse_resolver({"upstreams": ["9.9.9.9"], "hosts": hosts}))
    assert text.splitlines()[1:] == [
        "127.0.0.1 localhost", "::1 localhost", "10.20.0.7 wiki.corp.example", "fd00::7 wiki.corp.example",
    ]  # fmt: skip


ANCHOR = {"domain": "a.example", "key_tag": 1, "algorithm": 13, "digest_type": 2, "digest": "ab" * 32}
HOSTILE = [
    ({"upstreams": []}, "dnsmasq_upstreams is empty"),
    ({"upstreams": [], "dhcp_upstreams": True}, "the network gives none"),
    ({"upstreams": "9.9.9.9"}, "not a list"),
    ({"upstreams": ["9.9.9"]}, "not an IP address"),
    ({"upstreams": ["9.9.9.9\nconf-file=/etc/shadow"]}, "control character"),
    ({"upstreams": ["9.9.9.9@eth0"]}, "not an IP address"),
    ({"upstreams": ["fe80::1%eth0"]}, "not the address of a host"),
    ({"upstreams": ["9.9.9.9#0"]}, "from 1 to 65535"),
    ({"upstreams": ["127.0.0.53"]}, "ask itself"),
    ({"upstreams": ["0.0.0.0"]}, "not the address of a host"),
    ({"tls": True, "dhcp_upstreams": True}, "in clear"),
    ({"interfaces": ["*"]}, "the whole world"),
    ({"interfaces": []}, "dnsmasq_interfaces is empty"),
    ({"interfaces": ["tun0,conf-file=x"]}, "not the name of a network device"),
    ({"interfaces": ["a" * 16]}, "not the name of a network device"),
    ({"local_domain": "*.example"}, "wildcard"),
    ({"local_domain": "a/conf-file=/etc/shadow"}, "may hold a-z"),
    ({"domains": [{"domain": f"{'a' * 300}.example", "servers": ["10.0.0.1"]}]}, "longer than the 63"),
    ({"domains": [{"domain": "a.example/#/1.2.3.4", "servers": ["10.0.0.1"]}]}, "not a network"),
    ({"domains": [{"domain": "a.example\n", "servers": ["10.0.0.1"]}]}, "control character"),
    ({"domains": [{"domain": "a.example", "servers": []}]}, "has no server"),
    ({"domains": [{"domain": "a.example"}]}, "has no 'servers'"),
    ({"domains": [{"domain": "a.example", "servers": ["10.0.0.1"], "x": 1}]}, "unknown key 'x'"),
    ({"domains": [{"domain": "0.0.0.0/0", "servers": ["10.0.0.1"]}]}, "too many"),
    ({"domains": [{"domain": "10.20.0.1/16", "servers": ["10.0.0.1"]}]}, "host bits"),
    ({"domains": [{"domain": "a.b", "servers": ["10.0.0.1"]}], "local_domain": "a.b"}, "Take one away"),
    ({"domains": ["a.example"]}, "not a mapping"),
    ({"hosts": [{"name": "a b", "addresses": ["10.0.0.1"]}]}, "may hold a-z"),
    ({"hosts": [{"name": "a.example", "addresses": []}]}, "no address"),
    ({"hosts": [{"name": "a.example", "addresses": ["10.0.0.256"]}]}, "not an IP address"),
    ({"hosts": [{"name": "a.example", "addresses": "10.0.0.1"}]}, "not a list"),
    ({"rebind_domains": ["a,b"]}, "may hold a-z"),
    ({"cache_size": -1}, "from 0 to 1000000"),
    ({"cache_size": True}, "not a word"),
    ({"concurrent_queries": 0}, "from 1 to 100000"),
    ({"log_queries": "yes"}, "neither true nor false"),
    ({"dnssec": True}, "no key of the root"),
    ({"dnssec": True, "trust_anchors": [ANCHOR]}, "no key of the root"),
    ({"folder": "/etc/../x"}, "not an absolute path"),
    ({"folder": "/etc/a b"}, "not an absolute path"),
    ({"conf-file": "/etc/shadow"}, "unknown setting"),
    (
        {"dnssec": True, "trust_anchors": [{**ANCHOR, "digest": "zz"}]},
        "not hexadecimal",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "words"), HOSTILE)
def test_what_would_become_something_else_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("*", r"\*")):
        config(**settings)


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("10.0.0.0/8", ("10.in-addr.arpa",)),
        ("192.0.2.64/26", tuple(f"{last}.2.0.192.in-addr.arpa" for last in range(64, 128))),
        ("fd00:87::/32", ("7.8.0.0.0.0.d.f.ip6.arpa",)),
        ("192.0.2.1/32", ("1.2.0.192.in-addr.arpa",)),
    ],
)
def test_networks_have_reverse_zones(network: str, zones: tuple[str, ...]) -> None:
    assert reverse_zones(network, what="It") == zones


def test_stubby_asks_nobody_whose_certificate_is_not_for_the_name() -> None:
    settings = yaml.safe_load(render_stubby(TLS))
    assert settings["tls_authentication"] == "GETDNS_AUTHENTICATION_REQUIRED"
    assert settings["dns_transport_list"] == ["GETDNS_TRANSPORT_TLS"]
    assert settings["listen_addresses"] == ["127.0.0.1@5335"]
    assert settings["tls_ca_file"] == "/etc/ssl/ca.pem"
    assert settings["upstream_recursive_servers"] == [
        {"address_data": "9.9.9.9", "tls_auth_name": "dns.quad9.net", "tls_port": 853}
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"upstreams": []}, "dnsmasq_tls_upstreams is empty"),
        ({"upstreams": [{"address": "9.9.9.9"}]}, "has no 'name'"),
        ({"upstreams": [{"address": "9.9.9.9", "name": "a\ntls_authentication: none"}]}, "control"),
        ({"ca_file": "/etc/x\n"}, "control"),
        ({"ca_file": "ca.pem"}, "absolute"),
        ({"port": 0}, "from 1"),
    ],
)  # fmt: skip
def test_stubby_is_told_nothing_odd(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        render_stubby({**TLS, **change})
