#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut sessions of an OpenVPN gateway and prove that they are gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_session
short_description: Cut sessions of an OpenVPN gateway, and prove that they are gone
version_added: 0.1.0
description:
  - Ends every session of the given common names on all listeners of this host, at once, and disturbs nobody else.
  - Can put a new CRL in place first, so that who is cut cannot come back. The CRL is verified before it replaces the
    one that works; one that has expired, is not valid yet, is older, or is not signed by the CA is refused.
  - A session whose certificate was refused at a renegotiation has lost its name in OpenVPN's status. It is found by the
    name it had when the module began, or by O(cut_unnamed).
  - Without O(common_names) the module only installs the CRL.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  state:
    description: V(absent) ends the sessions. There is no other state.
    type: str
    choices: [absent]
    default: absent
  common_names:
    description: Whole common names; V(al) does not mean V(alice).
    type: list
    elements: str
    default: []
  cut_unnamed:
    description:
      - End established sessions without a name too, when there are O(common_names).
      - Such a session was refused at its last renegotiation and lives on its old key for some minutes. It may be one of
        those to be cut; an honest client connects again by itself.
    type: bool
    default: true
  crl_content:
    description:
      - A CRL, PEM, to be put in place after a first look at the sessions and before they are cut.
      - OpenVPN reads it at the next connection. Nothing is restarted.
    type: str
  crl_path:
    description: Where OpenVPN reads the CRL.
    type: path
    default: /etc/openvpn/server/privatespace/crl.pem
  ca_path:
    description: The certificate of the CA that must have signed the CRL.
    type: path
    default: /etc/openvpn/server/privatespace/ca.crt
  serials:
    description:
      - Serial numbers, decimal, that O(crl_content) must list. A CRL that lacks one of them is refused.
    type: list
    elements: str
    default: []
  management_sockets:
    description:
      - Unix sockets of the management interfaces. The name of the file is the name of the listener.
      - Without this option all C(*.sock) in C(/run/openvpn-server), and the sockets there that a running process is
        meant to serve.
    type: list
    elements: path
  timeout:
    description:
      - Seconds that one listener may take for an answer, and that killed sessions may take to disappear.
    type: float
    default: 10
attributes:
  check_mode:
    description: Verifies the CRL and tells which sessions would be cut.
    support: full
  diff_mode:
    description: Shows the numbers of the CRLs and the sessions.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
notes:
  - A listener whose process does not run has no sessions, which is reported in RV(listeners). One that hangs is an
    error naming it, raised after the sessions on all other listeners have been cut.
  - Needs the program C(openssl) when O(crl_content) is given.
seealso:
  - module: privatespace.gateway.openvpn_session_info
  - module: privatespace.gateway.pki_crl
  - module: privatespace.gateway.pki_users
"""

EXAMPLES = r"""
- name: Remove a device from a gateway, for good
  privatespace.gateway.openvpn_session:
    state: absent
    common_names:
      - alice@laptop
    serials:
      - "421337"
    crl_content: "{{ crl.crl }}"
  register: removal

- name: Show when her session ended
  ansible.builtin.debug:
    msg: "{{ removal.timeline }}"

- name: Only put a new CRL in place
  privatespace.gateway.openvpn_session:
    crl_content: "{{ crl.crl }}"
"""

RETURN = r"""
sessions_cut:
  description:
    - The sessions that were ended; in check mode those that would be.
    - RV(sessions_cut[].common_name) is the name that the session had last.
  returned: success
  type: list
  elements: dict
  contains:
    listener:
      description: The listener's name.
      type: str
    common_name:
      description: The common name of the client's certificate.
      type: str
    client_id:
      description: The number of the session in its process.
      type: int
    real_address:
      description: Where the client was, V(ADDRESS:PORT).
      type: str
    virtual_address:
      description: Its address in the tunnel.
      type: str
  sample:
    - listener: udp
      common_name: alice@laptop
      client_id: 4
      real_address: "192.0.2.7:51234"
      virtual_address: 10.91.0.2
timeline:
  description: When things happened, in seconds since 1970-01-01 UTC by the clock of this host.
  returned: success
  type: dict
  contains:
    snapshot_at:
      description: When the sessions had been read for the first time.
      type: float
    crl_installed_at:
      description: When the CRL was in place, or V(null) if nothing had to be written.
      type: float
    cut_at:
      description: When the last session had been cut, or V(null) if there was none.
      type: float
    verified_at:
      description: When all listeners had been seen to be free of the sessions; V(null) in check mode.
      type: float
  sample:
    snapshot_at: 1790000000.02
    crl_installed_at: 1790000000.03
    cut_at: 1790000000.04
    verified_at: 1790000000.1
crl:
  description: The CRL that was given, or V(null).
  returned: success
  type: dict
  contains:
    number:
      description: Its CRL number.
      type: int
    this_update:
      description: Seconds since 1970-01-01 UTC.
      type: int
    next_update:
      description: Seconds since 1970-01-01 UTC.
      type: int
    sha256:
      description: The fingerprint of the file.
      type: str
  sample:
    number: 12
    this_update: 1790000000
    next_update: 1792592000
    sha256: 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
