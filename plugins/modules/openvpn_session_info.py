#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is connected to this gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_session_info
short_description: Who is connected to an OpenVPN gateway
version_added: 0.1.0
description:
  - Asks every OpenVPN server process of this host, over its management socket, who is connected.
  - Tells for each process too whether it runs, which version it is, whether it has read its present configuration,
    and whether the kernel carries its data (data channel offload).
  - Tells which CRL is in place, and until when the gateway's certificate is valid.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  management_sockets:
    description:
      - Unix sockets of the management interfaces. The name of the file is the name of the listener.
      - Without this option all C(*.sock) in C(/run/openvpn-server), and the sockets there that a running process is
        meant to serve.
    type: list
    elements: path
  timeout:
    description: Seconds that one listener may take for an answer.
    type: float
    default: 5
  answers_required:
    description:
      - Whether a listener that does not answer in time is an error. Otherwise its RV(listeners[].state) is V(silent),
        and its sessions are missing from the list.
    type: bool
    default: true
  crl_path:
    description: Where OpenVPN reads the CRL.
    type: path
    default: /etc/openvpn/server/privatespace/crl.pem
  ca_path:
    description: The certificates of the CAs that must have signed the CRLs, PEM.
    type: path
    default: /etc/openvpn/server/privatespace/ca.crt
  certificate_path:
    description: The certificate of the gateway.
    type: path
    default: /etc/openvpn/server/privatespace/server.crt
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
  - module: privatespace.gateway.openvpn_session
"""

EXAMPLES = r"""
- name: Ask who is connected
  privatespace.gateway.openvpn_session_info:
  register: connected

- name: Show the names
  ansible.builtin.debug:
    msg: "{{ connected.sessions | map(attribute='common_name') | list }}"
"""

RETURN = r"""
sessions:
  description: Every session of every listener, those still in their handshake included.
  returned: success
  type: list
  elements: dict
  contains:
    listener:
      description: The listener's name.
      type: str
    common_name:
      description:
        - The common name of the client's certificate.
        - V(UNDEF) during the handshake, and after a renegotiation that was refused.
      type: str
    client_id:
      description: The number of the session, never used twice by one process.
      type: int
    real_address:
      description: Where the client is, V(ADDRESS:PORT).
      type: str
    virtual_address:
      description: Its address in the tunnel; empty before it has one.
      type: str
    virtual_address6:
      description: Its IPv6 address in the tunnel; empty without one.
      type: str
    bytes_received:
      description: Bytes that the gateway received since the session began.
      type: int
    bytes_sent:
      description: Bytes that the gateway sent since the session began.
      type: int
    connected_since:
      description: Seconds since 1970-01-01 UTC.
      type: int
    username:
      description: The name given with a password, if any.
      type: str
  sample:
    - listener: udp
      common_name: alice@laptop
      client_id: 4
      real_address: "192.0.2.7:51234"
      virtual_address: 10.91.0.2
      virtual_address6: ""
      bytes_received: 18232
      bytes_sent: 91021
      connected_since: 1790000000
      username: ""
listeners:
  description: Every listener that was asked.
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
      description:
        - V(answered), V(not_running), which means that it has no sessions, or V(silent), only where
          O(answers_required=false).
      type: str
    pid:
      description: The process, as it says itself, or V(null) where it was not found.
      type: int
    version:
      description: The version of OpenVPN that runs, as it says itself; empty where it does not answer.
      type: str
    connected_since:
      description: Since when it has been ready for clients, seconds since 1970-01-01 UTC, or V(null).
      type: int
    started_at:
      description: When the process was started, seconds since 1970-01-01 UTC, or V(null).
      type: float
    stale:
      description: Whether the configuration file is newer than the process, so that a restart is due.
      type: bool
    sessions:
      description: How many sessions it has.
      type: int
    bytes_received:
      description: Bytes that it received from all clients since it was started; C(bytes_sent) likewise.
      type: int
    bytes_sent:
      description: Bytes that it sent.
      type: int
    dco:
      description:
        - V(active) where the kernel carries the data (data channel offload), V(possible) where it could,
          V(unavailable), or V(unknown) for a listener that does not answer.
      type: str
    dco_reason:
      description: Why, in words.
      type: str
    problems:
      description:
        - What is wrong with it, as sentences. Empty for a listener that answers, is the process of its unit and has
          read its present configuration.
      type: list
      elements: str
  sample:
    - name: udp
      socket: /run/openvpn-server/udp.sock
      state: answered
      pid: 812
      version: 2.6.14
      connected_since: 1790000001
      started_at: 1790000000.21
      stale: false
      sessions: 1
      bytes_received: 18232
      bytes_sent: 91021
      dco: unavailable
      dco_reason: the kernel has no module ovpn-dco-v2
      problems: []
