#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep users, devices, groups or everybody off an OpenVPN gateway, at once and without a CRL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_denial
short_description: Keep users off an OpenVPN gateway at once, without a CRL
version_added: 0.1.0
description:
  - Writes names into the gateway's register of denials, cuts the sessions of whoever is denied, and proves that they
    are gone. Neither the token nor the authority is needed, only names.
  - OpenVPN asks the register at the end of each handshake. A name is compared whole; V(al) does not mean V(alice).
  - The sessions of all who are denied are cut, not only of those who are named now. So without any names the module
    enforces the register as it stands.
  - A session that lost its name when its certificate was refused at a renegotiation is cut, too, as by
    M(privatespace.gateway.openvpn_session); an honest client connects again by itself.
  - Every entry is a small file below O(path). One that is there denies, whatever it holds; a register that is missing
    or cannot be read denies nobody.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  state:
    description:
      - V(present) writes the entries, then cuts.
      - V(absent) lifts them. Nobody is cut, and who was denied may connect again.
    type: str
    choices: [present, absent]
    default: present
  users:
    description: Users, with all of their devices, later ones too.
    type: list
    elements: str
    default: []
  common_names:
    description: Devices, by the common name of their certificate, V(USER@DEVICE).
    type: list
    elements: str
    default: []
  serials:
    description:
      - For names in O(users) and O(common_names), the serial numbers, decimal, that the gateway's CRL has to list
        before the gateway may lift the denial by itself.
      - A denial without them stays until it is lifted on purpose, also when serial numbers are given later, unless with
        O(replace).
    type: dict
    default: {}
  replace:
    description:
      - Whether the denials take the place of those that were written for the same O(reason) before. Otherwise the
        stricter of two holds.
      - Set it when the authority has told of every certificate of these names.
    type: bool
    default: false
  reason:
    description:
      - Why, in a line, for people who read the register.
      - Without it V(removal), or V(lockdown) for O(lockdown).
    type: str
  lockdown:
    description:
      - Denies V(everybody), or the members of some V(groups), except those in O(lockdown_except).
      - With O(state=absent), what is lifted; V(groups) without O(lockdown_groups) lifts that of all groups.
    type: str
    choices: ['', everybody, groups]
    default: ''
  lockdown_groups:
    description: The groups, as in the variable C(openvpn_groups) of the role.
    type: list
    elements: str
    default: []
  lockdown_except:
    description:
      - Users and common names of devices whom no lockdown keeps out. Who is denied by name is kept out nevertheless.
      - They take the place of those who were spared before, so that with an empty list nobody is any more. Who is no
        longer spared is cut. Without the option those who were spared before still are.
      - With the last lockdown they are forgotten. Goes with O(lockdown); ignored with O(state=absent).
    type: list
    elements: str
  path:
    description:
      - The folder of the register, which lies in the folder of OpenVPN's keys. Its name is C(denied).
    type: path
    default: /etc/openvpn/server/privatespace/denied
  client_folder:
    description: The folder that M(privatespace.gateway.openvpn_clients) keeps, where the groups of devices are.
    type: path
    default: /etc/openvpn/server/privatespace/ccd
  management_sockets:
    description:
      - Unix sockets of the management interfaces. The name of the file is the name of the listener.
      - Without this option all C(*.sock) in C(/run/openvpn-server), and the sockets there that a running process is
        meant to serve.
    type: list
    elements: path
  cut:
    description: Whether sessions are cut. Without that the denial holds from the next connection on.
    type: bool
    default: true
  timeout:
    description:
      - Seconds that one listener may take for an answer, and that killed sessions may take to disappear.
    type: float
    default: 10
attributes:
  check_mode:
    description: Tells which sessions would be cut.
    support: full
  diff_mode:
    description: Shows the register and, where they were known before it was changed, the sessions.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
