"""Who has a say in where a host asks names: real files of real distributions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_formats as formats
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_sources import (
    DHCLIENT_HOOK,
    MARKER,
    NETWORK_MANAGER_DROP_IN,
    RESOLVED_DROP_IN,
    HostFiles,
    find_dhcp_servers,
    find_sources,
    find_stub_conflicts,
)

DHCLIENT = "/etc/dhcp/dhclient.conf"
# As Debian 12 ships it, without most of its comments.
DEBIAN_DHCLIENT = """# Configuration file for /sbin/dhclient.
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
#send dhcp-client-identifier 1:0:a0:24:ab:fb:9c;
#supersede domain-name "fugue.com home.vix.com";
#prepend domain-name-servers 127.0.0.1;
send host-name = gethostname();
request subnet-mask, broadcast-address, time-offset, routers,
\tdomain-name, domain-name-servers, domain-search, host-name,
\tdhcp6.name-servers, dhcp6.domain-search, dhcp6.fqdn, dhcp6.sntp-servers,
\tnetbios-name-servers, netbios-scope, interface-mtu,
\trfc3442-classless-static-routes, ntp-servers;
"""
# As cloud-init writes it on Debian's cloud images.
CLOUD_NETPLAN = """# This file is generated from information provided by the datasource.
network:
    ethernets:
        ens5:
            dhcp4: true
            dhcp4-overrides:
                route-metric: 100
            dhcp6: false
            match:
                macaddress: 0a:1b:2c:3d:4e:5f
            set-name: ens5
        ens6:
            addresses:
            - 10.0.5.7/24
            nameservers:
                addresses:
                - 10.0.5.2
                - 10.0.5.3
                search: [corp.example]
    version: 2
