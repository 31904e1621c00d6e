"""What a server's configuration says, and what it must never say."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import (
    MARKER,
    render_server_config,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_settings

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"}
TCP: dict[str, Any] = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20"}


def lines(listener: dict[str, Any], **settings: Any) -> list[str]:
    return render_server_config(parse_process(listener), parse_settings(settings)).splitlines()


def words(listener: dict[str, Any], **settings: Any) -> set[str]:
    return {line.split()[0] for line in lines(listener, **settings) if line}


@pytest.mark.parametrize("listener", [UDP, TCP])
def test_what_keeps_a_gateway_safe_is_there(listener: dict[str, Any]) -> None:
    rendered = lines(listener)
    assert rendered[0] == MARKER
    for line in (
        "crl-verify /etc/openvpn/server/privatespace/crl.pem",
        "tls-crypt-v2 /etc/openvpn/server/privatespace/tls-crypt-v2-server.key",
        "remote-cert-tls client",
        "tls-version-min 1.2",
        "allow-compression no",
        "dh none",
        "tran-window 120",
        "user nobody",
        "management-client-user root",
        f"management /run/openvpn-server/{listener['name']}.sock unix",
    ):
        assert line in rendered


@pytest.mark.parametrize("listener", [UDP, TCP])
def test_what_would_hurt_is_absent(listener: dict[str, Any]) -> None:
    never = {
        "duplicate-cn", "comp-lzo", "compress", "cipher", "data-ciphers", "fragment", "tun-mtu", "mssfix", "sndbuf",
        "rcvbuf", "script-security", "client-to-client",
    }  # fmt: skip
    assert not never & words(listener)


def test_each_protocol_has_its_own_settings() -> None:
    udp, tcp = words(UDP), words(TCP)
    assert udp - tcp == {"fast-io", "explicit-exit-notify"} | {"#"} & (udp - tcp)
    assert tcp - udp == {"tcp-nodelay"}
    assert "proto udp" in lines(UDP)
    assert "proto tcp-server" in lines(TCP)
    assert "proto udp6" in lines({**UDP, "address": "2001:db8::1"})


@pytest.mark.parametrize(("clients", "burst"), [(10, 100), (2000, 2000)])
def test_everybody_may_come_back_at_once(clients: int, burst: int) -> None:
    assert f"connect-freq-initial {burst} 10" in lines({**UDP, "max_clients": clients})


def test_persist_key_is_left_out_where_it_is_a_warning() -> None:
    assert "persist-key" in lines(UDP, version="2.6")
    assert "persist-key" not in lines(UDP, version="2.7")


def test_a_full_tunnel_leaks_neither_ipv6_nor_names() -> None:
    rendered = lines(UDP, dns_servers=["10.91.0.1"])
    assert 'push "redirect-gateway def1 ipv6"' in rendered
    assert 'push "block-ipv6"' in rendered
    assert 'push "block-outside-dns"' in rendered
    assert 'push "dhcp-option DNS 10.91.0.1"' in rendered
    assert 'push "block-outside-dns"' not in lines(UDP)
    assert 'push "block-ipv6"' not in lines({**UDP, "network6": "fd00::/64"})


def test_a_split_tunnel_asks_only_for_its_domains() -> None:
    rendered = lines(
        UDP, full_tunnel=False, push_routes=["10.20.0.0/16", "fd01::/48"], dns_servers=["10.20.0.53", "fd01::53"],
        dns_domains=["corp.example"],
    )  # fmt: skip
    pushed = [line for line in rendered if line.startswith("push ")]
    assert pushed == [
        'push "explicit-exit-notify 1"',
        'push "route 10.20.0.0 255.255.0.0"',
        'push "route-ipv6 fd01::/48"',
        'push "dhcp-option DNS 10.20.0.53"',
        'push "dhcp-option DNS6 fd01::53"',
        'push "dhcp-option DOMAIN corp.example"',
        'push "dns server 0 address 10.20.0.53 fd01::53"',
        'push "dns search-domains corp.example"',
        'push "dns server 0 resolve-domains corp.example"',
    ]


def test_a_new_key_changes_the_configuration() -> None:
    assert lines(UDP, loaded_files={"server.crt": "00"}) != lines(UDP, loaded_files={"server.crt": "01"})