notes:
  - A listener whose process does not run has no sessions, which is reported in RV(listeners). One that hangs is an
    error naming it, raised after the entries have been written and the sessions on all other listeners have been cut.
  - A listener that does not ask the register, as with the variable C(openvpn_chroot) of the role, is an error, too,
    raised after its sessions have been cut. It refuses by its CRL only.
  - So is one whose process cannot look into O(path), as where the mode of a folder above it was tightened. The error
    names the folder and what mends it. Who is judged by access control lists alone counts as kept out.
  - What is done stands when the module fails after it, and is returned. Where the register cannot be written, as on a
    full disk, the sessions are cut all the same, and can come back.
seealso:
  - module: privatespace.gateway.openvpn_session
  - module: privatespace.gateway.openvpn_clients
"""

EXAMPLES = r"""
- name: Keep a user off this gateway, now
  privatespace.gateway.openvpn_denial:
    users:
      - alice
    reason: laptop stolen

- name: Keep a device off until the CRL here lists its certificate
  privatespace.gateway.openvpn_denial:
    common_names:
      - bob@phone
    serials:
      bob@phone:
        - "421337"

- name: Let nobody in but the two who look after the gateway
  privatespace.gateway.openvpn_denial:
    lockdown: everybody
    lockdown_except:
      - root-of-trust
      - carol@desk

- name: Let everybody in again
  privatespace.gateway.openvpn_denial:
    state: absent
    lockdown: everybody
"""

RETURN = r"""
sessions_cut:
  description:
    - The sessions that were ended; in check mode those that would be.
    - RV(sessions_cut[].common_name) is the name that the session had last.
  returned: always
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
  returned: always
  type: dict
  contains:
    denied_at:
      description: When the entries were in place, or V(null) if nothing had to be written.
      type: float
    snapshot_at:
      description:
        - When the sessions had been read for the first time; where none are cut, when the register had been read.
      type: float
    cut_at:
      description: When the last session had been cut, or V(null) if there was none.
      type: float
    verified_at:
      description:
        - When all listeners had been seen to be free of the sessions; V(null) in check mode, without O(cut), and where
          the module fails.
        - With O(state=absent), when the entries were gone.
      type: float
  sample:
    denied_at: 1790000000.01
    snapshot_at: 1790000000.02
    cut_at: 1790000000.03
    verified_at: 1790000000.1
denials:
  description: The register as it is now; in check mode as it would be.
  returned: always
  type: list
  elements: dict
  contains:
    entry:
      description:
        - Whom it is about. V(users/NAME), V(devices/COMMON NAME), V(lockdown/everybody), V(lockdown/groups/NAME),
          V(lockdown/except/NAME), or V(expired) where the CRL has expired.
      type: str
    since:
      description: Seconds since 1970-01-01 UTC.
      type: int
    reason:
      description: Why.
      type: str
    serials:
      description: The serial numbers that the CRL has to list before it is lifted, or V(null).
      type: list
      elements: str
  sample:
    - entry: users/alice
      since: 1790000000
      reason: laptop stolen
      serials: null
listeners:
  description: Every listener that was asked, and what it said.
  returned: always
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
      description: V(answered), V(not_running), which means that it has no sessions, or V(silent).
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
    refuses:
      description: Whether the process asks this register at each connection, and can look into it.
      type: bool
    barred_by:
      description:
        - The folder that the process cannot look into once it has dropped its privileges, so that it finds no denial.
          Empty where it can look into the register.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_run import DenialRun
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.session_options import FOLDER


def main() -> None:
    """Read the parameters and run."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "users": names,
            "common_names": names,
            "serials": {"type": "dict", "default": {}},
            "replace": {"type": "bool", "default": False},
            "reason": {"type": "str"},
            "lockdown": {"type": "str", "choices": ["", "everybody", "groups"], "default": ""},
            "lockdown_groups": names,
            "lockdown_except": {"type": "list", "elements": "str"},
            "path": {"type": "path", "default": f"{FOLDER}/denied"},
            "client_folder": {"type": "path", "default": f"{FOLDER}/ccd"},
            "management_sockets": {"type": "list", "elements": "path"},
            "cut": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    work = DenialRun(module.params, only_look=module.check_mode)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
