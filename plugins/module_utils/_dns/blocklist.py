# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of domains that are not to be answered: read in three formats, written as dnsmasq reads them again at SIGHUP.

A domain on a list, and everything below it, does not exist (NXDOMAIN) in any type of record. The address 0.0.0.0
instead would hold for A only, and clients on Linux connect to themselves there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_config import MARKER
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import LONGEST_NAME

# Names in the wild hold underscores, which names of hosts do not.
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Only what blocks: a list that names a server or an address of its own wants to send people somewhere.
_DNSMASQ = re.compile(r"(?:address|server|local)=/([^#]*)/(?:|#|0\.0\.0\.0|::|127\.0\.0\.1)")
_SINKS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104
# A hosts file names the machine itself, too; that is no mistake, and nothing to block.
_MACHINE = _SINKS | {
    "localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback",
    "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts",
}  # fmt: skip
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class Blocklist:
    """What a list holds.

    :param bad_lines: How many lines hold something else.
    :param examples: The first of them, with their numbers.
    """

    domains: frozenset[str]
    bad_lines: int = 0
    examples: tuple[str, ...] = ()


def parse_blocklist(text: str) -> Blocklist:
    """Read a hosts file, a list of plain domains, or lines for dnsmasq, mixed as they come; bad lines are left out."""
    domains: set[str] = set()
    bad: list[str] = []
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0] if not line.lstrip().startswith(("address=", "server=")) else line
        names = _names_in(words.strip())
        found = [name.lower().rstrip(".") for name in names or ()]
        wrong = [name for name in found if name not in _MACHINE and not _is_domain(name)]
        if names is None or wrong:
            count += 1
            bad += [f"line {number}: {shown(line.strip())}"] if count <= MOST_EXAMPLES else []
        domains.update(name for name in found if name not in _MACHINE and name not in wrong)
    return Blocklist(frozenset(domains), count, tuple(bad))


def _names_in(words: str) -> list[str] | None:
    """The names of a line, none for an empty one, and ``None`` for what is no line of a list."""
    if not words or words.startswith("!"):
        return []
    if "=" in words:
        found = _DNSMASQ.fullmatch(words)
        return found.group(1).split("/") if found else None
    first, *rest = words.split()
    if not rest:
        return [first]
    return rest if first in _SINKS or _MACHINE.issuperset(rest) else None


def _is_domain(name: str) -> bool:
    if len(name) > LONGEST_NAME or not _DOMAIN.fullmatch(name):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def merge_blocklists(lists: Iterable[Blocklist], *, own: Collection[str]) -> tuple[str, ...]:
    """The domains of all lists in order, without those below another and without what would take own names away.

    :param own: Domains that this gateway answers itself or has others answer, with everything below them.
    """
    everything = frozenset().union(*(one.domains for one in lists))
    owned = frozenset(name.lower().rstrip(".") for name in own)
    kept = {above for name in owned for above in _upwards(name)}
    wanted = {name for name in everything - kept if owned.isdisjoint(_upwards(name))}
    return tuple(sorted(name for name in wanted if not any(up in wanted for up in _upwards(name)[1:])))


def _upwards(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def render_blocklist(domains: Iterable[str]) -> str:
    """The file that dnsmasq reads: nobody is asked for these domains."""
    return "\n".join([MARKER, *(f"server=/{name}/" for name in domains), ""])
