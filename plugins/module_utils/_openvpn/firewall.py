# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table of a gateway, rendered from checked values so that an administrator can read it.

Within one hook the first verdict counts. What comes out of a tunnel is judged by its source, which :func:`_spoofing`
has tied to the tunnel, and what goes into one must be an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.firewall_settings import (
    Firewall,
    GroupRules,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import Network

HEADING = (
    "# Managed by Ansible (privatespace.gateway.openvpn): what is changed here by hand will be overwritten.",
    "# This table is all that is ours; the rules of others stay untouched. It is replaced in one step.",
)
# How many sources are watched at once, and how long one is remembered that has become silent.
MOST_SOURCES, REMEMBERED = 65535, "1m"
# What each family calls addresses, and its interface in a set's name.
_FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_CLOSED = 'counter drop comment "nobody opens connections to clients"'
_SYN = "tcp flags & (syn | rst) == syn"


def render_firewall(firewall: Firewall) -> str:
    """The whole file for ``nft --file``, ending with a newline."""
    blocks = [
        *_sets(firewall),
        *_spread(firewall),
        ("chain spoofing", list(_spoofing(firewall))),
        *_handshakes(firewall),
        ("chain forward", [
            "type filter hook forward priority filter; policy accept;",
            "iifname @tunnels jump from-clients",
            "oifname @tunnels jump to-clients",
        ]),
        ("chain from-clients", list(_from_clients(firewall))),
        *_groups(firewall),
        ("chain to-clients", [*_clamp(firewall), *_answers(), _CLOSED]),
        ("chain input", ["type filter hook input priority filter; policy accept;", "iifname @tunnels jump to-gateway"]),
        ("chain to-gateway", list(_to_gateway(firewall))),
        *_masquerade(firewall),
    ]  # fmt: skip
    text = "\n\n".join("\n".join((f"\t{name} {{", *(f"\t\t{line}" for line in lines), "\t}")) for name, lines in blocks)
    head = "\n".join((*HEADING, "", f"table inet {firewall.table}", f"delete table inet {firewall.table}", ""))
    return f"{head}\ntable inet {firewall.table} {{\n{text}\n}}\n"


def _sets(firewall: Firewall) -> Iterator[tuple[str, list[str]]]:
    devices = ", ".join(f'"{process.device}"' for process in firewall.processes)
    yield "set tunnels", ["type ifname", f"elements = {{ {devices} }}"]
    for version in _FAMILIES:
        networks = [one.network if version == 4 else one.network6 for one in firewall.processes]
        yield _address_set("clients", version, [one for one in networks if one is not None])
    for group in _member_groups(firewall):
        for version in _FAMILIES:
            yield _address_set(f"group-{group.name}", version, group.members)
    if _default_reaches_members(firewall):
        for version in _FAMILIES:
            members = [one for group in _member_groups(firewall) for one in group.members]
            yield _address_set("other-groups", version, members)


def _address_set(name: str, version: int, networks: Sequence[Network]) -> tuple[str, list[str]]:
    _word, kind = _FAMILIES[version]
    found = sorted({one for one in networks if one.version == version})
    lines = [f"type {kind}", "flags interval", "auto-merge"]
    if found:
        lines.append(f"elements = {{ {', '.join(map(_element, found))} }}")
    return f"set {name}-v{version}", lines


def _element(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _spread(firewall: Firewall) -> Iterator[tuple[str, list[str]]]:
    """A public port behind which several processes are: one client always meets the same of them."""
    lines = []
    for listener in dict.fromkeys(process.listener for process in firewall.processes):
        several = [process for process in firewall.processes if process.listener == listener]
        if len(several) > 1:
            lines += [_spread_rule(several, version) for version in _FAMILIES if _answers_on(several[0], version)]
    if lines:
        yield "chain spread", ["type nat hook prerouting priority dstnat; policy accept;", *lines]


def _answers_on(process: Process, version: int) -> bool:
    return process.address is None or process.address.version == version


def _spread_rule(several: Sequence[Process], version: int) -> str:
    first, (word, _kind) = several[0], _FAMILIES[version]
    here = "fib daddr type local" if first.address is None else f"{word} daddr {first.address}"
    ports = ", ".join(f"{number} : {process.port}" for number, process in enumerate(several))
    return (
        f"iifname != @tunnels meta nfproto ipv{version} {here} {first.protocol} dport {first.public_port} "
        f"dnat to :jhash {word} saddr . {first.protocol} sport mod {len(several)} map {{ {ports} }}"
    )


def _spoofing(firewall: Firewall) -> Iterator[str]:
    yield "type filter hook prerouting priority raw; policy accept;"
    for process in firewall.processes:
        for version, (word, _kind) in _FAMILIES.items():
            sources = firewall.sources(process, version)
            found = f"{word} saddr != {{ {', '.join(map(str, sources))} }}" if sources else f"meta nfproto ipv{version}"
            yield f'iifname "{process.device}" {found} counter drop comment "no address of this tunnel"'


def _handshakes(firewall: Firewall) -> Iterator[tuple[str, list[str]]]:
    if not firewall.handshakes_per_second:
        return
    for version, (_word, kind) in _FAMILIES.items():
        yield (
            f"set newcomers-v{version}",
            [f"type {kind}", f"size {MOST_SOURCES}", "flags dynamic,timeout", f"timeout {REMEMBERED}"],
        )
    lines = ["type filter hook input priority filter - 10; policy accept;"]
    for protocol, new in (("udp", "ct state new"), ("tcp", "tcp flags & (fin | syn | rst | ack) == syn")):
        ports = sorted({process.port for process in firewall.processes if process.protocol == protocol})
        if ports:
            lines.append(f"{protocol} dport {{ {', '.join(map(str, ports))} }} {new} jump newcomers")
    yield "chain handshakes", lines
    over = f"limit rate over {firewall.handshakes_per_second}/second burst {firewall.handshake_burst} packets"
    drop = 'counter drop comment "too many new connections from one place"'
    yield (
        "chain newcomers",
        [
            f"update @newcomers-v4 {{ ip saddr {over} }} {drop}",
            f"update @newcomers-v6 {{ ip6 saddr & ffff:ffff:ffff:ffff:: {over} }} {drop}",
        ],
    )


def _from_clients(firewall: Firewall) -> Iterator[str]:
    yield from _clamp(firewall)
    yield from _answers()
    if firewall.client_to_client:
        yield from ("ip daddr @clients-v4 accept", "ip6 daddr @clients-v6 accept")
    for group in _member_groups(firewall):
        for version, (word, _kind) in _FAMILIES.items():
            yield f"{word} saddr @group-{group.name}-v{version} goto group-{group.name}"
    default = next((group for group in firewall.groups if group.default), None)
    if default is not None:
        yield f"goto group-{default.name}"
    else:
        yield from _isolation()
        yield "accept"


def _groups(firewall: Firewall) -> Iterator[tuple[str, list[str]]]:
    for group in firewall.groups:
        yield f"chain group-{group.name}", list(_group_rules(group))


def _group_rules(group: GroupRules) -> Iterator[str]:
    if group.reach_members and group.default:
        for version, (word, _kind) in _FAMILIES.items():
            yield f"{word} daddr @clients-v{version} {word} daddr != @other-groups-v{version} accept"
    elif group.reach_members:
        for version, (word, _kind) in _FAMILIES.items():
            yield f"{word} daddr @group-{group.name}-v{version} accept"
    yield from _isolation()
    if group.networks is None:
        yield "accept"
        return
    for version, (word, _kind) in _FAMILIES.items():
        found = [str(one) for one in group.networks if one.version == version]
        if found:
            yield f"{word} daddr {{ {', '.join(found)} }} accept"
    yield f'counter drop comment "not for the group {group.name}"'


def _isolation() -> tuple[str, ...]:
    why = 'counter drop comment "clients do not reach each other"'
    return (f"ip daddr @clients-v4 {why}", f"ip6 daddr @clients-v6 {why}")


def _answers() -> tuple[str, ...]:
    return ("ct direction reply accept", "ct state related accept")


def _clamp(firewall: Firewall) -> Iterator[str]:
    size = firewall.max_segment_size
    if size:
        yield f"{_SYN} tcp option maxseg size {size + 1}-65535 tcp option maxseg size set {size}"


def _to_gateway(firewall: Firewall) -> Iterator[str]:
    yield from _answers()
    yield from ("icmp type echo-request accept", "icmpv6 type echo-request accept")
    for protocol, ports in firewall.ports:
        if ports:
            yield f"{protocol} dport {{ {', '.join(map(str, ports))} }} accept"
    yield 'counter drop comment "the gateway itself is not for clients"'


def _masquerade(firewall: Firewall) -> Iterator[tuple[str, list[str]]]:
    if not firewall.masquerade:
        return
    lines = ["type nat hook postrouting priority srcnat; policy accept;"]
    for version, (word, _kind) in _FAMILIES.items():
        found = [str(one) for process in firewall.processes for one in firewall.sources(process, version)]
        if found:
            lines.append(f"oifname != @tunnels {word} saddr {{ {', '.join(found)} }} masquerade")
    yield "chain postrouting", lines


def _member_groups(firewall: Firewall) -> list[GroupRules]:
    return [group for group in firewall.groups if not group.default]


def _default_reaches_members(firewall: Firewall) -> bool:
    return any(group.default and group.reach_members for group in firewall.groups)
