# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of nftables while a window is open: a table of their own, and what our own table has to let through.

The table keeps everybody but the probes away from the ports. What other firewalls drop stays dropped.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import TunnelAddress
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import WindowSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command

SECONDS, ATTEMPTS = 15, 3
TABLE = "privatespace-diagnosis"
COMMENT = "privatespace-diagnosis"
# Of the role openvpn; what comes out of the tunnels for the gateway itself passes this chain.
OWN_TABLE, OWN_CHAIN = "privatespace", "to-gateway"
_FAMILIES = {4: "ip", 6: "ip6"}


def render_rules(settings: WindowSettings, tunnels: Sequence[TunnelAddress], *, own_table: bool) -> str:
    """What ``nft --file`` is given, in one step.

    :param own_table: Whether the table of the role openvpn is there.
    """
    ports = f"{{ {', '.join(map(str, sorted(settings.ports)))} }}"
    lines = [f"iifname {devices} goto tunnels" for devices in _devices(tunnels)]
    for version, word in _FAMILIES.items():
        probes = [one for one in settings.probes if ipaddress.ip_network(one).version == version]
        if probes:
            lines.append(f"{word} saddr {{ {', '.join(probes)} }} accept")
    lines.append('counter drop comment "not a probe"')
    inside = [f"{_to_tunnel(one)} accept" for one in tunnels] + ['counter drop comment "not in a tunnel"']
    text = (
        f"table inet {TABLE} {{\n"
        f"\tchain tunnels {{\n{_indented(inside)}\t}}\n"
        f"\tchain ports {{\n{_indented(lines)}\t}}\n"
        f"\tchain input {{\n\t\ttype filter hook input priority filter - 20; policy accept;\n"
        f"\t\ttcp dport {ports} jump ports\n\t\tudp dport {ports} jump ports\n\t}}\n}}\n"
    )
    return text + "".join(_own_rules(settings, tunnels) if own_table else ())


def open_rules(settings: WindowSettings, tunnels: Sequence[TunnelAddress]) -> tuple[str, ...]:
    """Put the rules in place; returns what stands in the way and is not ours to change, a sentence each.

    :raises CommandError: nftables does not take them, and none is in place.
    """
    listed = _list_rules()
    chains = [one["chain"] for one in listed if "chain" in one]
    own = any((one["table"], one["name"]) == (OWN_TABLE, OWN_CHAIN) for one in chains)
    rules = render_rules(settings, tunnels, own_table=own)
    run_command(("nft", "--file", "-"), stdin=rules.encode(), timeout_seconds=SECONDS)
    return tuple(_obstacles(chains, settings))


def remove_rules() -> None:
    """Take every rule of a window away, whoever opened it, and nothing else.

    :raises CommandError: some are still there.
    """
    for attempt in range(ATTEMPTS):
        commands = _removals(_list_rules())
        if not commands:
            return
        # Between the two somebody may have replaced the table.
        last = attempt == ATTEMPTS - 1
        text = "\n".join(commands).encode() + b"\n"
        if run_command(("nft", "--file", "-"), stdin=text, timeout_seconds=SECONDS, check=last).status == 0:
            return


def _removals(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    tables = [f"delete table inet {TABLE}" for one in listed if one.get("table", {}).get("name") == TABLE]
    # A handle is looked up anew: the table may be another one meanwhile, and its handles are those of others.
    rules = [one["rule"] for one in listed if "rule" in one and one["rule"].get("comment") == COMMENT]
    own = [rule for rule in rules if (rule["family"], rule["table"]) == ("inet", OWN_TABLE)]
    return tables + [f"delete rule inet {OWN_TABLE} {rule['chain']} handle {rule['handle']}" for rule in own]


def _list_rules() -> list[dict[str, Any]]:
    done = run_command(("nft", "--json", "--terse", "list", "ruleset"), timeout_seconds=SECONDS)
    try:
        found: list[dict[str, Any]] = json.loads(done.output or "{}").get("nftables", [])
    except ValueError as error:
        raise CommandError("nftables did not list its rules in JSON.") from error
    return found


def _devices(tunnels: Sequence[TunnelAddress]) -> Iterator[str]:
    names = ", ".join(dict.fromkeys(f'"{one.device}"' for one in tunnels))
    if names:
        yield f"{{ {names} }}"


def _to_tunnel(tunnel: TunnelAddress) -> str:
    word = _FAMILIES[ipaddress.ip_address(tunnel.address).version]
    return f'iifname "{tunnel.device}" {word} daddr {tunnel.address}'


def _own_rules(settings: WindowSettings, tunnels: Sequence[TunnelAddress]) -> Iterator[str]:
    for tunnel in tunnels:
        for protocol in ("tcp", "udp"):
            ports = f"{protocol} dport {{ {settings.outside_ports[0]}, {settings.responder_port} }}"
            yield (
                f'insert rule inet {OWN_TABLE} {OWN_CHAIN} {_to_tunnel(tunnel)} {ports} accept comment "{COMMENT}"\n'
            )


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"\t\t{line}\n" for line in lines)


def _obstacles(chains: Sequence[Mapping[str, Any]], settings: WindowSettings) -> Iterator[str]:
    """Firewalls of others that drop what they do not know; a packet that any of them drops is dropped."""
    ports = ", ".join(map(str, sorted(settings.ports)))
    ask = f"Where probes do not get through, let them reach the ports {ports} (TCP and UDP) in it while you measure."
    tables = {
        f"{one['family']} {one['table']}"
        for one in chains
        if one.get("hook") == "input" and one.get("policy") == "drop" and one["table"] not in (TABLE, OWN_TABLE)
    }
    tables |= {f"{one['family']} {one['table']}" for one in chains if one["table"] == "firewalld"}
    for table in sorted(tables):
        yield f"The firewall table '{table}' decides, too, and is not ours to change. {ask}"
