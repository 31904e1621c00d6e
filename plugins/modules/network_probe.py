#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the path from this host to a gateway, outside the tunnel and through it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_probe
short_description: Measure the path from this host to a gateway
version_added: 0.1.0
description:
  - Measures towards a gateway that has a measuring window open, with C(iperf3), C(ping) and C(mtr) or C(traceroute),
    outside the tunnel and, with O(profile), through tunnels that it opens for that and closes again.
  - Each tunnel has a device of its own and one route, to the gateway's address inside. Other routes, the name servers
    and tunnels of this host's users are not touched.
  - At first nothing is sent but echoes, lookups and packets of different sizes. Then transfers follow one by one, TCP
    and UDP in turn and both ways, and each is chosen by what the ones before it have shown.
  - Neither O(seconds) nor O(megabytes) is ever exceeded. Nothing is left behind, also when the module is stopped.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  gateway:
    description: The gateway's name, for the report.
    type: str
    required: true
  window:
    description: The gateway's measuring window, as it describes itself.
    type: dict
    required: true
    suboptions:
      token:
        description: What the gateway's responder wants to be greeted with, for this window only.
        type: str
        required: true
      address:
        description: Where probes reach the gateway.
        type: str
      outside_ports:
        description: Ports on which C(iperf3) answers, TCP and UDP. The second one is for comparison.
        type: list
        elements: int
        required: true
      responder_port:
        description: The port of the responder, TCP and UDP.
        type: int
        required: true
      tunnels:
        description: The gateway's listeners. The first one of each transport is measured.
        type: list
        elements: dict
        default: []
        suboptions:
          listener:
            description: The listener's name.
            type: str
            required: true
          transport:
            description: By which clients connect.
            type: str
            choices: [udp, tcp]
            required: true
          port:
            description: Where it listens.
            type: int
            required: true
          tunnel_address:
            description: The gateway's address inside.
            type: str
            required: true
          iperf_port:
            description: The port on which C(iperf3) answers there.
            type: int
            required: true
      expires_at:
        description: When the window closes by itself, seconds since 1970-01-01 UTC.
        type: float
      unmeasured:
        description: What the gateway could not open. The gateway itself reports it; nothing is done with it here.
        type: list
        elements: str
  address:
    description: Where this host reaches the gateway, if elsewhere than O(window) says; a name or an address.
    type: str
  profile:
    description:
      - The path of a profile on this host, for a device of its own. A device that is connected with the same profile
        would be disconnected, unless the gateway allows that.
      - Without it, or where there is no such file, nothing is measured inside a tunnel.
    type: path
  probe:
    description: This host's name, for the report; without it the name that it has.
    type: str
  seconds:
    description: The most that the measurement may take, from 15 to 3600.
    type: float
    default: 60
  megabytes:
    description:
      - The most that it may send in each direction, in millions of bytes on the wire, from 5 to 100000.
      - It also is what limits how fast a path can be looked at, which RV(path.ceiling) tells. 200 MB are enough for
        about 70 Mbit/s, 2000 MB for 700 Mbit/s.
    type: float
    default: 200
  names:
    description: DNS names that the name servers are asked for.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Sends nothing, and returns what would be sent.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  platform:
    description: Runs on the probe, a Linux host, as root.
    support: full
    platforms: posix
notes:
  - Tools that are missing are named in RV(path.unmeasured) with the package to install, and what they measure is left
    out. Needs C(iperf3) for throughput, C(ping) of iputils for echoes and packet sizes, C(openvpn) and C(ip) for
    tunnels, C(mtr) or C(traceroute) for the routers.
  - Only one measurement runs on a host at a time; a second one fails.
seealso:
  - module: privatespace.gateway.network_diagnosis
"""

EXAMPLES = r"""
- name: Say what a measurement would send
  privatespace.gateway.network_probe:
    gateway: cambridge2.example.net
    window: "{{ opened.window }}"
  check_mode: true
  register: probe

- name: Measure a minute at most, with a profile for this probe
  privatespace.gateway.network_probe:
    gateway: cambridge2.example.net
    window: "{{ opened.window }}"
    profile: /root/probe.ovpn
    names:
      - www.example.com
  become: true
  register: probe
"""

RETURN = r"""
path:
  description:
    - Everything that was measured; M(privatespace.gateway.network_diagnosis) reads it. Seconds, bytes, bits per second,
      and shares between 0 and 1.
  returned: success, not in check mode
  type: dict
  contains:
    segments:
      description: The transfers, with what was offered, what arrived, and what was lost.
      type: list
      elements: dict
    ceiling:
      description: The most that a transfer of a pair was allowed to send, bit/s. What lies above it was not looked for.
      type: float
    sent_down:
      description: Bytes that the gateway sent, at most.
      type: int
    sent_up:
      description: Bytes that this host sent, at most.
      type: int
    unmeasured:
      description: What was left out, and why, a sentence each.
      type: list
      elements: str
  sample:
    ceiling: 60000000.0
    sent_down: 180000000
    sent_up: 180000000
    unmeasured: []
plan:
  description: What would be sent, a sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - Would send at most 200 MB from alice to cambridge2.example.net at 192.0.2.1, and as much back.
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe import measure, plan_of
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import parse_probe_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._host.name_lookup import find_address

TUNNEL_OPTIONS = {
    "listener": {"type": "str", "required": True},
    "transport": {"type": "str", "choices": ["udp", "tcp"], "required": True},
    "port": {"type": "int", "required": True},
    "tunnel_address": {"type": "str", "required": True},
    "iperf_port": {"type": "int", "required": True},
}
WINDOW_OPTIONS = {
    # It is worth nothing once the window is closed, and by then the task has ended.
    "token": {"type": "str", "required": True, "no_log": True},
    "address": {"type": "str"},
    "outside_ports": {"type": "list", "elements": "int", "required": True},
    "responder_port": {"type": "int", "required": True},
    "tunnels": {"type": "list", "elements": "dict", "default": [], "options": TUNNEL_OPTIONS},
    "expires_at": {"type": "float"},
    "unmeasured": {"type": "list", "elements": "str"},
}


def main() -> None:
    """Read the parameters, and measure unless in check mode."""
    module = AnsibleModule(
        argument_spec={
            "gateway": {"type": "str", "required": True},
            "window": {"type": "dict", "required": True, "options": WINDOW_OPTIONS},
            "address": {"type": "str"},
            "profile": {"type": "path"},
            "probe": {"type": "str"},
            "seconds": {"type": "float", "default": 60.0},
            "megabytes": {"type": "float", "default": 200.0},
            "names": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        given = module.params["address"]
        settings = parse_probe_settings({**module.params, "address": find_address(given) if given else None})
        outcome: dict[str, Any] = {"plan": plan_of(settings)}
        if not module.check_mode:
            outcome["path"] = to_plain(measure(settings))
    except CollectionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **outcome)


if __name__ == "__main__":
    main()
