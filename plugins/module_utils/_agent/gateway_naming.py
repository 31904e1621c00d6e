# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which name servers a gateway uses, where that is set, and how fast each answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Resolver
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.resolver_readings import (
    RESOLV_CONF,
    RESOLVED_UPSTREAMS,
    NamingFiles,
    find_resolvers,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_formats, resolver_sources
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages import Question, is_response
from ansible_collections.privatespace.gateway.plugins.module_utils._host import resolver_files
from ansible_collections.privatespace.gateway.plugins.module_utils._host.resolver_query import ask_server

ROOT = Path("/")
LEASES = (
    "/var/lib/dhcp/*.leases", "/run/systemd/netif/leases/*", "/var/lib/NetworkManager/*.lease",
    "/run/NetworkManager/*.lease",
)  # fmt: skip
DNSMASQ = ("/etc/privatespace/dnsmasq.conf", "/etc/dnsmasq.conf", "/etc/dnsmasq.d/*", "/run/dnsmasq/resolv.conf")
# What is read beside what is read to change them.
FURTHER = (*LEASES, *DNSMASQ, RESOLVED_UPSTREAMS)
ANSWER_SECONDS, TIMES, MOST_RESOLVERS = 1.5, 3, 8
# Everybody who answers questions knows who serves the root.
PROBE_NAME = "."
_FROM_DHCP = ("DHCP", "writes resolv.conf by default")


def look_at_resolvers(*, root: Path = ROOT) -> tuple[tuple[Resolver, ...], tuple[str, ...]]:
    """The name servers in use, and what is not known of them, a sentence each."""
    try:
        files = read_naming_files(root)
    except CollectionError as error:
        return (), (f"Which name servers are used: {error}",)
    found = find_resolvers(files)[:MOST_RESOLVERS]
    if not found:
        return (), ("Which name servers are used: /etc/resolv.conf names none.",)
    with ThreadPoolExecutor(len(found)) as pool:
        return tuple(pool.map(ask_resolver, found)), ()


def read_naming_files(root: Path) -> NamingFiles:
    """What the host's files say of name servers.

    :raises CollectionError: one of them cannot be read.
    """
    texts, links = resolver_files.read_texts(root, (*resolver_sources.PATTERNS, *FURTHER))
    host = resolver_sources.HostFiles(
        texts,
        links,
        resolver_files.find_existing(root, resolver_sources.PROGRAMS),
        _units(root),
    )
    sources = resolver_sources.find_sources(host)
    leases = {path: resolver_formats.parse_leases(text) for path, text in host.matching(*LEASES).items()}
    return NamingFiles(
        resolv_conf=texts.get(RESOLV_CONF, ""),
        leases={path: servers for path, servers in leases.items() if servers},
        named={one.path: one.servers for one in sources if one.servers and one.path != RESOLV_CONF},
        resolved=texts.get(RESOLVED_UPSTREAMS, ""),
        dnsmasq=_dnsmasq_files(root, host.matching(*DNSMASQ)),
        asks_dhcp=any(words in one.detail for one in sources for words in _FROM_DHCP),
    )


def ask_resolver(resolver: Resolver) -> Resolver:
    """The same with whether it answers, and the middle of the times that it took."""
    taken = []
    for _time in range(TIMES):
        begin = time.monotonic()
        outcome = ask_server(resolver.address, question=Question(PROBE_NAME), timeout_seconds=ANSWER_SECONDS)
        # One for a company's own names refuses this question, and does so fast or slowly.
        if not is_response(outcome):
            break
        taken.append(time.monotonic() - begin)
    if not taken:
        return replace(resolver, answered=False)
    return replace(resolver, answered=True, seconds=round(sorted(taken)[len(taken) // 2], 5))


def _units(root: Path) -> frozenset[str]:
    return resolver_files.units_in_use(root, resolver_sources.UNITS).names


def _dnsmasq_files(root: Path, files: Mapping[str, str]) -> Mapping[str, str]:
    """Those of the dnsmasq that has the port: where ours runs, the package's own files are read by nobody."""
    try:
        listening = resolver_formats.parse_listening(resolver_files.listening_sockets(root, port=53))
    except CollectionError:
        return {}
    if not any(one.process == "dnsmasq" for one in listening):
        return {}
    ours = {path: text for path, text in files.items() if path == DNSMASQ[0]}
    return ours or files
