# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a gateway's own resolver: dnsmasq on the loopback address, or what was there before."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_values import DNS_PORT
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_formats import (
    Listening,
    elsewhere,
    parse_name_servers,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_sources import (
    MARKER,
    NETWORK_MANAGER,
    NETWORK_MANAGER_DROP_IN,
    NETWORKD,
    NETWORKD_DROP_IN,
    RESOLV_CONF,
    RESOLVED,
    RESOLVED_DROP_IN,
    HostFiles,
    OwnFile,
    Source,
    find_dhcp_servers,
    find_sources,
    find_stub_conflicts,
    is_whole_ours,
    own_paths,
)

OVERRIDE, REPORT, KEEP = "override", "report", "keep"
WRITE, REMOVE, LINK, RELOAD = "write", "remove", "link", "reload"
LOOPBACK = "127.0.0.1"
OWN_UNIT, STUBBY_UNIT = "privatespace-dnsmasq.service", "privatespace-stubby.service"
FOREIGN_UNITS = ("dnsmasq.service", "stubby.service")
_EVERYWHERE = frozenset({"0.0.0.0", "*", "::", "127.0.0.1", "::1"})  # noqa: S104
# Whoever has to read a drop-in before it holds.
_READERS = {RESOLVED_DROP_IN: RESOLVED, NETWORK_MANAGER_DROP_IN: NETWORK_MANAGER}
# What the C library takes of a resolv.conf.
MOST_NAME_SERVERS = 3


@dataclass(frozen=True)
class Step:
    """One thing to do: ``write``, ``remove`` or ``link`` a path, or have a unit read its files (``reload``)."""

    kind: str
    path: str = ""
    content: str = ""


@dataclass(frozen=True)
class Memory:
    """What resolv.conf was before it was ours, kept in a file.

    :param path: The file.
    :param found: Its content, or ``None`` where nothing is remembered.
    """

    path: str
    found: str | None

    @property
    def value(self) -> Mapping[str, Any]:
        """The text that resolv.conf had, and the target of the link that it was; each may be ``None``.

        :raises StateError: the file is damaged.
        """
        try:
            value = json.loads(self.found or "{}")
        except ValueError as error:
            raise StateError(
                f"{self.path} is damaged: {error}.", remedy=f"Remove it, and have {RESOLV_CONF} as you want it."
            ) from error
        return value if isinstance(value, dict) else {}

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that resolv.conf named."""
        return parse_name_servers(self.value.get("text") or "")

    def remembering(self, host: HostFiles) -> Step:
        """How to remember what resolv.conf is now."""
        value = {"text": host.texts.get(RESOLV_CONF), "link": host.links.get(RESOLV_CONF)}
        return Step(WRITE, self.path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def render_resolv_conf(search: Sequence[str]) -> str:
    """The resolv.conf that asks dnsmasq.

    :raises InputError: for a domain that is none.
    """
    domains = [parse_name(one, what="A domain in 'search'") for one in search]
    lines = [MARKER, f"nameserver {LOOPBACK}", "options edns0"]
    return "\n".join([*lines, *([f"search {' '.join(domains)}"] if domains else []), ""])


def require_no_foreign_unit(*, running: Collection[str], enabled: Collection[str]) -> None:
    """Refuse where a package's own resolver has the port, or would have it after the next start of the system.

    Packaged dnsmasq and stubby are not taken over: the one may serve DHCP to a network as well, and what stands in
    /etc/dnsmasq.d is not known here. The administrator says so, with the command that the message gives.

    :param running: Units that run.
    :param enabled: Units that start with the system.
    :raises StateError: naming the unit, and the command that frees the port.
    """
    for unit in FOREIGN_UNITS:
        if unit in running or unit in enabled:
            does = "runs" if unit in running else "starts with the system"
            raise StateError(
                f"{unit} of the distribution's package {does} and would have port 53.",
                remedy=f"If nothing else needs it: systemctl disable --now {unit}",
            )


def own_ports(tls_local_port: int) -> dict[str, int]:
    """Our units with the ports on which they wait.

    :param tls_local_port: The one of stubby, or 0 where there is none.
    """
    return {OWN_UNIT: DNS_PORT, **({STUBBY_UNIT: tls_local_port} if tls_local_port else {})}


def require_free_ports(
    sockets: Mapping[str, Sequence[Listening]], *, running: Mapping[str, int], host: HostFiles
) -> None:
    """Refuse where anybody else has a port of ours.

    :param sockets: Who listens on the port of each of our units.
    :param running: The processes of units that run.
    :raises StateError: naming who has the port, and what frees it.
    """
    conflicts = find_stub_conflicts(host)
    if conflicts:
        raise StateError(
            f"systemd-resolved listens where dnsmasq has to, by DNSStubListenerExtra in {', '.join(conflicts)}.",
            remedy="Take that line away, then: systemctl restart systemd-resolved",
        )
    for unit, found in sockets.items():
        for socket in found:
            if socket.address in _EVERYWHERE and running.get(unit) not in socket.pids:
                numbers = ", ".join(map(str, socket.pids))
                who = f"'{socket.process}' (process {numbers})" if socket.process else "A process"
                raise StateError(
                    f"{who} listens on {socket.address} port {socket.port}, where {unit} has to.",
                    remedy="Stop and disable it, or have it listen on other addresses.",
                )


def require_stubby(sockets: Mapping[str, Sequence[Listening]], *, running: Mapping[str, int]) -> None:
    """Refuse where stubby does not wait for dnsmasq, which would ask whoever does in clear.

    :param sockets: Who listens on the port of each of our units.
    :param running: The processes of units that run.
    :raises StateError: with the command that tells why.
    """
    found, pid = sockets.get(STUBBY_UNIT, ()), running.get(STUBBY_UNIT)
    if not any(socket.address == LOOPBACK and pid in socket.pids for socket in found):
        raise StateError(
            f"{STUBBY_UNIT} does not listen where dnsmasq asks it.",
            remedy=f"What it says: journalctl --unit={STUBBY_UNIT}",
        )


def plan_resolver(host: HostFiles, *, policy: str, memory: Memory, search: Sequence[str] = ()) -> Change[Step]:
    """Decide what is written and taken away.

    :param policy: ``override``, ``report`` or ``keep``; the latter two put back what was there.
    :param memory: What resolv.conf was before it was ours.
    """
    sources = find_sources(host)
    wanted = _wanted_files(sources) if policy == OVERRIDE else {}
    steps = [*_file_steps(host, wanted)]
    after = render_resolv_conf(search) if policy == OVERRIDE else None
    steps = [*_resolv_conf_steps(host, after, memory), *steps]
    # resolv.conf first, so that programs that ask it never meet a gap; its managers read their drop-ins afterwards.
    steps += [Step(RELOAD, unit) for unit in _readers(steps) if unit in host.units]
    found = [{**source.as_dict(), "action": _action(policy)} for source in sources]
    return Change(
        before={"resolv_conf": host.texts.get(RESOLV_CONF, ""), "files": _fingerprints(host, own_paths(host))},
        after=_outlook(host, steps),
        steps=tuple(steps),
        result={
            "sources": found,
            "network_servers": list(find_dhcp_servers(host) or elsewhere(memory.servers)),
            "messages": [describe(one) for one in found] if policy != KEEP else [],
        },
    )


def describe(found: Mapping[str, Any]) -> str:
    """A source as a sentence for a person."""
    servers = f" ({', '.join(found['servers'])})" if found["servers"] else ""
    end = f"overridden by {', '.join(found['overridden_by'])}" if found["action"] == "overridden" else "left alone"
    return f"{found['manager']}: {found['path']} {found['detail']}{servers}: {end}"


def _action(policy: str) -> str:
    return "overridden" if policy == OVERRIDE else "reported"


def _wanted_files(sources: Sequence[Source]) -> dict[str, OwnFile]:
    return {end.path: end for source in sources for end in source.ends}


def _file_steps(host: HostFiles, wanted: Mapping[str, OwnFile]) -> Iterator[Step]:
    for path in sorted({*wanted, *own_paths(host)}):
        found = host.texts.get(path)
        content = _content(found, wanted.get(path))
        if content == found:
            continue
        yield Step(REMOVE, path) if content is None else Step(WRITE, path, content)


def _content(found: str | None, wanted: OwnFile | None) -> str | None:
    """What a file is to hold; ``None`` for no file."""
    if wanted is not None and not wanted.block:
        return wanted.content
    others = (found or "").partition(MARKER)[0]
    if wanted is not None:
        return f"{others}{MARKER}\n{wanted.content}"
    return others or None


def _resolv_conf_steps(host: HostFiles, wanted: str | None, memory: Memory) -> Iterator[Step]:
    found, is_link = host.texts.get(RESOLV_CONF), RESOLV_CONF in host.links
    is_ours = found is not None and is_whole_ours(found)
    if wanted is not None:
        if not is_ours:
            yield memory.remembering(host)
        if found != wanted or is_link:
            yield Step(WRITE, RESOLV_CONF, wanted)
        return
    if memory.found is None:
        if is_ours:
            yield Step(WRITE, RESOLV_CONF, _resolv_conf_of_network(host, memory))
        return
    remembered = memory.value
    if is_ours and remembered.get("link"):
        yield Step(LINK, RESOLV_CONF, remembered["link"])
    elif is_ours and remembered.get("text") is not None:
        yield Step(WRITE, RESOLV_CONF, remembered["text"])
    elif is_ours:
        yield Step(REMOVE, RESOLV_CONF)
    yield Step(REMOVE, memory.path)


def _resolv_conf_of_network(host: HostFiles, memory: Memory) -> str:
    """What is written where nobody remembers what there was."""
    named = [server for source in find_sources(host) for server in source.servers]
    servers = (find_dhcp_servers(host) or elsewhere(named))[:MOST_NAME_SERVERS]
    if not servers:
        raise StateError(
            f"{memory.path} is gone, which says what {RESOLV_CONF} was, and nothing on this host names a name server.",
            remedy=f"Write the lines 'nameserver ADDRESS' into {RESOLV_CONF} in the place of all that is there.",
        )
    return "".join(f"nameserver {server}\n" for server in servers)


def _readers(steps: Sequence[Step]) -> list[str]:
    """Units in the order in which they pass on to each other what they read.

    systemd-networkd reads when drop-ins are taken away, not when they come: it may take addresses away and get them
    again for it, and until its next start nobody asks the servers that it was given. Since then it has no servers.
    """
    undone = [
        step.path for step in steps if step.kind == REMOVE and step.path.endswith(f".network.d/{NETWORKD_DROP_IN}")
    ]
    readers = sorted({_READERS[step.path] for step in steps if step.path in _READERS})
    return ([NETWORKD] if undone else []) + readers


def _fingerprints(host: HostFiles, paths: Sequence[str]) -> dict[str, str]:
    return {path: fingerprint(host.texts[path].encode()) for path in paths}


def _outlook(host: HostFiles, steps: Sequence[Step]) -> dict[str, Any]:
    """What :attr:`Change.before` will be once the steps are done."""
    texts = dict(host.texts)
    for step in steps:
        if step.kind == WRITE:
            texts[step.path] = step.content
        elif step.kind == LINK:
            texts[step.path] = f"link to {step.content}"
        elif step.kind == REMOVE:
            texts.pop(step.path, None)
    later = HostFiles(texts)
    return {"resolv_conf": texts.get(RESOLV_CONF, ""), "files": _fingerprints(later, own_paths(later))}
