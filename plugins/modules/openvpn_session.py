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
    one that works; one that has expired, is not valid yet, or is not signed by the CA is refused.
  - An older one is refused, too, unless the one in place lists all O(serials) and is good. Then that one stays and the
    removal goes on, because of two removals at once the later CRL may arrive first.
  - Where the gateway trusts several CAs, the file holds one CRL of each. One that lacks a CA is refused, because
    OpenVPN would let in everybody whose certificate that CA has revoked.
  - A session whose certificate was refused at a renegotiation has lost its name in OpenVPN's status. It is found by the
    name it had when the module began, or by O(cut_unnamed).
  - Without O(common_names) the module only installs the CRL.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  state:
    description:
      - V(absent) ends the sessions of O(common_names).
      - V(reconnected) has sessions connect again whose address in the tunnel is not the one in their device's file in
        O(client_folder), or is one that is given out by name to others. A client is asked to, and cut after six
        seconds.
    type: str
    choices: [absent, reconnected]
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
      - The CRLs, PEM, to be put in place after a first look at the sessions and before they are cut; one for each
        certificate in O(ca_path), in any order. Those of other CAs are left out.
      - OpenVPN reads it at the next connection. Nothing is restarted.
    type: str
  crl_path:
    description: Where OpenVPN reads the CRL.
    type: path
    default: /etc/openvpn/server/privatespace/crl.pem
  revocation:
    description:
      - V(serials) also keeps a file for each revoked serial number in O(serial_folder), made before the CRL is put in
        place. The file in O(crl_path) is kept in either case.
      - Where the folder is there, it is kept right with V(crl), too; see P(privatespace.gateway.openvpn#role).
    type: str
    choices: [crl, serials]
    default: crl
  serial_folder:
    description: Where OpenVPN looks for files of revoked serial numbers, C(crl-verify FOLDER dir).
    type: path
    default: /etc/openvpn/server/privatespace/revoked
  lift_users:
    description:
      - Users whose denials, and those of their devices, are lifted from O(denial_folder) once the CRL is in place and
        the sessions are proved to be gone; see M(privatespace.gateway.openvpn_denial).
      - A denial that waits for serial numbers which the CRL does not list stays. With O(crl_content) one whose serial
        numbers it lists is lifted in any case.
    type: list
    elements: str
    default: []
  lift_names:
    description: Common names of devices whose denials are lifted, as with O(lift_users).
    type: list
    elements: str
    default: []
  denial_folder:
    description: The register of denials.
    type: path
    default: /etc/openvpn/server/privatespace/denied
  ca_path:
    description: The certificates of the CAs that must have signed the CRLs, PEM.
    type: path
    default: /etc/openvpn/server/privatespace/ca.crt
  serials:
    description:
      - Serial numbers, decimal, that O(crl_content) must list, each in the CRL of any CA. A file that lacks one of them
        is refused. Without O(crl_content), RV(refused) tells about them.
    type: list
    elements: str
    default: []
  processes:
    description: For V(reconnected), the OpenVPN processes; see P(privatespace.gateway.openvpn_listeners#filter).
    type: list
    elements: dict
    default: []
  client_folder:
    description: For V(reconnected), the folder that M(privatespace.gateway.openvpn_clients) keeps.
    type: path
    default: /etc/openvpn/server/privatespace/ccd
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
    description: Shows the numbers of the CRLs, the sessions, and how many files of serial numbers differ.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
notes:
  - A listener whose process does not run has no sessions, which is reported in RV(listeners). One that hangs is an
    error naming it, raised after the sessions on all other listeners have been cut.
  - Where the CRL cannot be put in place, as on a full disk, the sessions of O(common_names) are cut all the same, and
    can come back. The module fails then, and returns what it has done.
  - So it does where OpenVPN, once it has dropped its privileges, cannot look into the folder of O(crl_path), or with
    O(revocation=serials) into O(serial_folder), as where the mode of a folder above was tightened. No denial is lifted.
  - Needs the program C(openssl) when O(crl_content) is given.
seealso:
  - module: privatespace.gateway.openvpn_denial
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

- name: Have devices reconnect whose group has changed
  privatespace.gateway.openvpn_session:
    state: reconnected
    processes: "{{ [{'name': 'udp', 'protocol': 'udp', 'port': 1194, 'network': '10.91.0.0/20'}] }}"

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
  returned: success with O(state=absent)
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
  description: The CRLs that were given, or V(null).
  returned: success with O(state=absent)
  type: dict
  contains:
    number:
      description: The number of the first CRL in the file.
      type: int
    this_update:
      description: Of the first CRL in the file, seconds since 1970-01-01 UTC.
      type: int
    next_update:
      description: When the first of them expires, seconds since 1970-01-01 UTC.
      type: int
    expires_first:
      description: The name of the CA whose CRL that is.
      type: str
    sha256:
      description: The fingerprint of the file.
      type: str
    issuers:
      description: The CRL of each CA, in the order of the file.
      type: list
      elements: dict
      contains:
        issuer:
          description: The name of the CA.
          type: str
        number:
          description: Its CRL number.
          type: int
        this_update:
          description: Seconds since 1970-01-01 UTC.
          type: int
        next_update:
          description: Seconds since 1970-01-01 UTC.
          type: int
  sample:
    number: 12
    this_update: 1790000000
    next_update: 1792592000
    expires_first: CN = Example VPN CA
    sha256: 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
    issuers:
      - issuer: CN = Example VPN CA
        number: 12
        this_update: 1790000000
        next_update: 1792592000
refused:
  description:
    - For each of O(serials) whether a certificate with that number is refused by what is in place now; in check mode by
      what would be.
  returned: success with O(state=absent)
  type: dict
  sample:
    "421337": true
lifted:
  description:
    - The denials that were lifted, by their paths in O(denial_folder); in check mode those that would be.
  returned: success with O(state=absent)
  type: list
  elements: str
  sample:
    - devices/alice@laptop
listeners:
  description: Every listener and what it said.
  returned: success with O(state=absent)
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.session_removal import SessionRemoval
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.session_options import session_options
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.reconnection import Reconnection


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec=session_options(),
        supports_check_mode=True,
    )
    if module.params["state"] == "reconnected":
        reconnection = Reconnection(module.params, read=read_optional)
        run(module, reconnection.decide, reconnection.apply)
    work = SessionRemoval(module.params)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
