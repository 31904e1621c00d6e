#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python packages that an authority needs to keep its CRL fresh by itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_program
short_description: Install the Python packages that an authority runs without Ansible
version_added: 0.1.0
description:
  - Puts the packages of this collection that the authority's own program needs into a folder of the authority. They are
    the very files that the module M(privatespace.gateway.pki_crl) runs, and they need the same libraries.
  - The program signs the CRL where it is due, publishes it, and tells how fresh it is.
  - Files of an earlier version that are no longer needed are removed.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  path:
    description:
      - The folder of Python packages. Below it C(ansible_collections/privatespace/gateway) belongs to this module;
        nothing else is touched.
      - It is another one than that of M(privatespace.gateway.gateway_program), so that one host may be both.
    type: path
    default: /usr/local/lib/privatespace/authority/python
  state:
    description: V(absent) removes the packages.
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
    description: Runs on the authority, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.gateway_program
  - module: privatespace.gateway.pki_crl
"""

EXAMPLES = r"""
- name: Have what the authority runs by itself
  privatespace.gateway.authority_program:
    path: /usr/local/lib/privatespace/authority/python
"""

RETURN = r"""
files:
  description: The files that belong there, relative to O(path).
  returned: success
  type: list
  elements: str
  sample:
    - ansible_collections/privatespace/gateway/plugins/module_utils/_agent/authority_crl.py
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import authority_crl
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.installation import Installation
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.python_files import loaded_files
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run

# A program is installed because it is imported here, with whatever it imports itself.
PROGRAMS = (authority_crl,)


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/usr/local/lib/privatespace/authority/python"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    wanted = loaded_files() if module.params["state"] == "present" and PROGRAMS else {}
    work = Installation(Path(module.params["path"]), wanted)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
