#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains that a gateway's resolver does not answer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dnsmasq_blocklist
short_description: Have domains that dnsmasq does not answer
version_added: 0.1.0
description:
  - Merges lists of domains into one file that dnsmasq reads as C(servers-file), and again at C(SIGHUP).
  - A list may be a hosts file, plain domains, or lines for dnsmasq (C(address=/DOMAIN/)), also mixed. A line that is
    none of them is left out and counted; a line that names a server or an address of its own is one of those.
  - A domain of a list and everything below it is answered with NXDOMAIN in every type of record. An answer of
    C(0.0.0.0) would hold for A only, and clients on Linux connect to themselves there.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  lists:
    description: Files on this host. One that is missing counts as empty.
    type: list
    elements: path
    default: []
  names:
    description: What O(lists) are called in messages, in the same order; by default their paths.
    type: list
    elements: str
    default: []
  kept_domains:
    description: Domains that no list may take away, nor a domain above or below them.
    type: list
    elements: str
    default: []
  path:
    description: The file to write.
    type: path
    default: /etc/privatespace/dnsmasq.blocklist
attributes:
  check_mode:
    description: Tells whether the file would change.
    support: full
  diff_mode:
    description: Shows how many domains there are, and the fingerprint of the file.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.gateway_resolver
"""

EXAMPLES = r"""
- name: Have no advertisements
  privatespace.gateway.dnsmasq_blocklist:
    lists: [/var/lib/privatespace/blocklists/advertisements]
    kept_domains: [corp.example]
"""

RETURN = r"""
domains:
  description: How many domains are blocked, without those below others.
  returned: success
  type: int
missing:
  description: Those of O(lists) that are not there, as they are called.
  returned: success
  type: list
  elements: str
bad_lines:
  description: How many lines were left out, by file; only files that have such lines.
  returned: success
  type: dict
messages:
  description: The same with the first of these lines, as sentences for a person.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.blocklist import (
    merge_blocklists,
    parse_blocklist,
    render_blocklist,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run

READABLE = 0o644


class BlocklistFile:
    """One run."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.given = parameters
        self.path = Path(parameters["path"])

    def decide(self) -> Change[bytes]:
        """Read the lists and compare."""
        names = self.given["names"] or self.given["lists"]
        contents = {name: read_optional(Path(path)) for name, path in zip(names, self.given["lists"])}
        missing = [name for name, content in contents.items() if content is None]
        parsed = {path: parse_blocklist((text or b"").decode("utf-8", "replace")) for path, text in contents.items()}
        domains = merge_blocklists(parsed.values(), own=self.given["kept_domains"])
        wanted = render_blocklist(domains).encode()
        found = read_optional(self.path)
        bad = {path: one for path, one in parsed.items() if one.bad_lines}
        messages = [f"{path}: {one.bad_lines} lines left out: {'; '.join(one.examples)}" for path, one in bad.items()]
        return Change(
            before=_facts(found),
            after=_facts(wanted),
            steps=() if found == wanted else (wanted,),
            result={
                "domains": len(domains),
                "missing": missing,
                "bad_lines": {path: one.bad_lines for path, one in bad.items()},
                "messages": [*messages, *(f"{path} is not there" for path in missing)],
            },
        )

    def apply(self, change: Change[bytes]) -> Mapping[str, Any]:
        """Replace the file."""
        write_atomic(self.path, change.steps[0], mode=READABLE)
        return {}


def _facts(content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {"domains": None}
    return {"domains": content.count(b"\nserver="), "sha256": fingerprint(content)}


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "lists": {"type": "list", "elements": "path", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "kept_domains": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "default": "/etc/privatespace/dnsmasq.blocklist"},
        },
        supports_check_mode=True,
    )
    work = BlocklistFile(module.params)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
