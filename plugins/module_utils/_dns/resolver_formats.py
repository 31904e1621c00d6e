# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats in which a host says where names are asked: resolv.conf, systemd's, dhclient's, netplan's and others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_TRUE = frozenset({"yes", "true", "on", "1"})
_FALSE = frozenset({"no", "false", "off", "0"})
_OWNER = re.compile(r'\("([^"]+)",pid=(\d+)')
_YAML = re.compile(r"""^(\s*)(?:-\s+)?["']?([^\s"':][^"':]*)["']?\s*:(?:\s+(.*?))?\s*$""")

# Section and option in lower case, with the values in the order in which they were given.
Settings = dict[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Listening:
    """A socket on which somebody waits for questions.

    :param process: Who opened it, as far as that is told; empty where it is not.
    :param pids: All that have it: dnsmasq has a child for each connection over TCP, which inherits its sockets.
    """

    address: str
    process: str
    pids: tuple[int, ...]
    port: int = 53


def is_true(value: str) -> bool:
    """Whether systemd takes a word for yes."""
    return value.lower() in _TRUE


def is_false(value: str) -> bool:
    """Whether systemd takes a word for no."""
    return value.lower() in _FALSE


def parse_name_servers(text: str) -> tuple[str, ...]:
    """The servers of a resolv.conf, in its order."""
    lines = (line.split() for line in text.splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")


def parse_sections(texts: Iterable[str]) -> Settings:
    """The options of systemd's or NetworkManager's files, later ones behind earlier ones.

    An empty assignment takes away what came before it.
    """
    found: Settings = {}
    for text in texts:
        section = ""
        for raw in text.splitlines():
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1].lower()
                continue
            name, mark, value = line.partition("=")
            key = (section, name.strip().lower())
            if mark and value.strip():
                found.setdefault(key, []).append(value.strip())
            elif mark:
                found[key] = []
    return found


def last_value(settings: Settings, names: Iterable[tuple[str, str]], *, otherwise: str = "") -> str:
    """The value that holds: the last one of the first of these options that is given at all."""
    for name in names:
        if settings.get(name):
            return settings[name][-1]
    return otherwise


def all_words(settings: Settings, name: tuple[str, str]) -> tuple[str, ...]:
    """The words of an option that may be given several times."""
    return tuple(word for value in settings.get(name, ()) for word in value.replace(",", " ").split())


def parse_dhclient(text: str) -> tuple[str, tuple[str, ...]]:
    """What dhclient does about name servers: ``asks``, ``sets`` some of its own, or nothing (an empty word).

    :returns: That word, and the servers that the file itself names.
    """
    plain = re.sub(r"#[^\n]*", "", text)
    statements = [" ".join(one.split()) for one in plain.replace("{", ";").replace("}", ";").split(";")]
    named: list[str] = []
    requests = [one for one in statements if re.match(r"(?:also )?request\b", one)]
    for one in statements:
        found = re.match(r"(supersede|prepend|append|default) (?:\S+\.)?domain-name-servers (.+)$", one)
        if found:
            named += [word.strip() for word in found.group(2).split(",")]
            if found.group(1) == "supersede":
                return "sets", tuple(named)
    # Without a statement dhclient asks for them by itself.
    if not requests or any("domain-name-servers" in one or "name-servers" in one for one in requests):
        return "asks", tuple(named)
    return ("sets", tuple(named)) if named else ("", ())


def parse_leases(text: str) -> tuple[str, ...]:
    """The servers of the last lease of dhclient, networkd or NetworkManager."""
    found = re.findall(r"option domain-name-servers ([0-9., ]+);", text)
    found += re.findall(r"^(?:DNS|domain_name_servers)=(.+)$", text, re.MULTILINE)
    return tuple(found[-1].replace(",", " ").split()) if found else ()


def parse_listening(text: str) -> tuple[Listening, ...]:
    """The sockets that ``ss -H -l -n -p -t -u`` shows."""
    sockets = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 5:
            owners = _OWNER.findall(line)
            name, _mark, port = words[4].rpartition(":")
            address = name.partition("%")[0].strip("[]")
            pids = tuple(int(pid) for _process, pid in owners)
            sockets.append(Listening(address, owners[0][0] if owners else "", pids, int(port)))
    return tuple(sockets)


def parse_netplan(text: str) -> dict[tuple[str, ...], str]:
    """The scalars of a netplan file by their paths; a list is one value, its items separated by spaces.

    Block style, as installers and cloud-init write it, and lists in brackets. Nothing here runs what it reads.
    """
    found: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        item = re.match(r"\s*-\s+([^:]+|\S+)$", line)
        if item and not _YAML.match(line):
            names = tuple(name for level, name in path if level <= indent)
            found[names] = f"{found.get(names, '')} {_plain(item.group(1))}".strip()
            continue
        one = _YAML.match(line)
        if one:
            path = [(level, name) for level, name in path if level < indent]
            path.append((indent, one.group(2).strip()))
            if one.group(3):
                found.update(_flow(tuple(name for _level, name in path), one.group(3)))
    return found


def _flow(names: tuple[str, ...], value: str) -> Iterator[tuple[tuple[str, ...], str]]:
    if value.startswith("{"):
        for part in re.findall(r"([\w.-]+)\s*:\s*(\[[^\]]*\]|[^,}]+)", value):
            yield (*names, part[0]), _plain(part[1])
    else:
        yield names, _plain(value)


def _plain(value: str) -> str:
    words = (word.strip().strip("\"'") for word in value.strip().strip("[]").split(","))
    return " ".join(word for word in words if word)


def elsewhere(servers: Sequence[str]) -> tuple[str, ...]:
    """The servers of a list that are addresses of other hosts, each once."""
    kept = []
    for server in servers:
        try:
            address = ipaddress.ip_address(server)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_unspecified or address.is_link_local):
            kept.append(str(address))
    return tuple(dict.fromkeys(kept))
