"""What clients are told, and what nobody gets to tell them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.push_options import (
    LONGEST_LINE,
    parse_push_option,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.pushes import (
    PushPolicy,
    parse_push_policy,
    render_pushes,
)


def policy(**raw: Any) -> PushPolicy:
    return parse_push_policy(raw, base=PushPolicy(), what="The gateway")


def pushed(*, carries_ipv6: bool = False, **raw: Any) -> list[str]:
    lines = render_pushes(policy(**raw), carries_ipv6=carries_ipv6)
    assert all(line.startswith('push "') and line.endswith('"') for line in lines)
    return [line[len('push "') : -1] for line in lines]


def test_a_full_tunnel_leaks_neither_ipv6_nor_names() -> None:
    told = pushed(dns_servers=["10.91.0.1"])
    assert told == [
        "redirect-gateway def1 ipv6",
        "block-ipv6",
        "block-outside-dns",
        "dhcp-option DNS 10.91.0.1",
        "dns server 0 address 10.91.0.1",
    ]
    assert "block-ipv6" not in pushed(carries_ipv6=True)
    assert "block-outside-dns" not in pushed()


def test_a_search_domain_does_not_open_a_hole_in_a_full_tunnel() -> None:
    """On iOS a DOMAIN limits the tunnel's resolvers to that domain."""
    told = pushed(dns_servers=["10.91.0.1"], dns_domains=["corp.example"])
    assert "dhcp-option DOMAIN corp.example" not in told
    assert not [one for one in told if "resolve-domains" in one]
    assert {"dhcp-option DOMAIN-SEARCH corp.example", "dns search-domains corp.example"} <= set(told)


def test_a_split_tunnel_asks_only_for_its_domains() -> None:
    told = pushed(
        full_tunnel=False, push_routes=["10.20.0.0/16", "fd01::/48"], dns_servers=["10.20.0.53", "fd01::53"],
        dns_domains=["corp.example"],
    )  # fmt: skip
    assert told == [
        "route 10.20.0.0 255.255.0.0",
        "route-ipv6 fd01::/48",
        "dhcp-option DNS 10.20.0.53",
        "dhcp-option DNS6 fd01::53",
        "dhcp-option DOMAIN corp.example",
        "dhcp-option DOMAIN-SEARCH corp.example",
        "dns server 0 address 10.20.0.53 fd01::53",
        "dns search-domains corp.example",
        "dns server 0 resolve-domains corp.example",
    ]


def test_the_gateways_own_resolver_has_its_address_in_each_tunnel() -> None:
    own = [ipaddress.ip_address("10.91.16.1"), ipaddress.ip_address("fd00:92::1")]
    lines = render_pushes(policy(dns_servers=["gateway", "10.91.16.1"]), carries_ipv6=True, own=own)
    assert 'push "dns server 0 address 10.91.16.1 fd00:92::1"' in lines
    assert 'push "dhcp-option DNS6 fd00:92::1"' in lines
    assert 'push "block-outside-dns"' in lines


def test_a_split_tunnel_without_domains_leaves_the_names_to_the_clients_resolver() -> None:
    assert pushed(full_tunnel=False, dns_servers=["10.20.0.53"]) == []


def test_the_local_network_is_blocked_on_request() -> None:
    assert pushed(block_local=True)[0] == "redirect-gateway def1 ipv6 block-local"
    assert pushed(block_local=True, full_tunnel=False) == []


def test_a_group_takes_over_what_it_does_not_say() -> None:
    base = policy(push_routes=["10.1.0.0/16"], dns_servers=["10.1.0.53"], push_options=["ping 5"])
    assert parse_push_policy({"push_routes": None}, base=base, what="Group 'x'") == base
    assert parse_push_policy({"push_routes": []}, base=base, what="Group 'x'").routes == ()
    assert base.extended(base.routes, ("ping 5",)) == base


