# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the resolver of a gateway is made of, as values that have been checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import listed, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_values import (
    Address,
    parse_address,
    parse_entry,
    parse_flag,
    parse_interface,
    parse_items,
    parse_number,
    parse_path,
    parse_server,
    parse_word,
    reverse_zones,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name

_KEYS = frozenset(
    (
        "upstreams", "all_upstreams_at_once", "dhcp_upstreams", "network_servers", "tls", "tls_local_port", "hosts",
        "domains", "local_domain", "dnssec", "root_keys", "trust_anchors", "cache_size", "rebind_protection",
        "rebind_domains", "log_queries", "concurrent_queries", "tcp_connections", "interfaces", "folder",
        "state_folder",
    )
)  # fmt: skip
_ROOT_KEY = re.compile(r"^\.(?:\s+\d+)?\s+IN\s+DS\s+(\d+)\s+(\d+)\s+(\d+)\s+([0-9A-Fa-f ]+?)\s*$", re.MULTILINE)
_ANCHOR_KEYS = ("domain", "key_tag", "algorithm", "digest_type", "digest")


@dataclass(frozen=True)
class Server:
    """A name server."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}#{self.port}"


@dataclass(frozen=True)
class Host:
    """A name that this gateway answers itself."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class SplitDomain:
    """Domains that only these servers are asked for: one, or the reverse zones of a network."""

    zones: tuple[str, ...]
    servers: tuple[Server, ...]


@dataclass(frozen=True)
class TrustAnchor:
    """The digest of a key that signs a zone."""

    domain: str
    key_tag: int
    algorithm: int
    digest_type: int
    digest: str


@dataclass(frozen=True)
class Resolver:
    """All that a configuration is made of.

    :param upstreams: Whoever is asked for what nobody else is named for; with TLS, stubby alone.
    :param tcp_connections: How many there may be at once, or 0 for a dnsmasq before 2.90, which takes no number.
    """

    upstreams: tuple[Server, ...]
    hosts: tuple[Host, ...]
    domains: tuple[SplitDomain, ...]
    anchors: tuple[TrustAnchor, ...]
    rebind_domains: tuple[str, ...]
    interfaces: tuple[str, ...]
    local_domain: str
    all_at_once: bool
    rebind_protection: bool
    log_queries: bool
    cache_size: int
    concurrent_queries: int
    tcp_connections: int
    folder: str
    state_folder: str


def parse_resolver(raw: Mapping[str, Any]) -> Resolver:
    """Check what a configuration is to be made of.

    :param raw: The variables ``dnsmasq_*`` without that beginning, and ``network_servers`` that DHCP gave,
        ``root_keys`` (the text of Debian's ``root.ds``), ``tls_local_port``, ``folder`` and ``state_folder``.
    :raises InputError: naming what dnsmasq could not take, or would take for something else.
    """
    unknown = sorted(set(raw) - _KEYS)
    if unknown:
        raise InputError(f"The resolver has the unknown setting {listed(unknown)}.")
    local = raw.get("local_domain") or ""
    local_domain = parse_name(local, what="dnsmasq_local_domain") if local else ""
    domains = tuple(_parse_domain(one) for one in parse_items(raw.get("domains"), what="dnsmasq_domains"))
    if local_domain and any(local_domain in domain.zones for domain in domains):
        raise InputError(f"'{local_domain}' is dnsmasq_local_domain and in dnsmasq_domains.", remedy="Take one away.")
    return Resolver(
        upstreams=_parse_upstreams(raw),
        hosts=tuple(parse_hosts(raw.get("hosts"))),
        domains=domains,
        anchors=_parse_anchors(raw),
        rebind_domains=tuple(
            parse_name(one, what="A name in dnsmasq_rebind_domains")
            for one in parse_items(raw.get("rebind_domains"), what="dnsmasq_rebind_domains")
        ),
        interfaces=_parse_interfaces(raw.get("interfaces", ("tun-*",))),
        local_domain=local_domain,
        all_at_once=_flag(raw, "all_upstreams_at_once", default=False),
        rebind_protection=_flag(raw, "rebind_protection", default=True),
        log_queries=_flag(raw, "log_queries", default=False),
        cache_size=parse_number(raw.get("cache_size", 2000), what="dnsmasq_cache_size", least=0, most=1000000),
        concurrent_queries=parse_number(
            raw.get("concurrent_queries", 1000), what="dnsmasq_concurrent_queries", least=1, most=100000
        ),
        tcp_connections=parse_number(
            raw.get("tcp_connections", 0), what="The number of connections over TCP", least=0, most=10000
        ),
        folder=parse_path(raw.get("folder", "/etc/privatespace"), what="The folder of the resolver's files"),
        state_folder=parse_path(raw.get("state_folder", "/var/lib/privatespace-dns"), what="The resolver's own folder"),
    )


