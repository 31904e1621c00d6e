#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a gateway's web server, tried before it is there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: web_config
short_description: Have files of the web server's configuration, tried by nginx before they replace others
version_added: 0.1.0
description:
  - Puts the files into a copy of the whole configuration and has nginx judge it, with the pages enabled and without
    their certificate. Only what nginx takes is written; otherwise the files in place stay as they are, and nginx's
    words are told.
  - Reloads nothing.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  path:
    description: The folder of the configuration.
    type: path
    default: /etc/privatespace/web
  files:
    description:
      - Texts by name, relative to O(path). An empty text removes the file.
    type: dict
    required: true
  nginx:
    description: The program. In check mode on a host that does not have it yet nothing is tried.
    type: path
    default: /usr/sbin/nginx
attributes:
  check_mode:
    description: Has nginx judge the files all the same.
    support: full
  diff_mode:
    description: Shows the texts.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - plugin: privatespace.gateway.web_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Have the pages under /help answered by another program
  privatespace.gateway.web_config:
    files:
      server443.d/help.conf: |
        location /help { proxy_pass http://unix:/run/help.sock; }
"""

RETURN = r"""
changed_files:
  description: The files that were written or removed, relative to O(path).
  returned: success
  type: list
  elements: str
  sample: [nginx.conf]
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host.nginx_folder import (
    read_config_folder,
    try_config,
    write_config,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._web.folder import plan_folder
from ansible_collections.privatespace.gateway.plugins.module_utils._web.nginx_config import MAIN, as_trial


class Configuration:
    """One run."""

    def __init__(self, parameters: Mapping[str, Any], *, may_lack_program: bool) -> None:
        self.folder = Path(parameters["path"])
        self.files = parameters["files"]
        self.program = parameters["nginx"]
        self.may_lack_program = may_lack_program

    def decide(self) -> Change[str]:
        """Compare, and have nginx judge what would be there."""
        change, trial = plan_folder(read_config_folder(self.folder), self.files)
        if not self.may_lack_program or Path(self.program).exists():
            try_config(
                trial,
                folder=self.folder,
                program=self.program,
                main=MAIN,
                as_trial=lambda text, folder: as_trial(text, folder=folder),
            )
        return change

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Write and remove, file by file."""
        for name in change.steps:
            write_config(self.folder, name, self.files[name] or None)
        return {}


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/privatespace/web"},
            "files": {"type": "dict", "required": True},
            "nginx": {"type": "path", "default": "/usr/sbin/nginx"},
        },
        supports_check_mode=True,
    )
    work = Configuration(module.params, may_lack_program=module.check_mode)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