def test_many_domains_fit_into_lines_that_openvpn_reads() -> None:
    domains = [f"department-{number:02}.division.some-long-company-name.example" for number in range(40)]
    lines = render_pushes(policy(full_tunnel=False, dns_servers=["10.1.1.1"], dns_domains=domains), carries_ipv6=False)
    assert max(map(len, lines)) <= LONGEST_LINE
    for option in ("search-domains", "resolve-domains"):
        told = [line for line in lines if option in line]
        assert [word.strip('"') for line in told for word in line.split(option)[1].split()] == domains
        assert all(len(line.split()) <= 16 for line in told)


@pytest.mark.parametrize(
    "option",
    [
        "ping 10",
        "ping-restart 60",
        "route 10.1.0.0 255.255.0.0",
        "route 10.1.2.3",
        "route 10.1.0.0 255.255.0.0 vpn_gateway 5",
        "route-ipv6 fd00::/8",
        "route-ipv6 fd00::/8 default 7",
        "dhcp-option DNS 10.1.1.1",
        "dhcp-option DOMAIN a.example",
        "dhcp-option DISABLE-NBT",
        "dns server 0 address 10.1.1.1 fd00::1",
        "dns search-domains a.example b.example",
        "dns server 1 dnssec optional",
        "block-ipv6",
        "sndbuf 0",
        "socket-flags TCP_NODELAY",
        "inactive 3600 1000000",
        "redirect-gateway def1 bypass-dhcp",
        "register-dns",
        "explicit-exit-notify 2",
    ],
)
def test_harmless_options_pass(option: str) -> None:
    assert parse_push_option(f"  {option} ", what="A pushed option") == option


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("script-security 2", "'script-security' is not among the options that do no harm"),
        ("up /tmp/x", "'up' is not among"),
        ("--up /tmp/x", "is not among"),
        ("plugin /tmp/x.so", "'plugin' is not among"),
        ("setenv PATH /tmp", "'setenv' is not among"),
        ("setenv-safe X y", "is not among"),
        ("config /tmp/x", "'config' is not among"),
        ("cipher none", "'cipher' is not among"),
        ("push-reset", "is not among"),
        ("ROUTE 10.0.0.0", "is not among"),
        ("", "'' is not among"),
        ("route 10.1.0.0 255.255.0.0,script-security 2", "the character ','"),
        ('ping 10" \nup "/tmp/x', "control character"),
        ("ping 10\nup /tmp/x", "control character '\\n'"),
        ("ping 10\rup", "control character"),
        ("ping 10\x00", "control character"),
        ("ping 10\u2028up", "control character"),
        ('ping 10"', "the character '\"'"),
        ("ping '10'", "the character"),
        ("ping 10 # x", "the character '#'"),
        ("ping 10; up x", "the character ';'"),
        ("ping 1\\0", "the character"),
        ("ping ten", "'ping' does not take these arguments"),
        ("ping 10 20", "does not take"),
        ("route", "does not take"),
        ("route 10.1.0.1 255.255.0.0", "does not take"),
        ("route host.example", "does not take"),
        ("route-ipv6 fd00::1%eth0/64", "does not take"),
        ("dhcp-option PROXY_HTTP 192.0.2.1 3128", "does not take"),
        ("dns server 0 resolve-domains", "does not take"),
        ("redirect-gateway def1 evil", "does not take"),
        ("socket-flags TCP_NODELAY X", "does not take"),
        ("dns search-domains " + "a" * 60 + " b.example" * 20, "OpenVPN reads 248"),
        (True, "not a word"),
    ],
)
def test_everything_else_is_refused(option: Any, reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)):
        parse_push_option(option, what="A pushed option")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"push_routes": ["10.20.0.1/16"]}, "host bits"),
        ({"push_routes": ["10.20.0.0/16\npush"]}, "control character"),
        ({"dns_servers": ["example"]}, "not an IP address"),
        ({"dns_servers": [f"10.0.0.{number}" for number in range(9)]}, "takes 8 DNS servers, not 9"),
        ({"dns_domains": ["a b"]}, "not a domain name"),
        ({"push_options": ["up /tmp/x"]}, "The gateway: a pushed option is refused"),
        ({"full_tunnel": "maybe"}, "neither true nor false"),
    ],
)
def test_bad_settings_are_named(raw: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)):
        policy(**raw)