crl:
  description: The CRLs in place, or V(null) where there is not one of each CA.
  returned: success
  type: dict
  contains:
    number:
      description: The number of the first CRL in the file.
      type: int
    this_update:
      description: Of the first CRL in the file, seconds since 1970-01-01 UTC.
      type: int
    next_update:
      description:
        - When the first of them expires, and nobody with a certificate of its CA can connect any more. Seconds since
          1970-01-01 UTC.
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
crl_problem:
  description: Why RV(crl) is V(null); otherwise empty.
  returned: success
  type: str
  sample: ""
certificate_not_after:
  description: When the gateway's certificate expires, seconds since 1970-01-01 UTC, or V(null) where there is none.
  returned: success
  type: int
  sample: 1821536000
foreign_configs:
  description:
    - Configurations in OpenVPN's folders that the role did not write; see
      M(privatespace.gateway.openvpn_foreign_config).
  returned: success
  type: list
  elements: str
  sample: []
announcement:
  description:
    - What the program that keeps this gateway's name in DNS last found; V(null) on a gateway without one.
    - C(problem) is empty where the name is right. C(checked_at) and C(changed_at) are seconds since 1970-01-01 UTC.
  returned: success
  type: dict
  sample:
    name: cambridge2.example.net
    addresses: [192.0.2.21]
    changed_at: 1790000000
    checked_at: 1790003600
    problem: ""
revocation:
  description: How OpenVPN learns who is revoked.
  returned: success
  type: dict
  contains:
    mode:
      description: V(serials) where a process that runs looks for files of serial numbers, else V(crl).
      type: str
    missing_folders:
      description: Folders in which it looks and which are not there, so that it lets everybody in.
      type: list
      elements: str
    barred_by:
      description:
        - A folder that a process cannot look into once it has dropped its privileges, so that it lets in whom a denial
          or a newer CRL keeps out. Empty where there is none.
      type: str
    denied_since_expiry:
      description: Whether everybody is denied because the CRL has expired; see P(privatespace.gateway.openvpn#role).
      type: bool
    agent_wanted:
      description: Whether the gateway is meant to follow the CRL by itself.
      type: bool
    agent:
      description:
        - What the program that follows the CRL last found; V(null) on a gateway without one, and where it has never
          run.
        - C(problem) is empty where all is well. C(checked_at), C(answered_at), when a good CRL was last found
          published, and C(problem_since) are seconds since 1970-01-01 UTC.
      type: dict
  sample:
    mode: crl
    missing_folders: []
    barred_by: ""
    denied_since_expiry: false
    agent_wanted: true
    agent:
      checked_at: 1790003600
      answered_at: 1790003600
      problem: ""
      number: 12
denials:
  description:
    - Who is kept out by name, and which lockdown holds; see RV(privatespace.gateway.openvpn_denial#module:denials).
  returned: success
  type: list
  elements: dict
  sample:
    - entry: users/alice
      since: 1790000000
      reason: removal
      serials: null
web_certificate:
  description:
    - What the program that keeps the certificate for browsers last found; V(null) on a gateway without one.
    - C(problem) is empty where all is well, and C(retry_at) tells when it tries again. C(fingerprint) is empty where
      there is no certificate. Moments are seconds since 1970-01-01 UTC.
  returned: success
  type: dict
  sample:
    names: [cambridge2.example.net]
    issuer: E7
    not_before: 1790000000
    not_after: 1797776000
    days_left: 89.5
    checked_at: 1790003600
    retry_at: 0
    problem: ""
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import Question, gather_gateway
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import report


def gather(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ask all listeners; one that does not answer is an error, since its sessions would be missing from the list."""
    return gather_gateway(
        Question(
            sockets=parameters["management_sockets"],
            timeout_seconds=parameters["timeout"],
            answers_required=parameters["answers_required"],
            crl_path=Path(parameters["crl_path"]),
            ca_path=Path(parameters["ca_path"]),
            certificate_path=Path(parameters["certificate_path"]),
        )
    )


def main() -> None:
    """Read the parameters and report."""
    module = AnsibleModule(
        argument_spec={
            "management_sockets": {"type": "list", "elements": "path"},
            "answers_required": {"type": "bool", "default": True},
            "crl_path": {"type": "path", "default": "/etc/openvpn/server/privatespace/crl.pem"},
            "ca_path": {"type": "path", "default": "/etc/openvpn/server/privatespace/ca.crt"},
            "certificate_path": {"type": "path", "default": "/etc/openvpn/server/privatespace/server.crt"},
            "timeout": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    report(module, lambda: gather(module.params))


if __name__ == "__main__":
    main()
