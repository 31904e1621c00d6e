#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits a gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_diagnosis
short_description: Measure a gateway and say what limits it
version_added: 0.1.0
description:
  - Looks at a gateway - its listeners and their configurations, processor, buffers, clock, name servers, kernel, logs,
    and what is about to expire -, takes what probes have measured towards it, and says what is the matter, how sure
    that is, what shows it, and which variable to set.
  - Without probes it watches the gateway for a while, whatever its users do meanwhile, and says what the gateway alone
    shows. A limit on the way to it is not found then.
  - Nothing is changed, and nothing is sent but questions to the gateway's own name servers, and, where its firmware
    says that it is a machine of a cloud that tells no type, one request to that cloud's metadata service.
  - Nothing found is said as such. What could not be read is named, and is no error.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  name:
    description: How the gateway is called in what is returned. Without it, its own host name.
    type: str
    default: ""
  seen:
    description:
      - What the gateway saw of itself while probes measured. See RV(privatespace.gateway.network_window#module:seen).
    type: dict
  paths:
    description: What probes measured. See RV(privatespace.gateway.network_probe#module:path).
    type: list
    elements: dict
    default: []
  seconds:
    description: How long to watch the gateway where O(seen) is not given, V(0) to V(600).
    type: float
    default: 5
attributes:
  check_mode:
    description: Changes nothing, in check mode and outside of it.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.network_window
  - module: privatespace.gateway.network_probe
  - module: privatespace.gateway.diagnosis_report
"""

EXAMPLES = r"""
- name: Look at the gateway alone
  privatespace.gateway.network_diagnosis:
    name: "{{ inventory_hostname }}"
  register: diagnosis

- name: Say what was found
  ansible.builtin.debug:
    msg: "{{ diagnosis.summary }}"

- name: Decide by what a probe has measured
  privatespace.gateway.network_diagnosis:
    name: "{{ inventory_hostname }}"
    seen: "{{ closed.seen }}"
    paths: "{{ [probe.path] }}"
"""

RETURN = r"""
observations:
  description:
    - What the verdict was made from - C(gateway), C(paths), and C(now), seconds since 1970-01-01 UTC. The module
      M(privatespace.gateway.diagnosis_report) takes it.
  returned: success
  type: dict
  sample:
    now: 1790000000.5
    gateway: {name: cambridge2, started: 1790000000.1}
    paths: []
findings:
  description: What was found, faults first; empty where all is well.
  returned: success
  type: list
  elements: dict
  contains:
    cause:
      description: What it is, such as V(udp_limited), V(cpu_bound) or V(cannot_tell).
      type: str
    weight:
      description: V(fault), V(hint) or V(unknown).
      type: str
    certainty:
      description: V(certain), V(likely) or V(possible).
      type: str
    title:
      description: A short sentence.
      type: str
    explanation:
      description: What that means for those who use the VPN.
      type: str
    evidence:
      description: What shows it - C(text), C(source) and C(lines).
      type: list
      elements: dict
    remedies:
      description: What to do - C(text), C(variable) with C(value), or C(command).
      type: list
      elements: dict
    gateway:
      description: The gateway's name.
      type: str
    probe:
      description: Whose path, empty where it concerns the gateway itself.
      type: str
    direction:
      description: V(down), V(up), or empty.
      type: str
    figures:
      description: Names with numbers.
      type: list
      elements: list
  sample:
    - cause: resolver_from_dhcp
      weight: fault
      certainty: certain
      title: "The gateway asks a name server that DHCP gave it: 10.0.0.2"
      explanation: Whoever runs the network of the gateway decides who answers its questions.
      evidence: [{text: 10.0.0.2 comes from DHCP., source: /var/lib/dhcp/dhclient.leases, lines: []}]
      remedies:
        - {text: Have the gateway ask its own dnsmasq., variable: dnsmasq_own_resolver, value: override, command: ""}
      gateway: cambridge2
      probe: ""
      direction: ""
      figures: []
summary:
  description: The same as lines for a person.
  returned: success
  type: list
  elements: str
  sample:
    - Diagnosis of 2026-09-21 14:13 UTC
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_look import LookSettings, look, watch
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_record import merge_seen
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain, to_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.text_report import render_text
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdicts import find
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import report

LONGEST_SECONDS = 600


def observe(parameters: Mapping[str, Any]) -> Observations:
    """Look at the gateway, and take what others have measured.

    :raises InputError: that is damaged, or the time is out of bounds.
    """
    seconds, seen = parameters["seconds"], parameters["seen"]
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise InputError(f"'seconds' is {seconds:g}, and has to be from 0 to {LONGEST_SECONDS}.")
    # What was handed over is read first: if it is damaged, nobody has to wait.
    paths = tuple(from_plain(Path, one) for one in parameters["paths"])
    gateway = look(LookSettings(name=parameters["name"]))
    gateway = watch(gateway, seconds) if seen is None else merge_seen(gateway, seen)
    return Observations(gateway, paths, epoch_seconds())


def gather(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Decide what is the matter."""
    observations = observe(parameters)
    findings, name = find(observations), observations.gateway.name
    document = build_report({name: observations}, {name: findings}, (), observations.now)
    return {
        "observations": to_plain(observations),
        "findings": [to_plain(one) for one in findings],
        "summary": render_text(document),
    }


def main() -> None:
    """Read the parameters and report."""
    # Without a log: everything that was measured would be written to the journal of the gateway.
    module = AnsibleModule(
        no_log=True,
        argument_spec={
            "name": {"type": "str", "default": ""},
            "seen": {"type": "dict"},
            "paths": {"type": "list", "elements": "dict", "default": []},
            "seconds": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    report(module, lambda: gather(module.params))


if __name__ == "__main__":
    main()
