#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure two settings of OpenVPN against each other."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_compare
short_description: Measure two settings of OpenVPN against each other, beside the listeners that run
version_added: 0.1.0
description:
  - On a gateway it runs two more OpenVPN servers for a few minutes, as transient units C(privatespace-compare-a) and
    C(privatespace-compare-b), with the gateway's certificates. Running listeners, their clients and the settings of
    the host stay untouched. Who connects reaches a measuring port inside the tunnel and nothing else.
  - On a probe it connects to both and sends through one, then through the other, in the order A B B A.
  - Everything is gone with O(state=absent) and by itself after O(seconds), also when the controller has vanished.
  - It gives figures; P(privatespace.gateway.compare_report#filter) judges them.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  role:
    description: Whether this host is the V(gateway) with the servers, or the V(probe) that measures.
    type: str
    choices: [gateway, probe]
    required: true
  state:
    description: On the gateway, V(present) starts the servers and V(absent) ends them.
    type: str
    choices: [present, absent]
    default: present
  servers:
    description: The two servers; see P(privatespace.gateway.compare_plan#filter).
    type: list
    elements: dict
    default: []
    suboptions:
      side:
        description: Which of the two.
        type: str
        choices: [a, b]
        required: true
      config:
        description: The text of its configuration.
        type: str
        required: true
      device:
        description: Its tunnel device.
        type: str
        required: true
      address:
        description: The gateway's address in its tunnel.
        type: str
        required: true
      port:
        description: The port on which iperf3 waits there.
        type: int
        required: true
      realtime:
        description: Whether it runs before all other programs.
        type: bool
        default: false
  material_folder:
    description: On the gateway, where its keys, certificates and CRL are.
    type: path
    default: /etc/openvpn/server/privatespace
  tunnels:
    description: For a probe, how to reach both; see P(privatespace.gateway.compare_plan#filter).
    type: dict
    default: {}
  address:
    description: For a probe, the address of the gateway.
    type: str
    default: ""
  profile:
    description: For a probe, the profile of a device of its own, a file there.
    type: path
  pairs:
    description: For a probe, how many pairs of transfers each way.
    type: int
    default: 10
  seconds:
    description: After how many seconds everything ends. For a probe, the most that it measures.
    type: int
    default: 120
  megabytes:
    description: For a probe, the most that it sends each way.
    type: float
    default: 200
attributes:
  check_mode:
    description: Starts and sends nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  platform:
    description: Runs as root on a gateway with systemd, and on a probe with OpenVPN and iperf3.
    support: full
    platforms: posix
seealso:
  - plugin: privatespace.gateway.compare_plan
    plugin_type: filter
  - plugin: privatespace.gateway.compare_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Run two servers on the gateway
  privatespace.gateway.network_compare:
    role: gateway
    servers: "{{ plan.servers }}"

- name: Measure from the probe
  privatespace.gateway.network_compare:
    role: probe
    tunnels: "{{ plan.tunnels }}"
    address: 192.0.2.21
    profile: /etc/openvpn/client/probe.ovpn
  delegate_to: probe1
  register: measured

- name: End the servers
  privatespace.gateway.network_compare:
    role: gateway
    state: absent
"""

RETURN = r"""
segments:
  description: The transfers by side, V(a) and V(b).
  returned: with O(role=probe)
  type: dict
schedule:
  description: C(pairs) and C(seconds) of each transfer, as the limits allow.
  returned: with O(role=probe)
  type: dict
  sample: {pairs: 10, seconds: 1}
sent_bytes:
  description: Payload that each side carried.
  returned: with O(role=probe)
  type: dict
notes:
  description: What was left out, and why.
  returned: with O(role=probe)
  type: list
  elements: str
cpu_seconds:
  description: Processor seconds that each server took, or V(null).
  returned: with O(role=gateway) and O(state=absent)
  type: dict
  sample: {a: 3.91, b: 4.02}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import compare_servers
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.compare_probe import compare, parse_compare
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import report


def gather(given: Mapping[str, Any], *, only_look: bool) -> Mapping[str, Any]:
    """Be one end of a comparison."""
    if given["role"] == "probe":
        settings = parse_compare(given)
        return {} if only_look else compare(settings)
    if given["state"] == "absent":
        return {"cpu_seconds": {} if only_look else compare_servers.stop_servers()}
    servers = compare_servers.parse_servers(given["servers"])
    compare_servers.require_systemd()
    if not only_look:
        compare_servers.start_servers(servers, material=Path(given["material_folder"]), seconds=given["seconds"])
    return {}


def main() -> None:
    """Read the parameters and report."""
    text = {"type": "str", "required": True}
    server_options = {
        "side": {"type": "str", "choices": ["a", "b"], "required": True},
        **dict.fromkeys(("config", "device", "address"), text),
        "port": {"type": "int", "required": True},
        "realtime": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["gateway", "probe"], "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "servers": {"type": "list", "elements": "dict", "default": [], "options": server_options},
            "material_folder": {"type": "path", "default": "/etc/openvpn/server/privatespace"},
            "tunnels": {"type": "dict", "default": {}},
            "address": {"type": "str", "default": ""},
            "profile": {"type": "path"},
            "pairs": {"type": "int", "default": 10},
            "seconds": {"type": "int", "default": 120},
            "megabytes": {"type": "float", "default": 200.0},
        },
        required_if=[("role", "probe", ("tunnels", "address", "profile"))],
        supports_check_mode=True,
    )
    report(module, lambda: gather(module.params, only_look=module.check_mode))


if __name__ == "__main__":
    main()
