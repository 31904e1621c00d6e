#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a gateway itself asks names."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_resolver
short_description: Have a gateway ask its own dnsmasq, and nobody that DHCP names
version_added: 0.1.0
description:
  - Finds who has a say in where this host asks names - C(/etc/resolv.conf), dhclient, dhcpcd, systemd-resolved,
    systemd-networkd, netplan, NetworkManager, cloud-init, openresolv -, reports each with its file, and overrides it
    with a drop-in or a hook that comes last. No file of the administrator is edited where a file beside it does.
  - C(/etc/resolv.conf) becomes a plain file that names C(127.0.0.1). Before that dnsmasq has to answer a question
    there; otherwise nothing is changed, and the error names the upstreams that are dead.
  - What was there is remembered, and O(policy=keep) puts it back. Where the memory is gone, C(/etc/resolv.conf) gets
    the servers that the network or its settings name.
  - systemd-networkd is not restarted, since that may take addresses away. Its drop-ins hold from its next start on;
    until then systemd-resolved already sends all questions to dnsmasq. When they are taken away again it reads its
    files (C(networkctl reload)).
author:
  - Private Space Gateway contributors (@privatespace)
options:
  policy:
    description:
      - V(override) has the host ask dnsmasq. V(report) tells who has a say. V(keep) says nothing.
      - The latter two put back what V(override) has changed.
    type: str
    choices: [override, report, keep]
    default: report
  search:
    description: Domains in which short names are looked for.
    type: list
    elements: str
    default: []
  probe_name:
    description: What dnsmasq is asked as a proof. A V(.) asks for the name servers of the root.
    type: str
    default: "."
  prove:
    description: Whether dnsmasq has to answer. It always has to with O(policy=override). Check mode asks nobody.
    type: bool
    default: false
  upstreams:
    description: The servers behind dnsmasq, V(ADDRESS) or V(ADDRESS#PORT), to tell which of them are dead.
    type: list
    elements: str
    default: []
  tls_upstreams:
    description: The servers behind stubby, to tell which of them are dead or somebody else.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address.
        type: str
        required: true
      name:
        description: The name in its certificate.
        type: str
        required: true
  tls_port:
    description: The port of O(tls_upstreams).
    type: int
    default: 853
  tls_local_port:
    description: The port of the loopback address on which stubby waits for dnsmasq; V(0) where there is no stubby.
    type: int
    default: 0
  tls_ca_file:
    description: Certificates that are trusted, PEM.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  require_port:
    description:
      - Whether to fail where somebody else has port 53 or O(tls_local_port) of the loopback address or of all
        addresses.
    type: bool
    default: false
  require_stubby:
    description: Whether to fail, also in check mode, where the role's stubby does not have O(tls_local_port).
    type: bool
    default: false
  require_upstreams:
    description: Whether to fail where none of O(upstreams) and O(tls_upstreams) answers, also in check mode.
    type: bool
    default: false
  require_others:
    description: Whether to fail, also in check mode, where nobody in C(/etc/resolv.conf) but dnsmasq answers.
    type: bool
    default: false
  memory_file:
    description: Where to remember what C(/etc/resolv.conf) was.
    type: path
    default: /var/lib/privatespace/resolver.json
  root:
    description: The root of the file system, for one that is not running. There nobody is asked and nothing restarted.
    type: path
    default: /
attributes:
  check_mode:
    description: Tells what would be overridden or put back.
    support: full
  diff_mode:
    description: Shows C(/etc/resolv.conf) and fingerprints of the other files.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.dnsmasq_blocklist
"""

EXAMPLES = r"""
- name: Tell who has a say in where this gateway asks names
  privatespace.gateway.gateway_resolver:
    policy: report
  register: resolver

- name: Ask dnsmasq, as soon as it answers
  privatespace.gateway.gateway_resolver:
    policy: override
    upstreams: [9.9.9.9, 1.1.1.1]
"""

RETURN = r"""
sources:
  description: Who has a say.
  returned: success
  type: list
  elements: dict
  contains:
    manager:
      description: The program.
      type: str
      sample: dhclient
    path:
      description: Its file that says so.
      type: str
    detail:
      description: What it says.
      type: str
    servers:
      description: The servers that the file names.
      type: list
      elements: str
    overridden_by:
      description: The files that end it.
      type: list
      elements: str
    action:
      description: V(overridden), or V(reported).
      type: str
messages:
  description: The same as sentences for a person.
  returned: success
  type: list
  elements: str
network_servers:
  description: The name servers that DHCP gave.
  returned: success
  type: list
  elements: str
upstreams:
  description: What each of O(upstreams) and O(tls_upstreams) answered, by address; empty where nobody was asked.
  returned: success
  type: dict
  sample: {"9.9.9.9#53": NOERROR, "1.1.1.1#53": no answer}
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_formats as formats
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_plan as resolver
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_proof as proof
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import resolver_sources as sources
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_values import parse_server
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages import Question
from ansible_collections.privatespace.gateway.plugins.module_utils._host import resolver_files as effects
from ansible_collections.privatespace.gateway.plugins.module_utils._host import resolver_query as queries
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run


class OwnResolver:
    """One run: look, prove, decide, and write."""

    def __init__(self, parameters: Mapping[str, Any], *, only_look: bool) -> None:
        self.given = parameters
        self.root = Path(parameters["root"])
        wanted = parameters["prove"] or parameters["policy"] == resolver.OVERRIDE
        self.proves = wanted and not only_look and self.root == Path("/")

    def decide(self) -> Change[resolver.Step]:
        """Read what is there, and ask; nothing is written."""
        question = Question(self.given["probe_name"])
        servers = [parse_server(one, what="A server in 'upstreams'") for one in self.given["upstreams"]]
        host = self._look()
        outcomes: dict[str, str] = {}
        if self.proves or self.given["require_upstreams"]:
            own = queries.ask_server(resolver.LOOPBACK, question=question, timeout_seconds=10) if self.proves else ""
            outcomes = queries.ask_servers(servers, question=question, timeout_seconds=3)
            tls = {"port": self.given["tls_port"], "ca_file": self.given["tls_ca_file"]}
            outcomes.update(queries.greet_servers(self.given["tls_upstreams"], **tls))
            proof.require_answer(own, outcomes, name=question.name)
        if self.given["require_others"]:
            named = proof.others(formats.parse_name_servers(host.texts.get(sources.RESOLV_CONF, "")))
            answers = queries.ask_servers([(one, 53) for one in named], question=question, timeout_seconds=3)
            proof.require_other_answer(answers, name=question.name)
        memory = resolver.Memory(self.given["memory_file"], host.texts.get(self.given["memory_file"]))
        change = resolver.plan_resolver(host, policy=self.given["policy"], memory=memory, search=self.given["search"])
        return replace(change, result={**change.result, "upstreams": outcomes})

    def apply(self, change: Change[resolver.Step]) -> Mapping[str, Any]:
        """Do the steps in their order."""
        for step in change.steps:
            effects.apply_step(self.root, step.kind, path=step.path, content=step.content)
        return {}

    def _look(self) -> sources.HostFiles:
        texts, links = effects.read_texts(self.root, (*sources.PATTERNS, self.given["memory_file"]))
        ports = resolver.own_ports(self.given["tls_local_port"])
        units = effects.units_in_use(self.root, (*sources.UNITS, *resolver.FOREIGN_UNITS, *ports))
        host = sources.HostFiles(texts, links, effects.find_existing(self.root, sources.PROGRAMS), units.names)
        shown = {unit: effects.listening_sockets(self.root, port=port) for unit, port in ports.items()}
        sockets = {unit: formats.parse_listening(text) for unit, text in shown.items()}
        if self.given["require_port"]:
            resolver.require_no_foreign_unit(running=units.running, enabled=units.enabled)
            resolver.require_free_ports(sockets, running=units.running, host=host)
        if self.given["require_stubby"]:
            resolver.require_stubby(sockets, running=units.running)
        return host


def main() -> None:
    """Read the parameters and run."""
    flag = {"type": "bool", "default": False}
    strings = {"type": "list", "elements": "str", "default": []}
    tls_options = {"address": {"type": "str", "required": True}, "name": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "policy": {"type": "str", "choices": ["override", "report", "keep"], "default": "report"},
            "search": strings,
            "probe_name": {"type": "str", "default": "."},
            **dict.fromkeys(("prove", "require_port", "require_stubby", "require_upstreams", "require_others"), flag),
            "upstreams": strings,
            "tls_upstreams": {"type": "list", "elements": "dict", "default": [], "options": tls_options},
            "tls_port": {"type": "int", "default": 853},
            "tls_local_port": {"type": "int", "default": 0},
            "tls_ca_file": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
            "memory_file": {"type": "path", "default": "/var/lib/privatespace/resolver.json"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    work = OwnResolver(module.params, only_look=module.check_mode)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