listeners:
  description: Every listener and what it said.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The listener's name.
      type: str
    socket:
      description: Its management socket.
      type: str
    state:
      description: V(answered), V(not_running), which means that it has no sessions, or in check mode V(silent).
      type: str
    pid:
      description: The process, or V(null) where it was not found.
      type: int
    started_at:
      description: When the process was started, seconds since 1970-01-01 UTC, or V(null).
      type: float
    stale:
      description: Whether the configuration file is newer than the process, so that a restart is due.
      type: bool
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import Completed, run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import Crl, accept_crl
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import (
    find_sockets,
    running_processes,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    cut_sessions,
    describe_listener,
    doomed_sessions,
    last_cut,
    parse_order,
    require_answers,
    require_gone,
    take_snapshot,
)

CRL_MODE = 0o644
OPENSSL_SECONDS = 30


class Removal:
    """One run: the snapshot, then the CRL, then the cut, then the proof."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._crl_path = Path(parameters["crl_path"])
        self._timeline: dict[str, float | None] = dict.fromkeys(
            ("snapshot_at", "crl_installed_at", "cut_at", "verified_at")
        )

    def decide(self) -> Change[str]:
        """Look at the sessions and judge the CRL; nothing is written."""
        self._order = parse_order(
            self._parameters["common_names"],
            cut_unnamed=self._parameters["cut_unnamed"],
            timeout_seconds=self._parameters["timeout"],
        )
        new, old = self._read_crls()
        processes = running_processes()
        self._talk = partial(
            open_management, timeout_seconds=self._parameters["timeout"], is_running=processes.__contains__
        )
        sockets = find_sockets(self._parameters["management_sockets"], processes)
        self._states = take_snapshot(sockets if self._order.names else (), open_socket=self._talk)
        self._timeline["snapshot_at"] = epoch_seconds()
        doomed = doomed_sessions(self._states, self._order)
        self._new = new if new is not None and not self._is_in_place(new) else None
        steps: list[str] = ["crl"] if self._new else []
        steps += ["sessions"] if doomed else []
        if not steps:
            require_answers(self._states)
            self._timeline["verified_at"] = epoch_seconds()
        return Change(
            before={"crl": None if old is None else old.as_facts(), "sessions": [one.as_dict() for one in doomed]},
            after={"crl": None if new is None else new.as_facts(), "sessions": []},
            steps=tuple(steps),
            result={
                "crl": None if new is None else new.as_facts(),
                "listeners": [describe_listener(state, processes.get(state.socket)) for state in self._states],
                "sessions_cut": [one.as_dict() for one in doomed],
                "timeline": self._timeline,
            },
        )

    def apply(self, _change: Change[str]) -> Mapping[str, Any]:
        """Put the CRL in place, cut, and prove."""
        if self._new is not None:
            self._install(self._new)
            self._timeline["crl_installed_at"] = epoch_seconds()
        cuts = cut_sessions(self._states, self._order, open_socket=self._talk, settle_handshakes=self._new is not None)
        self._timeline["cut_at"] = last_cut(cuts)
        require_gone(cuts, self._states)
        self._timeline["verified_at"] = epoch_seconds()
        return {"sessions_cut": [one.as_dict() for cut in cuts for one in cut.sessions], "timeline": self._timeline}

    def _read_crls(self) -> tuple[Crl | None, Crl | None]:
        content = self._parameters["crl_content"]
        if not content:
            return None, None
        return accept_crl(
            content.encode("utf-8"),
            in_place=read_optional(self._crl_path),
            serials=self._parameters["serials"],
            ca_path=Path(self._parameters["ca_path"]),
            now=epoch_seconds(),
            run=run_openssl,
        )

    def _is_in_place(self, crl: Crl) -> bool:
        # A daemon that cannot read the file refuses everybody.
        return read_optional(self._crl_path) == crl.content and file_mode(self._crl_path) == CRL_MODE

    def _install(self, crl: Crl) -> None:
        before = self._crl_path.stat().st_mtime if self._crl_path.exists() else 0.0
        write_atomic(self._crl_path, crl.content, mode=CRL_MODE)
        # OpenVPN compares size and whole seconds: a second CRL within one of them would go unnoticed.
        if int(self._crl_path.stat().st_mtime) <= int(before):
            os.utime(str(self._crl_path), (int(before) + 1, int(before) + 1))


def run_openssl(argv: Any, stdin: bytes) -> Completed:
    """Run the program that reads CRLs; the caller judges its status."""
    return run_command(argv, stdin=stdin, timeout_seconds=OPENSSL_SECONDS, check=False)


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
            "common_names": {"type": "list", "elements": "str", "default": []},
            "cut_unnamed": {"type": "bool", "default": True},
            "crl_content": {"type": "str"},
            "crl_path": {"type": "path", "default": "/etc/openvpn/server/privatespace/crl.pem"},
            "ca_path": {"type": "path", "default": "/etc/openvpn/server/privatespace/ca.crt"},
            "serials": {"type": "list", "elements": "str", "default": []},
            "management_sockets": {"type": "list", "elements": "path"},
            "timeout": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    removal = Removal(module.params)
    run(module, removal.decide, removal.apply)


if __name__ == "__main__":
    main()
