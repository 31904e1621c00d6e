#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TSIG key of this host, made here and kept."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_tsig_key
short_description: Have a TSIG key for dynamic updates of DNS
version_added: 0.1.0
description:
  - Makes a key from the randomness of the system and writes it in the syntax of BIND, readable by root only.
  - A key that is there and fits is never changed. A key of another name or algorithm is replaced by a new one; a file
    that holds something else than one TSIG key is refused and left alone.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  path:
    description: The file.
    type: path
    default: /etc/privatespace/dns.key
  name:
    description:
      - The name of the key, a name as of a host. Required with O(state=present).
      - The gateway's own name, if the name server grants by the name of the key.
    type: str
  algorithm:
    description: How messages are signed.
    type: str
    choices: [hmac-sha256, hmac-sha512]
    default: hmac-sha256
  state:
    description: V(absent) removes the file, whatever it holds.
    type: str
    choices: [present, absent]
    default: present
notes:
  - RV(secret) is the key itself. Say C(no_log=true) wherever you use this module, and wherever you use what it returns.
attributes:
  check_mode:
    description: Tells whether a key would be made; it makes none, so RV(secret) is empty.
    support: full
  diff_mode:
    description: Shows the name, the algorithm and the mode; never the secret.
    support: full
  platform:
    description: Runs on the host that signs updates, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.dns_address
  - plugin: privatespace.gateway.dns_tsig_keys
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Have the key by which this gateway keeps its own record
  privatespace.gateway.dns_tsig_key:
    name: cambridge2.example.net
  no_log: true
"""

RETURN = r"""
name:
  description: The name of the key.
  returned: O(state=present)
  type: str
  sample: cambridge2.example.net
algorithm:
  description: Its algorithm.
  returned: O(state=present)
  type: str
  sample: hmac-sha256
secret:
  description: The key in base64. Empty where check mode would make one.
  returned: O(state=present)
  type: str
  sample: ""
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.tsig_key import (
    SECRET_BYTES,
    KeyFile,
    TsigKey,
    make_key,
    plan_key,
    render_key,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    require_writable,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import remove_file
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run


class Key:
    """One run."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.path = Path(parameters["path"])

    def decide(self) -> Change[TsigKey]:
        """Compare what is there with what is wanted; a key is made only where it will be written."""
        content = read_optional(self.path)
        text = None if content is None else content.decode("utf-8", "replace")
        change = plan_key(KeyFile(str(self.path), text, file_mode(self.path)), self.parameters)
        if change.steps and self.path.parent.exists():
            require_writable(self.path)
        return change

    def apply(self, change: Change[TsigKey]) -> Mapping[str, Any]:
        """Write the key, or remove the file."""
        if self.parameters["state"] == "absent":
            remove_file(self.path)
            return {}
        key = change.steps[0]
        if not key.secret:
            key = make_key(key.name, key.algorithm, secrets.token_bytes(SECRET_BYTES[key.algorithm]))
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomic(self.path, render_key(key).encode(), mode=0o600)
        return {"secret": key.secret}


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/privatespace/dns.key", "no_log": False},
            "name": {"type": "str"},
            "algorithm": {"type": "str", "choices": list(SECRET_BYTES), "default": "hmac-sha256"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["name"])],
        supports_check_mode=True,
    )
    work = Key(module.params)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
