#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway that probes may measure against for a while."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_window
short_description: Open a gateway to measurements for a while, and close it again
version_added: 0.1.0
description:
  - Opens a measuring window on a gateway. For a while C(iperf3) and a small responder answer the probes that are named,
    outside of the tunnels and inside of them, and the gateway looks at its own processes, counters and logs.
  - A window is a unit of systemd that is there for a while only (C(privatespace-diagnosis.service)), in a sandbox. Its
    ports are closed to everybody else by rules of nftables, in a table of their own. OpenVPN logs at verbosity 4
    meanwhile, which it is told on its management socket.
  - All of that is taken back as the window ends - closed by this module, after O(seconds), or killed. The program lies
    in C(/run/privatespace/diagnosis) and goes with it, so that nothing stays on the gateway, and one that this
    collection has not set up is measured like any other.
  - Firewalls of others are not touched. Where one of them may be in the way, RV(window.unmeasured) names it.
  - Whoever is connected to the gateway reaches C(iperf3) and the responder inside of the tunnels, too, as long as the
    window is open. Which address a probe will have there is not known before.
  - A gateway has one window at a time; a second one is refused.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  state:
    description: V(present) opens a window, V(absent) closes the one that is open and returns what it saw.
    type: str
    choices: [present, absent]
    default: present
  probes:
    description:
      - From where probes come outside of the tunnels, as the gateway sees them - addresses, networks, or names that
        the gateway finds. Behind an address translation that is the address of the translator.
      - Needed with O(state=present).
    type: list
    elements: str
  address:
    description: How probes reach the gateway; its own address where that is the one. Without it, the first it has.
    type: str
    default: ""
  ports:
    description:
      - For C(iperf3) outside of the tunnels, TCP and UDP. Inside of them it is the first one.
      - Nobody may have them, since all others are kept away from them meanwhile; a port that is taken is refused.
      - With two of them, a limit on UDP that holds for one port only is found, too.
    type: list
    elements: int
    default: [5201, 5203]
  responder_port:
    description: For the responder, TCP and UDP; free as well.
    type: int
    default: 5202
  seconds:
    description: After this time the window closes by itself; at most 600.
    type: float
    default: 120
  token:
    description:
      - What probes have to say to the responder, 16 to 64 of letters, digits, C(-) and C(_). Without it one is made
        and returned in RV(window.token); with it, it is not returned.
    type: str
attributes:
  check_mode:
    description: Tells what would be opened or closed, and whether this gateway has what a window needs.
    support: full
  diff_mode:
    description: Shows whether a window is open, and for whom.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
requirements:
  - iperf3
  - nftables
  - systemd
seealso:
  - module: privatespace.gateway.network_probe
  - module: privatespace.gateway.network_diagnosis
"""

EXAMPLES = r"""
- name: Open the gateway to a probe
  privatespace.gateway.network_window:
    probes: [203.0.113.5]
    seconds: 120
  register: opened
  # The token in it opens the responder to whoever comes from the probe's address.
  no_log: true

- name: Close it again, whatever became of the probe
  privatespace.gateway.network_window:
    state: absent
  register: closed

- name: Say what limits the gateway
  privatespace.gateway.network_diagnosis:
    seen: "{{ closed.seen }}"
    paths: "{{ [probe.path] }}"
"""

RETURN = r"""
window:
  description: What probes are told, V(null) in check mode and with O(state=absent).
  returned: success
  type: dict
  contains:
    token:
      description: What the responder is asked with. It is of no use after the window, nor from other addresses.
      type: str
    address:
      description: How probes reach the gateway.
      type: str
    outside_ports:
      description: The ports of C(iperf3) outside of the tunnels.
      type: list
      elements: int
    responder_port:
      description: The port of the responder.
      type: int
    tunnels:
      description: Each listener, and where C(iperf3) answers inside its tunnels.
      type: list
      elements: dict
      contains:
        listener:
          description: The listener's name.
          type: str
        transport:
          description: V(udp) or V(tcp).
          type: str
        port:
          description: The port of the listener.
          type: int
        tunnel_address:
          description: The gateway's address inside.
          type: str
        iperf_port:
          description: The port of C(iperf3) there.
          type: int
    expires_at:
      description: When the window closes by itself, seconds since 1970-01-01 UTC.
      type: float
    unmeasured:
      description: What cannot be measured or may be in the way, a sentence each.
      type: list
      elements: str
  sample:
    token: c2FtcGxlLXRva2VuLW9mLWEtd2luZG93
    address: 192.0.2.1
    outside_ports: [5201, 5203]
    responder_port: 5202
    tunnels:
      - listener: udp
        transport: udp
        port: 1194
        tunnel_address: 10.91.0.1
        iperf_port: 5201
    expires_at: 1790000120.5
    unmeasured: []
