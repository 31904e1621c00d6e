# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a say in where a host asks names, found in the contents of its files, and the file that ends it.

Nothing of the administrator's is edited where a file beside it does: drop-ins and hooks are added, and taken away
again. They come last by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_formats as formats

MARKER = "# Written by privatespace.gateway.gateway_resolver; 'dnsmasq_own_resolver: keep' takes it away."
RESOLV_CONF = "/etc/resolv.conf"
RESOLVED_DROP_IN = "/etc/systemd/resolved.conf.d/zz-privatespace.conf"
DHCLIENT_HOOK = "/etc/dhcp/dhclient-enter-hooks.d/zz-privatespace"
NETWORK_MANAGER_DROP_IN = "/etc/NetworkManager/conf.d/zz-privatespace.conf"
CLOUD_INIT_DROP_IN = "/etc/cloud/cloud.cfg.d/zz-privatespace.cfg"
NETWORKD_DROP_IN = "zz-privatespace.conf"
RESOLVED, NETWORK_MANAGER, NETWORKD = "systemd-resolved", "NetworkManager", "systemd-networkd"
UNITS = (RESOLVED, NETWORK_MANAGER, NETWORKD)

# All that is read of a host, as patterns of the shell.
PATTERNS = (
    RESOLV_CONF, "/etc/dhcp/dhclient.conf", "/etc/dhcp/dhclient-enter-hooks.d/*", "/etc/dhcpcd.conf",
    "/etc/dhcpcd.enter-hook", "/etc/systemd/resolved.conf", "/*/systemd/resolved.conf.d/*.conf",
    "/usr/lib/systemd/resolved.conf.d/*.conf", "/etc/systemd/network/*.network",
    "/etc/systemd/network/*.network.d/*.conf", "/run/systemd/network/*.network",
    "/run/systemd/network/*.network.d/*.conf", "/run/systemd/netif/leases/*", "/etc/netplan/*.yaml",
    "/run/netplan/*.yaml", "/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d/*.conf",
    "/usr/lib/NetworkManager/conf.d/*.conf", "/run/NetworkManager/no-stub-resolv.conf", "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d/*.cfg", "/etc/resolvconf.conf", "/var/lib/dhcp/*.leases",
)  # fmt: skip
PROGRAMS = ("/sbin/dhclient", "/sbin/dhcpcd", "/usr/sbin/dhcpcd", "/usr/sbin/netplan", "/usr/bin/cloud-init")


@dataclass(frozen=True)
class HostFiles:
    """What was read of a host.

    :param texts: The contents of files, by path.
    :param links: The targets of those that are symbolic links.
    :param programs: Which of :data:`PROGRAMS` there are.
    :param units: Units that run or start with the system.
    """

    texts: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()

    def matching(self, *patterns: str) -> dict[str, str]:
        """The files of others whose path fits, in the order in which systemd and others read them."""
        found = [path for path in self.texts if any(fnmatch(path, one) for one in patterns)]
        ordered = sorted(found, key=lambda path: (PurePosixPath(path).name, path))
        return {path: self.texts[path] for path in ordered if not is_whole_ours(self.texts[path])}

    def has(self, *programs: str) -> bool:
        """Whether one of some programs is installed."""
        return any(one in self.programs for one in programs)


@dataclass(frozen=True)
class OwnFile:
    """A file that ends what a source does.

    :param block: It is a part at the end of a file that belongs to somebody else, too.
    """

    path: str
    content: str
    block: bool = False