def parse_hosts(raw: Any) -> list[Host]:
    """Names with their addresses.

    :raises InputError: naming the entry.
    """
    hosts = []
    for one in parse_items(raw, what="dnsmasq_hosts"):
        entry = parse_entry(one, what="An entry of dnsmasq_hosts", keys=("name", "addresses"))
        name = parse_name(entry["name"], what="A name in dnsmasq_hosts")
        addresses = parse_items(entry["addresses"], what=f"dnsmasq_hosts: the addresses of '{name}'")
        if not addresses:
            raise InputError(f"dnsmasq_hosts: '{name}' has no address.")
        what = f"dnsmasq_hosts: an address of '{name}'"
        hosts.append(Host(name, tuple(parse_address(address, what=what) for address in addresses)))
    return hosts


def _flag(raw: Mapping[str, Any], name: str, *, default: bool) -> bool:
    return parse_flag(raw.get(name, default), what=f"dnsmasq_{name}")


def _parse_servers(raw: Any, *, what: str) -> tuple[Server, ...]:
    servers = [Server(*parse_server(one, what=f"A server in {what}")) for one in parse_items(raw, what=what)]
    return tuple(dict.fromkeys(servers))


def _parse_upstreams(raw: Mapping[str, Any]) -> tuple[Server, ...]:
    named = _parse_servers(raw.get("upstreams"), what="dnsmasq_upstreams")
    dhcp = _flag(raw, "dhcp_upstreams", default=False)
    if _flag(raw, "tls", default=False):
        if dhcp:
            raise InputError(
                "dnsmasq_dhcp_upstreams and dnsmasq_tls are both true: what is asked over TLS would also be asked in "
                "clear.",
                remedy="Set one of them to false.",
            )
        port = parse_number(raw.get("tls_local_port", 5335), what="The port of stubby", least=1024, most=65535)
        return (Server(parse_address("127.0.0.1", what="stubby"), port),)
    given = _parse_servers(raw.get("network_servers"), what="what the network gives") if dhcp else ()
    upstreams = tuple(dict.fromkeys((*named, *given)))
    if not upstreams:
        found = " and the network gives none" if dhcp else ""
        raise InputError(f"dnsmasq_upstreams is empty{found}: no name of the Internet would be answered.")
    return upstreams


def _parse_interfaces(raw: Any) -> tuple[str, ...]:
    names = parse_items(raw, what="dnsmasq_interfaces")
    if not names:
        raise InputError("dnsmasq_interfaces is empty: no client would be answered.", remedy="Name tunnels: tun-*.")
    return tuple(parse_interface(one, what="A device in dnsmasq_interfaces") for one in names)


def _parse_domain(raw: Any) -> SplitDomain:
    entry = parse_entry(raw, what="An entry of dnsmasq_domains", keys=("domain", "servers"))
    text = parse_word(entry["domain"], what="A domain in dnsmasq_domains")
    what = f"dnsmasq_domains: '{shown(text)}'"
    zones = reverse_zones(text, what=what) if "/" in text else (parse_name(text, what="A domain in dnsmasq_domains"),)
    servers = _parse_servers(entry["servers"], what=what)
    if not servers:
        raise InputError(f"{what} has no server.")
    return SplitDomain(zones, servers)


def _parse_anchors(raw: Mapping[str, Any]) -> tuple[TrustAnchor, ...]:
    if not _flag(raw, "dnssec", default=False):
        return ()
    keys = [
        TrustAnchor(".", int(tag), int(algorithm), int(kind), digest.replace(" ", "").upper())
        for tag, algorithm, kind, digest in _ROOT_KEY.findall(raw.get("root_keys") or "")
    ]
    own = [_parse_anchor(one) for one in parse_items(raw.get("trust_anchors"), what="dnsmasq_trust_anchors")]
    if not any(anchor.domain == "." for anchor in (*keys, *own)):
        raise InputError(
            "dnsmasq_dnssec is true, and there is no key of the root, without which dnsmasq does not start.",
            remedy="Install the package dns-root-data, or name the domain '.' in dnsmasq_trust_anchors.",
        )
    return tuple(keys + own)


def _parse_anchor(raw: Any) -> TrustAnchor:
    entry = parse_entry(raw, what="An entry of dnsmasq_trust_anchors", keys=_ANCHOR_KEYS)
    what = "dnsmasq_trust_anchors"
    domain = parse_word(entry["domain"], what=f"{what}: a domain")
    digest = parse_word(entry["digest"], what=f"{what}: a digest")
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}){20,64}", digest):
        raise InputError(f"{what}: a digest is not hexadecimal: '{shown(digest)}'.")
    return TrustAnchor(
        "." if domain == "." else parse_name(domain, what=f"{what}: a domain"),
        parse_number(entry["key_tag"], what=f"{what}: key_tag", least=0, most=65535),
        parse_number(entry["algorithm"], what=f"{what}: algorithm", least=1, most=255),
        parse_number(entry["digest_type"], what=f"{what}: digest_type", least=1, most=255),
        digest.upper(),
    )
