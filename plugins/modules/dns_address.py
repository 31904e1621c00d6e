#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have names show addresses, through RFC 2136 or Route 53."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_address
short_description: Have names show addresses, through RFC 2136 or Route 53
version_added: 0.1.0
description:
  - Keeps the A and AAAA records of one name, or of many in one call, then asks the name servers of the zone until each
    of them answers with what was written.
  - Nothing is sent where everything is right already. What is changed is changed only as long as it is still what was
    read before; if somebody else was faster, the module reads and decides again.
  - A name of ours carries a TXT record, C("heritage=privatespace.gateway"). A name that shows other addresses, or is an
    alias, and does not carry it is somebody else's, and the module refuses to touch it unless O(overwrite=true).
  - A time-out, a wrong key, a missing zone, a refusal by policy, and a provider that is asked too often have messages
    of their own. The last one is tried again, with longer and longer pauses.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  provider:
    description:
      - Who holds the zone. V(rfc2136) is a name server that takes dynamic updates, such as BIND, Knot or PowerDNS;
        V(route53) is Amazon Route 53.
    type: str
    choices: [rfc2136, route53]
    required: true
  zone:
    description:
      - The name of the zone. It can be left out where O(zone_id) is given.
      - Among the zones of Route 53 only public ones are found by name, and two of one name are refused.
    type: str
  name:
    description: A name in the zone, in full or as its first label. Either this or O(records) is needed.
    type: str
  addresses:
    description: The IPv4 and IPv6 addresses that O(name) shall show. Others that it shows are removed.
    type: list
    elements: str
    default: []
  ttl:
    description: How many seconds resolvers keep the records.
    type: int
    default: 60
  state:
    description: V(absent) removes the addresses, and our TXT record.
    type: str
    choices: [present, absent]
    default: present
  overwrite:
    description: Whether records of somebody else are replaced, or removed. An alias (CNAME) is replaced, too.
    type: bool
    default: false
  weight:
    description: The share of this set of addresses, from 0 to 255, with O(set_identifier); for Route 53 only.
    type: int
  set_identifier:
    description:
      - Which of the weighted sets of the name is meant; for Route 53 only. The other sets of the name are left alone.
      - The module waits until Route 53 has told its servers. It does not ask them, since they answer with one of the
        sets by chance.
    type: str
  records:
    description: Several names, each with what would be said for one. What is left out is as said for all.
    type: list
    elements: dict
    suboptions:
      name:
        description: A name in the zone, in full or as its first label.
        type: str
        required: true
      addresses:
        description: See O(addresses).
        type: list
        elements: str
        default: []
      ttl:
        description: See O(ttl).
        type: int
      state:
        description: See O(state).
        type: str
        choices: [present, absent]
      overwrite:
        description: See O(overwrite).
        type: bool
      weight:
        description: See O(weight).
        type: int
      set_identifier:
        description: See O(set_identifier).
        type: str
  claim:
    description:
      - Whether the TXT record decides whose a name is. With V(false) it is neither read nor written, and addresses that
        are there are replaced. That is for keys that may write the addresses of their own name only.
    type: bool
    default: true
  servers:
    description:
      - The zone's primary name server, by addresses or names, in as many ways as it can be reached;
        V(198.51.100.1#5300) has its own port. The first that answers is used.
    type: list
    elements: str
    default: []
  port:
    description: The port of name servers that are given without one, or found.
    type: int
    default: 53
  key_name:
    description: The name of the TSIG key.
    type: str
    default: ""
  key_secret:
    description: The secret of the TSIG key, in base64.
    type: str
    default: ""
  key_algorithm:
    description: The algorithm of the TSIG key.
    type: str
    choices: [hmac-sha256, hmac-sha512]
    default: hmac-sha256
  zone_id:
    description: The identifier of the hosted zone, which tells private zones and zones of one name apart.
    type: str
    default: ""
  profile:
    description: The profile of the AWS configuration to sign in with.
    type: str
    default: ""
  access_key:
    description:
      - The access key to sign in with. Without this and O(profile) it is what boto3 finds, such as the environment or
        the role of the instance.
    type: str
    default: ""
  secret_key:
    description: The secret of O(access_key).
    type: str
    default: ""
  endpoint_url:
    description:
      - Another endpoint of Route 53. If it is not one of Amazon's, it is an imitation such as moto or LocalStack, whose
        zones no name server answers for, and none is asked unless O(verify_servers) says so.
    type: str
    default: ""
  timeout_seconds:
    description: How many seconds one answer may take. For RFC 2136, a part of them is for UDP and the rest for TCP.
    type: float
    default: 10.0
  verify_seconds:
    description:
      - How many seconds the name servers may take to answer right, before the module fails. V(0) asks nobody.
    type: float
    default: 60.0
  verify_servers:
    description: The name servers to ask. Without this option, all that the zone names; with an empty list, none.
    type: list
    elements: str
requirements:
  - dnspython >= 2.3 for O(provider=rfc2136), and to ask the name servers
  - boto3 >= 1.26 for O(provider=route53)
notes:
  - The libraries are needed where the module runs, which is best the controller (C(delegate_to=localhost)).
attributes:
  check_mode:
    description: Reads what is there and tells what would be changed. The name servers are not asked.
    support: full
  diff_mode:
    description: Shows addresses, TTL and owner of each name that is changed.
    support: full
  platform:
    description: Runs wherever the libraries are.
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: Have a name in a zone that BIND holds
  privatespace.gateway.dns_address:
    provider: rfc2136
    servers: [198.51.100.53, "2001:db8::53"]
    zone: example.net
    key_name: controller
    key_secret: "{{ vault_dns_key_secret }}"  # as tsig-keygen prints it
    name: cambridge
    addresses: [203.0.113.7, "2001:db8:7::7"]
    ttl: 60
  delegate_to: localhost

- name: Have the names of all gateways in Route 53, with the role of the instance that this runs on
  privatespace.gateway.dns_address:
    provider: route53
    zone: example.net
    records:
      - name: cambridge
        addresses: [203.0.113.7]
      - name: cambridge2
        addresses: [203.0.113.8]
      - name: bath
        state: absent
  delegate_to: localhost

- name: Give one gateway a tenth of the clients
  privatespace.gateway.dns_address:
    provider: route53
    zone_id: Z0123456789ABCDEFGHIJ
    profile: dns
    name: vpn.example.net
    set_identifier: cambridge
    weight: 10
    addresses: [203.0.113.7]
  delegate_to: localhost

- name: Try it against moto or LocalStack
  privatespace.gateway.dns_address:
    provider: route53
    endpoint_url: http://127.0.0.1:5000
    access_key: test
    secret_key: test
    zone: example.net
    name: cambridge
    addresses: [203.0.113.7]
  delegate_to: localhost
"""

RETURN = r"""
records:
  description: What was asked for, in full.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name, in full.
      type: str
    addresses:
      description: The addresses in their shortest form, IPv4 first.
      type: list
      elements: str
    ttl:
      description: The lifetime of its records in seconds.
      type: int
    state:
      description: V(present) or V(absent).
      type: str
    set_identifier:
      description: Which of its weighted sets, if it has any.
      type: str
    weight:
      description: The share of the weighted set.
      type: int
  sample:
    - name: cambridge.example.net
      addresses: [203.0.113.7, "2001:db8:7::7"]
      ttl: 60
      state: present
changed_names:
  description: The names that were changed; in check mode those that would be.
  returned: success
  type: list
  elements: str
  sample: [cambridge.example.net]
api_calls:
  description: How many requests went to whoever holds the zone.
  returned: success
  type: int
  sample: 5
seconds:
  description: How long it took until the name servers answered right.
  returned: success
  type: float
  sample: 0.412
verified:
  description:
    - Whether the name servers answer right; for Route 53's weighted sets and imitations, whether Route 53 says so.
      V(null) if nobody was asked.
  returned: success
  type: bool
  sample: true
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import NameStep, parse_wanted
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_run import AddressRun, Verification
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    ALGORITHMS,
    PROVIDERS,
    parse_provider,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.providers import open_provider
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run


class Addresses:
    """One run of the module."""

    def __init__(self, parameters: Mapping[str, Any], *, only_look: bool) -> None:
        self.parameters = parameters
        self.only_look = only_look

    def decide(self) -> Change[NameStep]:
        """Check everything, read what is there, and see that it is served where nothing is to be written."""
        settings = parse_provider(self.parameters)
        provider = open_provider(settings)
        wanted = parse_wanted(self._records(), settings.zone or provider.zone, weights=provider.has_weights)
        verification = Verification.of(settings, self.parameters["verify_seconds"])
        self.run = AddressRun(provider, wanted, claim=self.parameters["claim"], verification=verification)
        change = self.run.decide()
        settled = not change.needed and not self.only_look
        outcome = self.run.carry_out(change) if settled else self.run.report(change)
        return replace(change, result=outcome.results())

    def apply(self, change: Change[NameStep]) -> Mapping[str, Any]:
        """Write, and wait for the name servers."""
        return self.run.carry_out(change).results()

    def _records(self) -> list[dict[str, Any]]:
        """Each record with what was said for all of them where it says nothing itself."""
        shared = {name: self.parameters[name] for name in ("ttl", "state", "overwrite")}
        if self.parameters["records"] is None:
            return [{**self.parameters, **shared}]
        return [
            {**shared, **{name: value for name, value in one.items() if value is not None}}
            for one in self.parameters["records"]
        ]


def main() -> None:
    """Read the parameters and run."""
    states = {"type": "str", "choices": ["present", "absent"]}
    strings = {"type": "list", "elements": "str", "default": []}
    weighted = {"weight": {"type": "int"}, "set_identifier": {"type": "str"}}
    record = {
        "name": {"type": "str", "required": True},
        "addresses": strings,
        "ttl": {"type": "int"},
        "state": states,
        "overwrite": {"type": "bool"},
        **weighted,
    }
    words = ("zone_id", "profile", "access_key", "endpoint_url", "key_name")
    module = AnsibleModule(
        argument_spec={
            "provider": {"type": "str", "choices": list(PROVIDERS), "required": True},
            "zone": {"type": "str"},
            "name": {"type": "str"},
            "addresses": strings,
            "ttl": {"type": "int", "default": 60},
            "state": {**states, "default": "present"},
            "overwrite": {"type": "bool", "default": False},
            **weighted,
            "records": {"type": "list", "elements": "dict", "options": record},
            "claim": {"type": "bool", "default": True},
            "servers": strings,
            "port": {"type": "int", "default": 53},
            **{name: {"type": "str", "default": "", "no_log": False} for name in words},
            **{name: {"type": "str", "default": "", "no_log": True} for name in ("key_secret", "secret_key")},
            "key_algorithm": {"type": "str", "choices": list(ALGORITHMS), "default": "hmac-sha256", "no_log": False},
            "timeout_seconds": {"type": "float", "default": 10.0},
            "verify_seconds": {"type": "float", "default": 60.0},
            "verify_servers": {"type": "list", "elements": "str"},
        },
        mutually_exclusive=[("name", "records")],
        required_one_of=[("name", "records")],
        supports_check_mode=True,
    )
    work = Addresses(module.params, only_look=module.check_mode)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