"""
NETPLAN_NETWORK = "[Match]\nName=ens5\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n\n[DHCP]\nRouteMetric=100\n"


def host(
    texts: dict[str, str],
    *,
    links: dict[str, str] | None = None,
    programs: Sequence[str] = (),
    units: Sequence[str] = (),
) -> HostFiles:
    return HostFiles(texts, links or {}, frozenset(programs), frozenset(units))


def found(one: HostFiles) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [
        (source.manager, source.path, source.servers, tuple(end.path for end in source.ends))
        for source in find_sources(one)
    ]


def test_debians_dhclient_asks_and_its_hook_ends_it() -> None:
    one = host({DHCLIENT: DEBIAN_DHCLIENT}, programs=["/sbin/dhclient"])
    assert found(one) == [("dhclient", DHCLIENT, (), (DHCLIENT_HOOK,))]
    assert found(host({DHCLIENT: DEBIAN_DHCLIENT})) == []


@pytest.mark.parametrize(
    ("text", "does", "servers"),
    [
        ("", "asks", ()),
        ("request subnet-mask, routers;\n", "", ()),
        ("request subnet-mask;\nprepend domain-name-servers 10.0.0.2;\n", "sets", ("10.0.0.2",)),
        ("supersede domain-name-servers 9.9.9.9, 1.1.1.1;\n", "sets", ("9.9.9.9", "1.1.1.1")),
        ('interface "eth0" {\n  supersede domain-name-servers 9.9.9.9;\n}\n', "sets", ("9.9.9.9",)),
        ("# supersede domain-name-servers 9.9.9.9;\n", "asks", ()),
        ("request routers;\nalso request domain-name-servers;\n", "asks", ()),
    ],
)
def test_dhclient(text: str, does: str, servers: tuple[str, ...]) -> None:
    assert formats.parse_dhclient(text) == (does, servers)


@pytest.mark.parametrize(
    ("text", "is_source"),
    [
        ("hostname\nduid\noption domain_name_servers, domain_name\n", True),
        ("static domain_name_servers=10.0.0.2 10.0.0.3\n", True),
        ("#nohook resolv.conf\n", True),
        ("nohook resolv.conf\n", False),
        ("nohook lookup-hostname, resolv.conf\n", False),
    ],
)
def test_dhcpcd(text: str, is_source: bool) -> None:
    one = host({"/etc/dhcpcd.conf": text}, programs=["/usr/sbin/dhcpcd"])
    assert [source[0] for source in found(one)] == ["dhcpcd"] * is_source


def test_systemd_resolved_and_who_names_servers_for_it() -> None:
    texts = {
        "/etc/resolv.conf": "# stub\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n",
        "/etc/systemd/resolved.conf": "[Resolve]\n#DNS=\n#FallbackDNS=1.1.1.1\n",
        "/run/systemd/resolved.conf.d/50-cloud.conf": "[Resolve]\nDNS=169.254.169.253\n",
        "/etc/systemd/resolved.conf.d/60-us.conf": "[Resolve]\nDNS=10.0.0.2 10.0.0.3\n",
    }
    links = {"/etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf"}
    sources = found(host(texts, links=links, units=["systemd-resolved"]))
    assert sources == [
        ("resolv.conf", "/etc/resolv.conf", ("127.0.0.53",), ()),
        ("systemd-resolved", "/etc/systemd/resolved.conf.d/60-us.conf",
         ("169.254.169.253", "10.0.0.2", "10.0.0.3"), (RESOLVED_DROP_IN,)),
    ]  # fmt: skip
    assert [source[0] for source in found(host(texts, links=links))] == ["resolv.conf"]


@pytest.mark.parametrize(
    ("network", "drop_in", "detail"),
    [
        ("[Network]\nDHCP=yes\n", "", "DHCP=yes without UseDNS=no"),
        ("[Network]\nDHCP=yes\n[DHCPv4]\nUseDNS=no\n", "", "DHCP=yes without UseDNS=no"),
        ("[Network]\nDHCP=ipv4\n[DHCP]\nUseDNS=false\n", "", ""),
        ("[Network]\nDHCP=yes\n", "[DHCPv4]\nUseDNS=no\n[DHCPv6]\nUseDNS=no\n", ""),
        ("[Network]\nDHCP=no\nAddress=10.0.0.1/24\n", "", ""),
        ("[Network]\nAddress=10.0.0.1/24\nDNS=10.0.0.2\n", "", "names servers (DNS=)"),
        ("[Network]\nDNS=10.0.0.2\n", "[Network]\nDNS=\n", ""),
    ],
)
def test_systemd_networkd(network: str, drop_in: str, detail: str) -> None:
    path = "/etc/systemd/network/10-eth0.network"
    texts = {path: network, **({f"{path}.d/a.conf": drop_in} if drop_in else {})}
    sources = find_sources(host(texts, units=["systemd-networkd"]))
    assert [source.detail for source in sources] == ([detail] if detail else [])
    assert all(source.ends[0].path == f"{path}.d/zz-privatespace.conf" for source in sources)


def test_netplan_of_a_cloud_image_and_what_it_wrote_end_in_the_same_drop_in() -> None:
    texts = {
        "/etc/netplan/50-cloud-init.yaml": CLOUD_NETPLAN,
        "/run/systemd/network/10-netplan-ens5.network": NETPLAN_NETWORK,
    }
    one = host(texts, units=["systemd-networkd"], programs=["/usr/sbin/netplan"])
    ends = "/etc/systemd/network/10-netplan-{}.network.d/zz-privatespace.conf"
    assert found(one) == [
        ("systemd-networkd", "/run/systemd/network/10-netplan-ens5.network", (), (ends.format("ens5"),)),
        ("netplan", "/etc/netplan/50-cloud-init.yaml", (), (ends.format("ens5"),)),
        ("netplan", "/etc/netplan/50-cloud-init.yaml", ("10.0.5.2", "10.0.5.3"), (ends.format("ens6"),)),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("network:\n  ethernets:\n    eth0:\n      dhcp4: yes\n      dhcp4-overrides: {use-dns: false}\n", []),
        ("network:\n  ethernets:\n    eth0: {dhcp4: true}\n", ["netplan"]),
        (
            'network:\n  ethernets:\n    "eth0":\n      dhcp4: on # why\n      dhcp4-overrides:\n        use-dns: no',
            [],
        ),
        ("network:\n  bonds:\n    bond0:\n      dhcp6: true\n", ["netplan"]),
        ("network: {version: 2}\n", []),
        ("not yaml at all: [\n\t{{{\n", []),
    ],
)
def test_netplan(text: str, names: list[str]) -> None:
    one = host({"/etc/netplan/a.yaml": text}, programs=["/usr/sbin/netplan"])
    assert [source.manager for source in find_sources(one)] == names


@pytest.mark.parametrize(
    ("files", "detail"),
    [
        ({"NetworkManager.conf": "[main]\nplugins=ifupdown,keyfile\n"}, "writes resolv.conf by default"),
        ({"NetworkManager.conf": "[main]\ndns=default\n", "conf.d/90.conf": "[main]\ndns=none\n"}, ""),
        ({"NetworkManager.conf": "[main]\ndns=none\n", "conf.d/90.conf": "[main]\ndns=dnsmasq\n"}, "dns=dnsmasq"),
        ({"NetworkManager.conf": "[main]\ndns=systemd-resolved\n"}, "dns=systemd-resolved"),
    ],
)
def test_network_manager(files: dict[str, str], detail: str) -> None:
    texts = {f"/etc/NetworkManager/{name}": text for name, text in files.items()}
    sources = find_sources(host(texts, units=["NetworkManager"]))
    assert [source.detail for source in sources] == ([detail] if detail else [])
    assert all(source.ends[0].path == NETWORK_MANAGER_DROP_IN for source in sources)


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("manage_resolv_conf: true\nresolv_conf:\n  nameservers: ['8.8.4.4']\n", ["manage_resolv_conf: true"]),
        ("manage_resolv_conf: false\n", []),
        ("network:\n  version: 1\n  config:\n  - type: nameserver\n    address: [10.0.0.2]\n",
         ["names servers in its network configuration"]),
        ("network:\n  ethernets:\n    eth0:\n      nameservers:\n        addresses: [10.0.0.2]\n",
         ["names servers in its network configuration"]),
    ],
)  # fmt: skip
def test_cloud_init(text: str, details: list[str]) -> None:
    one = host({"/etc/cloud/cloud.cfg.d/50.cfg": text}, programs=["/usr/bin/cloud-init"])
    assert [source.detail for source in find_sources(one)] == details


def test_openresolv_is_told_in_its_own_file_and_is_still_found_afterwards() -> None:
    path = "/etc/resolvconf.conf"
    for text in ("name_servers=127.0.0.1\n", f"name_servers=127.0.0.1\n{MARKER}\nresolvconf=NO\n"):
        (source,) = find_sources(host({path: text}))
        assert (source.manager, source.ends[0].block) == ("openresolv", True)
    assert find_sources(host({path: "resolvconf=NO\n"})) == []


@pytest.mark.parametrize(
    ("texts", "servers"),
    [
        ({"/var/lib/dhcp/dhclient.eth0.leases": "lease {\n  option domain-name-servers 10.0.0.1;\n}\n"
          "lease {\n  option domain-name-servers 10.0.0.2,10.0.0.3;\n}\n"}, ("10.0.0.2", "10.0.0.3")),
        ({"/run/systemd/netif/leases/2": "ADDRESS=10.0.0.9\nDNS=10.0.0.2 10.0.0.2\n"}, ("10.0.0.2",)),
        ({"/run/NetworkManager/no-stub-resolv.conf": "nameserver 10.0.0.4\n"}, ("10.0.0.4",)),
        ({"/etc/resolv.conf": "nameserver 127.0.0.53\nnameserver 10.0.0.5\nnameserver fe80::1%eth0\n"}, ("10.0.0.5",)),
        ({}, ()),
    ],
)  # fmt: skip
def test_what_dhcp_gave(texts: dict[str, str], servers: tuple[str, ...]) -> None:
    assert find_dhcp_servers(host(texts)) == servers


@pytest.mark.parametrize(
    ("value", "conflicts"),
    [
        ("0.0.0.0", True), ("udp:0.0.0.0:53", True), ("[::]:53", True), ("127.0.0.1", True), ("tcp:127.0.0.1", True),
        ("10.0.0.5", False), ("127.0.0.1:5300", False), ("", False),
    ],
)  # fmt: skip
def test_a_second_stub_listener_is_found_where_dnsmasq_has_to_listen(value: str, conflicts: bool) -> None:
    path = "/etc/systemd/resolved.conf.d/extra.conf"
    texts = {path: f"[Resolve]\nDNSStubListenerExtra={value}\n"}
    assert find_stub_conflicts(host(texts, units=["systemd-resolved"])) == [path] * conflicts
    assert find_stub_conflicts(host(texts)) == []


def test_listening_sockets() -> None:
    text = (
        'udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=77,fd=13))\n'
        'tcp LISTEN 0 32 [::1]:53 [::]:* users:(("dnsmasq",pid=9,fd=9),("x",pid=1,fd=2))\n'
        "udp UNCONN 0 0 *:53 *:*\n"
    )
    assert [(one.address, one.process, one.pids) for one in formats.parse_listening(text)] == [
        ("127.0.0.53", "systemd-resolve", (77,)), ("::1", "dnsmasq", (9, 1)), ("*", "", ()),
    ]  # fmt: skip
