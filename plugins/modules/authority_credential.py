#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret that systemd hands over to one service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: authority_credential
short_description: Have a secret that systemd hands over to one service
version_added: 0.1.0
description:
  - Keeps a secret, such as the PIN of a token, as a credential of systemd. It is in no argument, no environment and no
    log, and of all services only the one that asks for it by name in its unit can read it.
  - Where C(systemd-creds) can encrypt it for this host, and a service of this host is seen to get it, the file is of no
    use elsewhere. Where that does not work, it is a file that only root can read, which systemd hands over, or, where
    systemd hands over nothing at all as in some containers, the service reads itself. Which of these it is, is found
    out by trying when the secret is written, and returned.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  name:
    description: By which name the service asks for it.
    type: str
    default: privatespace-hsm-pin
  content:
    description: The secret, one line of visible characters. Needed with O(state=present).
    type: str
  folder:
    description: Where its file lies, for root only; made where it is missing.
    type: path
    default: /etc/privatespace/credentials
  state:
    description: V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Tells whether the secret would be written. Whether it can be encrypted is not tried.
    support: full
  diff_mode:
    description: Shows how the secret is kept, and that it is replaced; never the secret.
    support: full
  platform:
    description: Runs on a host with systemd, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.authority_program
"""

EXAMPLES = r"""
- name: Have the PIN of the token for the service that signs the CRL
  privatespace.gateway.authority_credential:
    content: "{{ pki_hsm_pin }}"
  register: pin

- name: Have it no more
  privatespace.gateway.authority_credential:
    state: absent
"""

RETURN = r"""
path:
  description: The file. Empty with O(state=absent).
  returned: success
  type: str
  sample: /etc/privatespace/credentials/privatespace-hsm-pin.cred
way:
  description:
    - V(encrypted) for a file that only this host can read, V(loaded) for one that systemd hands over, V(direct) for one
      that the service reads itself. Empty with O(state=absent). In check mode the one that is expected.
  returned: success
  type: str
  sample: encrypted
reason:
  description: Why it is not encrypted. Empty where it is, and where that was not tried.
  returned: success
  type: str
  sample: "it cannot be encrypted: 'systemd-creds' ended with status 1: no output."
directive:
  description: The line for the unit of the service. Empty with O(state=absent).
  returned: success
  type: str
  sample: LoadCredentialEncrypted=privatespace-hsm-pin:/etc/privatespace/credentials/privatespace-hsm-pin.cred
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.credentials import (
    DIRECT,
    ENCRYPTED,
    WAYS,
    Credential,
    encrypt,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.store_options import failing


class Keeping:
    """One run."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.credential = Credential(parameters["name"], Path(parameters["folder"]))
        self.wanted = parameters["state"] == "present"
        self.secret = (parameters["content"] or "").encode()
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", parameters["name"]):
            raise InputError("The option 'name' needs 1 to 63 of a-z, 0-9 and '-'.")
        if self.wanted and not (parameters["content"] or "").isprintable():
            raise InputError("The secret holds a control character.", remedy="Give one line of visible characters.")

    def decide(self) -> Change[str]:
        """Look what there is."""
        found = {way: self.credential.read(way) for way in WAYS if self.credential.path(way).exists()}
        kept = list(found)
        is_right = len(kept) == 1 and found[kept[0]] == self.secret
        before = {"kept": ", ".join(kept) or "not at all", "current": is_right}
        if not self.wanted:
            return Change(before, {"kept": "not at all", "current": False}, ("remove",) if kept else (), self._result())
        if is_right:
            return Change(before, before, (), self._result(kept[0]))
        return Change(before, {"kept": ENCRYPTED, "current": True}, ("write",), self._result(ENCRYPTED))

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Write or remove it."""
        if "remove" in change.steps:
            self.credential.remove()
            return {}
        reasons: list[str] = []
        for way in WAYS:
            content, reason = self._try(way)
            if not reason:
                self.credential.write(way, content)
                return self._result(way, "; ".join(one.rstrip(".") for one in reasons))
            reasons.append(reason)
        return {}

    def _try(self, way: str) -> tuple[bytes, str]:
        """What a file of that way would hold, and why it would be of no use; the last way needs nobody's help."""
        content, reason = encrypt(self.secret, name=self.credential.name) if way == ENCRYPTED else (self.secret, "")
        if not reason and way != DIRECT:
            reason = self.credential.try_way(way, content)
        return content, reason

    def _result(self, way: str = "", reason: str = "") -> dict[str, Any]:
        path, directive = (str(self.credential.path(way)), self.credential.directive(way)) if way else ("", "")
        return {"path": path, "way": way, "reason": reason, "directive": directive}


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "privatespace-hsm-pin"},
            "content": {"type": "str", "no_log": True},
            "folder": {"type": "path", "default": "/etc/privatespace/credentials"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["content"])],
        supports_check_mode=True,
    )
    with failing(module):
        work = Keeping(module.params)
        run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
