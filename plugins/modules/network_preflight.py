#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is fit to become a gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_preflight
short_description: Whether a host is fit to become a gateway, and reached from outside
version_added: 0.1.0
description:
  - Looks at a host that is not set up yet - release, clock, name resolution, sources of packages, kernel, memory and
    disk -, and holds its wanted ports for a minute, so that a probe can ask for them from outside.
  - Installs nothing and changes nothing. The listener answers only who has its random token, notes what arrives at the
    network card, too, and is gone with O(state=absent), or by itself after O(seconds).
  - It gives facts; P(privatespace.gateway.preflight_report#filter) judges them.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  role:
    description: Whether this host is the V(gateway) to be, or a V(probe) outside that asks for its ports.
    type: str
    choices: [gateway, probe]
    default: gateway
  state:
    description: On the gateway, V(present) looks and listens, V(absent) ends the listener and returns what it saw.
    type: str
    choices: [present, absent]
    default: present
  ports:
    description: The ports that have to be reached; see P(privatespace.gateway.preflight_ports#filter).
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: The transport protocol.
        type: str
        choices: [udp, tcp]
        required: true
      port:
        description: The port.
        type: int
        required: true
      purpose:
        description: What it is for.
        type: str
        default: ""
      address:
        description: The only local address on which to listen. Without it, all.
        type: str
        default: ""
  seconds:
    description: After how many seconds the listener ends by itself; for a probe, how long it waits for an answer.
    type: int
    default: 120
  address:
    description: For a probe, the address or name of the gateway.
    type: str
    default: ""
  token:
    description:
      - For a probe, what RV(token) was on the gateway. It holds for one run, and opens nothing but the answer to a
        question.
    type: str
    default: ""
  probe:
    description: The name of the probe, for the report.
    type: str
    default: ""
  names:
    description: Names that the host has to find.
    type: list
    elements: str
    default: []
  zone:
    description: The zone of the gateways' names. Its servers are asked whether they hold it.
    type: str
    default: ""
  zone_servers:
    description: Servers of O(zone), where they are known. Otherwise the resolvers are asked which it has.
    type: list
    elements: str
    default: []
  packages:
    description: What would be installed.
    type: list
    elements: str
    default: []
  asked_at:
    description: The clock of the controller, seconds since 1970-01-01 UTC. V(0) compares no clocks.
    type: float
    default: 0
attributes:
  check_mode:
    description: Looks, and neither listens nor asks for ports.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  platform:
    description: Runs on the gateway to be, as root, and on any host as a probe.
    support: full
    platforms: posix
seealso:
  - plugin: privatespace.gateway.preflight_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the host, and hold its ports
  privatespace.gateway.network_preflight:
    ports: [{protocol: udp, port: 1194}, {protocol: tcp, port: 443}]
    names: [deb.debian.org]
    packages: [openvpn, nftables]
  register: looked

- name: Ask for them from outside
  privatespace.gateway.network_preflight:
    role: probe
    probe: controller
    address: 192.0.2.21
    ports: [{protocol: udp, port: 1194}, {protocol: tcp, port: 443}]
    token: "{{ looked.token }}"
    seconds: 3
  delegate_to: localhost
  register: asked

- name: Give the ports back
  privatespace.gateway.network_preflight:
    state: absent
  register: seen
"""

RETURN = r"""
host:
  description: On the gateway, what it says of itself - C(system), C(clock), C(dns), C(packages), C(kernel).
  returned: with O(role=gateway) and O(state=present)
  type: dict
token:
  description: What a probe has to know; empty in check mode, where nobody listens.
  returned: with O(role=gateway) and O(state=present)
  type: str
watches:
  description:
    - What each port saw - C(open), C(holder), C(marks) of probes that arrived, C(wire) for what the network card saw.
  returned: with O(role=gateway) and O(state=absent)
  type: list
  elements: dict
attempts:
  description: What the probe got from each port.
  returned: with O(role=probe)
  type: list
  elements: dict
  sample:
    - probe: controller
      mark: 4a5d22b07b1a9c3e
      protocol: udp
      port: 1194
      answered: true
      connected: null
      outcome: ""
      detail: ""
      own_address: 198.51.100.7
      seconds: 0.021
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_listening import (
    close_ports,
    open_ports,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_look import look_at_host
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_probe import ask_ports
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import report


def gather(given: Mapping[str, Any], *, only_look: bool) -> Mapping[str, Any]:
    """Be one end of a preflight."""
    if given["role"] == "probe":
        to_whom = {name: given[name] for name in ("probe", "address", "token", "seconds")}
        asked = [] if only_look or not given["token"] else ask_ports(given["ports"], **to_whom)
        return {"attempts": [asdict(one) for one in asked]}
    if given["state"] == "absent":
        return {"watches": [] if only_look else close_ports()}
    wishes = {name: given[name] for name in ("names", "zone", "zone_servers", "packages", "asked_at")}
    host = look_at_host(trying=not only_look, **wishes)
    opened = {"token": ""} if only_look else open_ports(given["ports"], seconds=given["seconds"])
    return {"host": host, **opened}


def main() -> None:
    """Read the parameters and report."""
    text, strings = {"type": "str", "default": ""}, {"type": "list", "elements": "str", "default": []}
    port_options = {
        "protocol": {"type": "str", "choices": ["udp", "tcp"], "required": True},
        "port": {"type": "int", "required": True},
        "purpose": text,
        "address": text,
    }
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["gateway", "probe"], "default": "gateway"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": port_options},
            "seconds": {"type": "int", "default": 120},
            # Not a secret: it is of no use once this run is over.
            "token": {**text, "no_log": False},
            **dict.fromkeys(("address", "probe", "zone"), text),
            **dict.fromkeys(("names", "zone_servers", "packages"), strings),
            "asked_at": {"type": "float", "default": 0.0},
        },
        required_if=[("role", "probe", ("address", "probe"))],
        supports_check_mode=True,
    )
    report(module, lambda: gather(module.params, only_look=module.check_mode))


if __name__ == "__main__":
    main()
