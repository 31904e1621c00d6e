# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of dnsmasq, and the file of its local names."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_settings import Resolver

MARKER = "# Written by privatespace.gateway.dnsmasq; changes made here are lost."
HOSTS_FILE, BLOCKLIST_FILE = "dnsmasq.hosts", "dnsmasq.blocklist"
# dnsmasq itself waits for the client to ask again, which takes a client five seconds.
RETRY_MILLISECONDS, GIVE_UP_MILLISECONDS = 500, 5000
# What arrives in one packet on every path (DNS flag day 2020).
LARGEST_PACKET = 1232


def render_config(resolver: Resolver) -> str:
    """The only file that dnsmasq reads its configuration from."""
    return "\n".join([MARKER, *_lines(resolver), ""])


def _lines(resolver: Resolver) -> Iterator[str]:
    yield "# Not the system's resolv.conf, and not /etc/hosts, which gives the gateway's own name as 127.0.1.1."
    yield from ("no-resolv", "no-hosts", "port=53")
    yield "# Tunnels come and go. Sockets are bound to single addresses, beside those of other programs, never to all."
    yield "bind-dynamic"
    yield from (f"interface={name}" for name in resolver.interfaces)
    yield "# Of the loopback device only the two addresses: others on it may be reached from outside."
    yield from ("except-interface=lo", "listen-address=127.0.0.1", "listen-address=::1")
    yield from _upstream_lines(resolver)
    yield from _local_lines(resolver)
    yield from _protection_lines(resolver)
    yield f"cache-size={resolver.cache_size}"
    yield f"dns-forward-max={resolver.concurrent_queries}"
    if resolver.tcp_connections:
        yield "# A single client could hold the 20 that are its default."
        yield f"max-tcp-connections={resolver.tcp_connections}"
    yield f"edns-packet-max={LARGEST_PACKET}"
    yield "log-facility=-"
    if resolver.log_queries:
        yield "log-queries=extra"


def _upstream_lines(resolver: Resolver) -> Iterator[str]:
    yield from (f"server={server}" for server in resolver.upstreams)
    if resolver.all_at_once:
        yield "all-servers"
    yield f"fast-dns-retry={RETRY_MILLISECONDS},{GIVE_UP_MILLISECONDS}"
    for domain in resolver.domains:
        yield from (f"server=/{zone}/{server}" for zone in domain.zones for server in domain.servers)


def _local_lines(resolver: Resolver) -> Iterator[str]:
    yield "# Both are read again at SIGHUP."
    yield f"addn-hosts={resolver.folder}/{HOSTS_FILE}"
    yield f"servers-file={resolver.folder}/{BLOCKLIST_FILE}"
    if resolver.local_domain:
        yield f"local=/{resolver.local_domain}/"
        yield f"domain={resolver.local_domain}"
        yield "expand-hosts"


def _protection_lines(resolver: Resolver) -> Iterator[str]:
    yield "# Names without a dot, and who has a private address, are no questions for the Internet."
    yield from ("domain-needed", "bogus-priv")
    if resolver.rebind_protection:
        yield "stop-dns-rebind"
        split = [zone for domain in resolver.domains for zone in domain.zones]
        local = [resolver.local_domain] if resolver.local_domain else []
        for name in dict.fromkeys([*local, *split, *resolver.rebind_domains]):
            yield f"rebind-domain-ok=/{name}/"
    if resolver.anchors:
        yield from ("dnssec", "dnssec-check-unsigned")
        yield "# Until the clock is later than this file no times of signatures are judged: names are needed to set it."
        yield f"dnssec-timestamp={resolver.state_folder}/timestamp"
        for one in resolver.anchors:
            yield f"trust-anchor={one.domain},{one.key_tag},{one.algorithm},{one.digest_type},{one.digest}"


def render_hosts(resolver: Resolver) -> str:
    """The file of the names that this gateway answers itself, A, AAAA and PTR."""
    lines = [MARKER, "127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{address} {host.name}" for host in resolver.hosts for address in host.addresses]
    return "\n".join([*lines, ""])