@dataclass(frozen=True)
class Source:
    """Somebody who has a say."""

    manager: str
    path: str
    detail: str
    servers: tuple[str, ...] = ()
    ends: tuple[OwnFile, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return {
            "manager": self.manager, "path": self.path, "detail": self.detail, "servers": list(self.servers),
            "overridden_by": [one.path for one in self.ends] or [RESOLV_CONF],
        }  # fmt: skip


def is_whole_ours(text: str) -> bool:
    """Whether a file was written by this collection from its first line on."""
    return text.startswith(MARKER)


def find_sources(host: HostFiles) -> list[Source]:
    """Everybody who has a say, by what the files of others hold; ours change nothing about it."""
    finders = (_resolv_conf, _dhclient, _dhcpcd, _resolved, _networkd, _netplan, _network_manager, _cloud_init)
    return [source for find in finders for source in find(host)] + list(_openresolv(host))


def find_dhcp_servers(host: HostFiles) -> tuple[str, ...]:
    """The servers that DHCP gave, from the leases; where there are none, what resolv.conf named."""
    leases = host.matching("/var/lib/dhcp/*.leases", "/run/systemd/netif/leases/*").values()
    servers = [server for text in leases for server in formats.parse_leases(text)]
    for path in ("/run/NetworkManager/no-stub-resolv.conf", RESOLV_CONF):
        servers += formats.parse_name_servers(host.texts.get(path, "")) if not formats.elsewhere(servers) else ()
    return formats.elsewhere(servers)


def find_stub_conflicts(host: HostFiles) -> list[str]:
    """Files that have systemd-resolved listen where dnsmasq has to, besides its own 127.0.0.53."""
    found = []
    for path, text in host.matching("/*systemd/resolved.conf", "/*systemd/resolved.conf.d/*.conf").items():
        for value in formats.all_words(formats.parse_sections([text]), ("resolve", "dnsstublistenerextra")):
            address = re.sub(r"^(?:udp|tcp):", "", value)
            plain = re.sub(r"^\[?([0-9a-fA-F:.]+?)\]?(?::53)?$", r"\1", address)
            if plain in ("0.0.0.0", "::", "127.0.0.1", "::1"):  # noqa: S104
                found.append(path)
    return list(dict.fromkeys(found)) if RESOLVED in host.units else []


def own_paths(host: HostFiles) -> list[str]:
    """The files of this collection that are in place, and those that hold a part of it; not resolv.conf."""
    return sorted(path for path, text in host.texts.items() if MARKER in text and path != RESOLV_CONF)


def _resolv_conf(host: HostFiles) -> Iterator[Source]:
    text = host.texts.get(RESOLV_CONF, "")
    if is_whole_ours(text):
        return
    target = host.links.get(RESOLV_CONF, "")
    detail = f"is a link to {target}" if target else "is a file"
    if text or target:
        yield Source("resolv.conf", RESOLV_CONF, detail, formats.parse_name_servers(text))


def _dhclient(host: HostFiles) -> Iterator[Source]:
    path = "/etc/dhcp/dhclient.conf"
    if not host.has("/sbin/dhclient"):
        return
    does, servers = formats.parse_dhclient(host.texts.get(path, ""))
    if does:
        detail = "asks DHCP for domain-name-servers" if does == "asks" else "names domain-name-servers"
        yield Source("dhclient", path, detail, servers, (OwnFile(DHCLIENT_HOOK, _DHCLIENT_HOOK),))


def _dhcpcd(host: HostFiles) -> Iterator[Source]:
    path = "/etc/dhcpcd.conf"
    text = re.sub(r"#[^\n]*", "", host.texts.get(path, ""))
    if not host.has("/sbin/dhcpcd", "/usr/sbin/dhcpcd") or re.search(r"(?m)^\s*nohook\b.*\bresolv\.conf", text):
        return
    servers = re.findall(r"^\s*static\s+domain_name_servers=(.+)$", text, re.MULTILINE)
    named = tuple(word for line in servers for word in line.split())
    detail = "names domain_name_servers" if named else "asks DHCP for domain_name_servers"
    yield Source("dhcpcd", path, detail, named, (OwnFile("/etc/dhcpcd.enter-hook", _DHCPCD_HOOK, block=True),))


def _resolved(host: HostFiles) -> Iterator[Source]:
    if RESOLVED not in host.units:
        return
    texts = host.matching("/*systemd/resolved.conf", "/*systemd/resolved.conf.d/*.conf")
    naming = [path for path, text in texts.items() if formats.parse_sections([text]).get(("resolve", "dns"))]
    servers = formats.all_words(formats.parse_sections(texts.values()), ("resolve", "dns"))
    detail = "asks DNS= and what DHCP gives" if servers else "asks what DHCP gives"
    path = naming[-1] if naming else "/etc/systemd/resolved.conf"
    yield Source(RESOLVED, path, detail, servers, (OwnFile(RESOLVED_DROP_IN, _RESOLVED_DROP_IN),))


def _networkd(host: HostFiles) -> Iterator[Source]:
    if NETWORKD not in host.units:
        return
    for path, text in host.matching("/*systemd/network/*.network").items():
        name = PurePosixPath(path).name
        drop_ins = host.matching(f"/*systemd/network/{name}.d/*.conf")
        settings = formats.parse_sections([text, *drop_ins.values()])
        dhcp = formats.last_value(settings, [("network", "dhcp")], otherwise="no")
        servers = formats.all_words(settings, ("network", "dns"))
        uses = any(_uses_dns(settings, version) for version in _versions(dhcp))
        if uses or servers:
            detail = f"DHCP={dhcp} without UseDNS=no" if uses else "names servers (DNS=)"
            yield Source(NETWORKD, path, detail, servers, (networkd_file(name),))


def _versions(dhcp: str) -> tuple[str, ...]:
    return () if formats.is_false(dhcp) else {"ipv4": ("4",), "ipv6": ("6",)}.get(dhcp.lower(), ("4", "6"))


def _uses_dns(settings: formats.Settings, version: str) -> bool:
    names = [(f"dhcpv{version}", "usedns"), ("dhcp", "usedns")]
    return not formats.is_false(formats.last_value(settings, names, otherwise="yes"))


def networkd_file(network: str) -> OwnFile:
    """The drop-in of a network of systemd-networkd; netplan's networks have known names, too."""
    return OwnFile(f"/etc/systemd/network/{network}.d/{NETWORKD_DROP_IN}", _NETWORKD_DROP_IN)


def _netplan(host: HostFiles) -> Iterator[Source]:
    """What netplan writes for systemd-networkd has names that are known beforehand; NetworkManager is found itself."""
    if not host.has("/usr/sbin/netplan"):
        return
    for path, text in host.matching("/*netplan/*.yaml").items():
        settings = formats.parse_netplan(text)
        for kind, device in dict.fromkeys(names[1:3] for names in settings if len(names) > 3):
            own = {names[3:]: value for names, value in settings.items() if names[1:3] == (kind, device)}
            uses = any(
                formats.is_true(own.get((f"dhcp{version}",), "no"))
                and not formats.is_false(own.get((f"dhcp{version}-overrides", "use-dns"), "yes"))
                for version in "46"
            )
            servers = tuple(own.get(("nameservers", "addresses"), "").split())
            if uses or servers:
                detail = f"{device}: " + ("DHCP without use-dns: false" if uses else "names servers (nameservers)")
                yield Source("netplan", path, detail, servers, (networkd_file(f"10-netplan-{device}.network"),))


def _network_manager(host: HostFiles) -> Iterator[Source]:
    if NETWORK_MANAGER not in host.units:
        return
    texts = host.matching("/etc/NetworkManager/NetworkManager.conf", "/*/NetworkManager/conf.d/*.conf")
    # Its main file is read after the packages' and before the administrator's folder.
    main = "/etc/NetworkManager/NetworkManager.conf"
    order = sorted(texts, key=lambda path: (path.startswith("/etc"), path != main))
    dns = formats.last_value(formats.parse_sections([texts[path] for path in order]), [("main", "dns")])
    if dns != "none":
        naming = [path for path in order if formats.parse_sections([texts[path]]).get(("main", "dns"))]
        detail = f"dns={dns}" if dns else "writes resolv.conf by default"
        end = OwnFile(NETWORK_MANAGER_DROP_IN, _NETWORK_MANAGER_DROP_IN)
        yield Source(NETWORK_MANAGER, naming[-1] if naming else main, detail, (), (end,))


def _cloud_init(host: HostFiles) -> Iterator[Source]:
    if not host.has("/usr/bin/cloud-init"):
        return
    for path, text in host.matching("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg").items():
        manages = re.findall(r"^manage_resolv_conf:\s*(\w+)", text, re.MULTILINE)
        if manages and formats.is_true(manages[-1]):
            end = OwnFile(CLOUD_INIT_DROP_IN, f"{MARKER}\nmanage_resolv_conf: false\n")
            yield Source("cloud-init", path, "manage_resolv_conf: true", (), (end,))
        elif re.search(r"^\s*(?:-\s+)?(?:(?:dns_)?nameservers:|type:\s*nameserver\b)", text, re.MULTILINE):
            yield Source("cloud-init", path, "names servers in its network configuration")


def _openresolv(host: HostFiles) -> Iterator[Source]:
    path = "/etc/resolvconf.conf"
    if path in host.texts:
        text = host.texts[path].partition(MARKER)[0]
        if not re.search(r"^\s*resolvconf=[\"']?(?:NO|no|false|0)\b", text, re.MULTILINE):
            end = OwnFile(path, "resolvconf=NO\n", block=True)
            yield Source("openresolv", path, "writes resolv.conf", (), (end,))


_DHCLIENT_HOOK = f"{MARKER}\n# dhclient calls this to write /etc/resolv.conf.\nmake_resolv_conf() {{\n    :\n}}\n"
_DHCPCD_HOOK = 'skip_hooks="$skip_hooks resolv.conf"\n'
_RESOLVED_DROP_IN = f"""{MARKER}
# Programs that ask systemd-resolved (nss-resolve, 127.0.0.53) are answered by dnsmasq, too: the domain '~.' has all
# names asked there, whatever DHCP names for a link.
[Resolve]
DNS=
DNS=127.0.0.1
FallbackDNS=
Domains=
Domains=~.
"""
_NETWORKD_DROP_IN = f"""{MARKER}
[Network]
DNS=

[DHCPv4]
UseDNS=no

[DHCPv6]
UseDNS=no

[IPv6AcceptRA]
UseDNS=no
"""
_NETWORK_MANAGER_DROP_IN = f"{MARKER}\n[main]\ndns=none\nrc-manager=unmanaged\nsystemd-resolved=false\n"
