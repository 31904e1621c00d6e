# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients are told: routes, name servers, and what keeps a full tunnel from leaking.

It is rendered into the clients' files, which OpenVPN reads at each connection, so that a change needs no restart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.push_options import (
    LONGEST_OPTION,
    parse_push_option,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Address,
    Network,
    parse_address,
    parse_boolean,
    parse_domain,
    parse_network,
)

# Of one "dns server"; OpenVPN refuses the ninth.
MOST_DNS_SERVERS = 8
# The gateway's own resolver, whose address is another one in every tunnel.
OWN_RESOLVER = "gateway"
# OpenVPN splits a line into sixteen words; those of the option itself are taken off.
MOST_DOMAINS_A_LINE = 12

DnsServer = Union[Address, str]


@dataclass(frozen=True)
class PushPolicy:
    """What the members of a group, or everybody, are told.

    :param dns_servers: Addresses, and ``gateway`` for the gateway's address in the tunnel.
    :param block_local: Whether a client in full tunnel is cut off from the network that it stands in.
    :param options: Checked by :func:`~.push_options.parse_push_option`.
    """

    full_tunnel: bool = True
    block_local: bool = False
    routes: tuple[Network, ...] = ()
    dns_servers: tuple[DnsServer, ...] = ()
    dns_domains: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def extended(self, routes: Sequence[Network], options: Sequence[str]) -> PushPolicy:
        """The same with what a single user is told besides."""
        if not routes and not options:
            return self
        return replace(
            self, routes=_without_repeats((*self.routes, *routes)), options=_without_repeats((*self.options, *options))
        )


def parse_push_policy(raw: Mapping[str, Any], *, base: PushPolicy, what: str) -> PushPolicy:
    """Check what an administrator wrote; what is missing or ``None`` is taken from another policy.

    :param raw: Any of ``full_tunnel``, ``block_local``, ``push_routes``, ``dns_servers``, ``dns_domains`` and
        ``push_options``; other keys are not looked at.
    :raises InputError: naming the value and what is wrong with it.
    """

    def given(key: str, other: Any) -> Any:
        return other if raw.get(key) is None else raw[key]

    return PushPolicy(
        full_tunnel=parse_boolean(given("full_tunnel", base.full_tunnel), what=f"{what}: full_tunnel"),
        block_local=parse_boolean(given("block_local", base.block_local), what=f"{what}: block_local"),
        routes=parse_routes(given("push_routes", base.routes), what=what),
        dns_servers=_parse_dns_servers(given("dns_servers", base.dns_servers), what=what),
        dns_domains=_without_repeats(
            [parse_domain(one, what=f"{what}: a DNS domain") for one in given("dns_domains", base.dns_domains)]
        ),
        options=parse_push_options(given("push_options", base.options), what=what),
    )


def _parse_dns_servers(raw: Sequence[Any], *, what: str) -> tuple[DnsServer, ...]:
    servers = _without_repeats(
        [one if one == OWN_RESOLVER else parse_address(str(one), what=f"{what}: a DNS server") for one in raw]
    )
    if len(servers) > MOST_DNS_SERVERS:
        raise InputError(f"{what}: a client takes {MOST_DNS_SERVERS} DNS servers, not {len(servers)}.")
    return servers


def parse_routes(raw: Sequence[Any], *, what: str) -> tuple[Network, ...]:
    """Networks that clients reach through the tunnel.

    :raises InputError: for what is none.
    """
    return _without_repeats([parse_network(str(one), what=f"{what}: a pushed route") for one in raw])


def parse_push_options(raw: Sequence[Any], *, what: str) -> tuple[str, ...]:
    """Further options that clients are told.

    :raises InputError: see :func:`~.push_options.parse_push_option`.
    """
    return _without_repeats([parse_push_option(one, what=f"{what}: a pushed option") for one in raw])


def render_pushes(policy: PushPolicy, *, carries_ipv6: bool, own: Sequence[Address] = ()) -> list[str]:
    """The lines of a client's file that tell it all of this.

    :param carries_ipv6: Whether the tunnel has IPv6 addresses.
    :param own: The gateway's addresses in the tunnel, for a policy whose resolver is the gateway itself.
    """
    servers = _resolvers(policy, own)
    options = [
        *(_full_tunnel(policy, servers, carries_ipv6=carries_ipv6) if policy.full_tunnel else ()),
        *map(route_option, policy.routes),
        *_dhcp_options(policy, servers),
        *_dns(policy, servers),
        *policy.options,
    ]
    return [f'push "{option}"' for option in _without_repeats(options)]


def _resolvers(policy: PushPolicy, own: Sequence[Address]) -> tuple[Address, ...]:
    """The resolvers that clients use. A split tunnel has them for the named domains, and without any it has none."""
    if not policy.full_tunnel and not policy.dns_domains:
        return ()
    found: list[Address] = []
    for server in policy.dns_servers:
        found += own if isinstance(server, str) else (server,)
    return _without_repeats(found)


def _full_tunnel(policy: PushPolicy, servers: Sequence[Address], *, carries_ipv6: bool) -> Iterator[str]:
    yield "redirect-gateway def1 ipv6" + (" block-local" if policy.block_local else "")
    if not carries_ipv6:
        # The client answers IPv6 "unreachable" rather than let it leave around the tunnel.
        yield "block-ipv6"
    if servers:
        # Windows asks every resolver it knows unless it is told not to.
        yield "block-outside-dns"


def _dhcp_options(policy: PushPolicy, servers: Sequence[Address]) -> Iterator[str]:
    """DNS for clients before 2.6 and those on OpenVPN 3."""
    for server in servers:
        yield f"dhcp-option {'DNS6' if server.version == 6 else 'DNS'} {server}"
    for domain in policy.dns_domains:
        # iOS asks the tunnel's resolvers for a DOMAIN and for nothing else: in full tunnel all other names would leak.
        if not policy.full_tunnel:
            yield f"dhcp-option DOMAIN {domain}"
        # Of several DOMAINs Windows keeps the last; of these, all.
        yield f"dhcp-option DOMAIN-SEARCH {domain}"


def _dns(policy: PushPolicy, servers: Sequence[Address]) -> Iterator[str]:
    """DNS for clients from 2.6 on."""
    if not servers:
        return
    yield f"dns server 0 address {' '.join(map(str, servers))}"
    yield from _domain_lines("dns search-domains", policy.dns_domains)
    if not policy.full_tunnel:
        yield from _domain_lines("dns server 0 resolve-domains", policy.dns_domains)


def _domain_lines(option: str, domains: Sequence[str]) -> Iterator[str]:
    """Several domains in as few lines as OpenVPN can read; it adds up what several lines say."""
    words: list[str] = []
    for domain in domains:
        if words and (len(words) == MOST_DOMAINS_A_LINE or len(" ".join((option, *words, domain))) > LONGEST_OPTION):
            yield " ".join((option, *words))
            words = []
        words.append(domain)
    if words:
        yield " ".join((option, *words))


def route_option(network: Network) -> str:
    """The option that routes a network into the tunnel, on a client or on the server."""
    if isinstance(network, ipaddress.IPv6Network):
        return f"route-ipv6 {network}"
    return f"route {network.network_address} {network.netmask}"


def _without_repeats(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))