seen:
  description:
    - What the gateway saw of itself while the window was open, for
      O(privatespace.gateway.network_diagnosis#module:seen).
    - V(null) with O(state=present), in check mode, and where no window was open.
  returned: success
  type: dict
  contains:
    started:
      description: Seconds since 1970-01-01 UTC; C(ended) likewise.
      type: float
    complete:
      description: Whether the window came to its end; one that was killed saw nothing.
      type: bool
    samples:
      description: Use of cores by each listener and the machine, four times a second.
      type: list
      elements: dict
    logs:
      description: How often which kind of line was logged.
      type: list
      elements: dict
    interfaces:
      description: Network devices, with what was added to their counters.
      type: list
      elements: dict
    udp_errors:
      description: What was added to the kernel's counters of UDP.
      type: dict
    listeners:
      description: Bytes, CPU time and TCP connections of each listener, by name.
      type: dict
    unmeasured:
      description: What is missing, and why, a sentence each.
      type: list
      elements: str
  sample:
    started: 1790000000.5
    ended: 1790000062.0
    complete: true
    samples: []
    logs: []
    interfaces: []
    udp_errors: {InErrors: 0, RcvbufErrors: 0, SndbufErrors: 0}
    listeners: {udp: {octets: 81234567, cpu_seconds: 1.25, tcp_sessions: []}}
    unmeasured: []
messages:
  description: What is opened or closed, or would be, a sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - OpenVPN logs at verbosity 4 meanwhile.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import window
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.python_files import loaded_files
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_servers import require_free_ports
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    OUTSIDE_PORTS,
    RESPONDER_PORT,
    WindowFiles,
    WindowSettings,
    parse_window_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_unit import (
    WindowUnit,
    caller,
    describe_open,
    describe_plan,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host.name_lookup import with_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run

# The program is put on the gateway because it is imported here, with whatever it imports itself.
PROGRAMS = (window,)
CLOSED = {"window": "closed"}


def read_settings(parameters: Mapping[str, Any]) -> WindowSettings:
    """What the window is told."""
    return parse_window_settings(
        {
            **{name: parameters[name] for name in ("address", "responder_port", "seconds")},
            "probes": with_addresses(parameters["probes"]),
            "token": parameters["token"] or secrets.token_urlsafe(24),
            "outside_ports": parameters["ports"],
            "who": caller(),
        }
    )


def plan_open(unit: WindowUnit, settings: WindowSettings, *, is_plan: bool) -> Change[str]:
    """Refuse what could not be opened, and say what will be."""
    unit.require_host(is_plan=is_plan)
    unit.require_closed()
    require_free_ports(settings.ports)
    messages = describe_plan(settings)
    after = {"window": "open", "probes": list(settings.probes)}
    return Change(CLOSED, after, ("open",), {"window": None, "seen": None, "messages": messages})


def plan_close(unit: WindowUnit) -> Change[str]:
    """Say what is open."""
    state = unit.find()
    before = {"window": "open", "probes": state.get("probes", [])} if state is not None else CLOSED
    needed = state is not None or unit.has_leftovers()
    messages = [] if state is None else [describe_open(state)]
    return Change(before, CLOSED, ("close",) if needed else (), {"window": None, "seen": None, "messages": messages})


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "probes": {"type": "list", "elements": "str"},
            "address": {"type": "str", "default": ""},
            "ports": {"type": "list", "elements": "int", "default": list(OUTSIDE_PORTS)},
            "responder_port": {"type": "int", "default": RESPONDER_PORT},
            "seconds": {"type": "float", "default": WindowSettings.seconds},
            "token": {"type": "str", "no_log": True},
        },
        required_if=[("state", "present", ("probes",))],
        supports_check_mode=True,
    )
    unit, opens = WindowUnit(WindowFiles()), module.params["state"] == "present"
    told: dict[str, WindowSettings] = {}

    def decide() -> Change[str]:
        if not opens:
            return plan_close(unit)
        told["settings"] = read_settings(module.params)
        return plan_open(unit, told["settings"], is_plan=module.check_mode)

    def apply(_change: Change[str]) -> Mapping[str, Any]:
        if not opens:
            return {"seen": unit.close()}
        settings = told["settings"]
        token = {} if module.params["token"] else {"token": settings.token}
        return {"window": {**token, **unit.open(settings, loaded_files())}}

    run(module, decide, apply)


if __name__ == "__main__":
    main()
