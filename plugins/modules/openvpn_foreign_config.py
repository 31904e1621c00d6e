#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that OpenVPN would read and that nobody manages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_foreign_config
short_description: Find OpenVPN configurations that nobody manages, and put them where nothing reads them
version_added: 0.1.0
description:
  - OpenVPN's units read every C(*.conf) of their folders. A file that was renamed and left there with its extension is
    a second server after the next start of the machine. This module finds such files, and what runs on them.
  - A process whose file was renamed or deleted since its start is found, too.
  - What is put aside keeps its folder, its mode and its owner, and takes the name
    C(NAME.conf.quarantined-YYYYMMDDTHHMMSSZ). Of a symbolic link the link is moved, not what it points to. Nothing is
    ever overwritten.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  own:
    description:
      - Configurations that are managed, whether they exist already or not. Everything else is foreign.
      - A configuration in a folder C(server) that the role C(privatespace.gateway.openvpn) wrote under this very name
        is not foreign. It is a listener that was taken off the list, and the role removes it.
    type: list
    elements: path
    default: []
  policy:
    description:
      - V(quarantine) stops and disables the units and renames the files. V(warn) changes nothing and tells.
      - A process that no unit started is reported and never ended.
    type: str
    choices: [quarantine, warn]
    default: quarantine
  folders:
    description:
      - Where configurations are. A folder called C(server) belongs to C(openvpn-server@), one called C(client) to
        C(openvpn-client@), every other one to C(openvpn@).
    type: list
    elements: path
    default: [/etc/openvpn, /etc/openvpn/server, /etc/openvpn/client]
  defaults_file:
    description: Where Debian keeps C(AUTOSTART), which tells what C(openvpn.service) starts of C(/etc/openvpn).
    type: path
    default: /etc/default/openvpn
attributes:
  check_mode:
    description: Tells what would be stopped and moved.
    support: full
  diff_mode:
    description: Shows the foreign files and the units that run on them.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.openvpn_session_info
"""

EXAMPLES = r"""
- name: Have nothing but the two managed listeners
  privatespace.gateway.openvpn_foreign_config:
    own:
      - /etc/openvpn/server/udp.conf
      - /etc/openvpn/server/tcp.conf
  register: foreign

- name: Say what was put aside
  ansible.builtin.debug:
    msg: "{{ foreign.messages }}"
"""

RETURN = r"""
found:
  description: What is foreign, files first, then processes.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The configuration.
      type: str
    unit:
      description: The unit that reads it, or would; empty where none does.
      type: str
    enabled:
      description: Whether the unit starts with the system.
      type: bool
    active:
      description: Whether a process runs on the file.
      type: bool
    pid:
      description: The process, or V(null).
      type: int
    ports:
      description: What the process listens on.
      type: list
      elements: str
      sample: [udp 1194]
    sessions:
      description: How many sessions it has, or V(null) where it does not tell.
      type: int
    action:
      description:
        - V(quarantined), V(stopped) for a unit whose file is gone, V(warned), or V(reported) for a process that no unit
          started.
        - In check mode what would be done.
      type: str
    moved_to:
      description: The new name, or V(null).
      type: str
    reason:
      description: Why it is here.
      type: str
messages:
  description: The same as sentences for a person.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      /etc/openvpn/udp-old.conf is still read by openvpn@udp-old.service (2 sessions): stopped and moved to
      /etc/openvpn/udp-old.conf.quarantined-20261122T101500Z
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host import units as host_units
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.renaming import move_aside
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import foreign_configs as foreign
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import running_programs
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import PROPERTIES, parse_units


def decide(parameters: Mapping[str, Any], *, check_mode: bool) -> Change[foreign.Step]:
    """Look at files, processes and units, and plan."""
    folders = [Path(path) for path in parameters["folders"]]
    own = {Path(path) for path in parameters["own"]}
    files = foreign.find_files(folders, own)
    programs = foreign.select_programs(running_programs(), files=files, folders=folders, own=own)
    names = foreign.unit_names(files, programs)
    defaults = read_optional(Path(parameters["defaults_file"])) or b""
    host = foreign.Host(
        files=files,
        running=tuple(foreign.look_at(program) for program in programs),
        units=parse_units(names, host_units.show_units(names, PROPERTIES)),
        autostart=foreign.parse_autostart(defaults.decode("utf-8", "replace")),
    )
    change = foreign.plan_foreign(host, policy=parameters["policy"], stamp=f"{utc_now():%Y%m%dT%H%M%SZ}")
    messages = [foreign.describe(one, foretold=check_mode) for one in change.result["found"]]
    return replace(change, result={**change.result, "messages": messages})


def apply(change: Change[foreign.Step]) -> Mapping[str, Any]:
    """Stop what runs before its file goes; then have systemd forget what its generator made of the files."""
    for step in change.steps:
        if step.kind == foreign.STOP:
            host_units.stop_unit(step.unit)
        elif step.kind == foreign.DISABLE:
            host_units.disable_unit(step.unit)
        else:
            move_aside(Path(step.source), Path(step.target))
    host_units.reload_units()
    return {}


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "own": {"type": "list", "elements": "path", "default": []},
            "policy": {"type": "str", "choices": ["quarantine", "warn"], "default": "quarantine"},
            "folders": {
                "type": "list",
                "elements": "path",
                "default": ["/etc/openvpn", "/etc/openvpn/server", "/etc/openvpn/client"],
            },
            "defaults_file": {"type": "path", "default": "/etc/default/openvpn"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: decide(module.params, check_mode=module.check_mode), apply)


if __name__ == "__main__":
    main()
