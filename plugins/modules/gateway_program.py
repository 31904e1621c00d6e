#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python packages that a gateway needs to run programs of this collection by itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_program
short_description: Install the Python packages that a gateway runs without Ansible
version_added: 0.1.0
description:
  - Puts the packages of this collection that the gateway's own programs need into a folder of the gateway, in one go.
    They are the very files that the modules run. All programs are installed together, whichever role asks for them.
  - They need nothing but Python's standard library; the one that keeps the gateway's record in DNS also needs dnspython
    and, for Route 53, boto3, and the portal needs Flask.
  - Files of an earlier version that are no longer needed are removed.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  path:
    description:
      - The folder of Python packages. Below it C(ansible_collections/privatespace/gateway) belongs to this module;
        nothing else is touched.
    type: path
    default: /usr/local/lib/privatespace/python
  kept_for:
    description:
      - Files of units that run one of the programs. While one of them is there, O(state=absent) changes nothing.
    type: list
    elements: path
    default: []
  state:
    description: V(absent) removes the packages, unless they are needed; see O(kept_for).
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Tells which files would be written and removed.
    support: full
  diff_mode:
    description: Shows fingerprints and modes of the files that differ.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.openvpn_session_info
"""

EXAMPLES = r"""
- name: Have what the gateway runs by itself
  privatespace.gateway.gateway_program:
    path: /usr/local/lib/privatespace/python

- name: Remove it, unless a unit needs it
  privatespace.gateway.gateway_program:
    state: absent
    kept_for:
      - /etc/systemd/system/privatespace-announce.service
"""

RETURN = r"""
needed:
  description: Whether the packages are to be there, because O(state=present) or because of a file of O(kept_for).
  returned: success
  type: bool
  sample: true
files:
  description: The files that belong there, relative to O(path).
  returned: success
  type: list
  elements: str
  sample:
    - ansible_collections/privatespace/gateway/plugins/module_utils/_agent/metrics.py
"""

from dataclasses import replace
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import (
    acme,
    announcement,
    announcement_watch,
    metrics,
    portal,
    revocation,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.installation import Installation
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.python_files import loaded_files
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import rfc2136, route53
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run

# A program is installed because it is imported here, with whatever it imports itself.
# The providers of DNS are imported by name only when they are needed.
PROGRAMS = (acme, metrics, announcement, announcement_watch, portal, revocation, rfc2136, route53)


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/usr/local/lib/privatespace/python"},
            "kept_for": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    kept = any(Path(unit).exists() for unit in module.params["kept_for"])
    needed = module.params["state"] == "present" or kept
    work = Installation(Path(module.params["path"]), loaded_files() if needed and PROGRAMS else {})

    def decide() -> Change[str]:
        change = work.decide()
        return replace(change, result={**change.result, "needed": needed})

    run(module, decide, work.apply)


if __name__ == "__main__":
    main()
