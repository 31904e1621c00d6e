#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the files from which OpenVPN tells its clients what they get."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_clients
short_description: Have what OpenVPN tells each client, and its static addresses
version_added: 0.1.0
description:
  - Keeps one folder of files for each OpenVPN process (C(client-config-dir)). The file C(DEFAULT) is for everybody; a
    device that is in a group, has a static address, routes of its own or a network behind it, or is disabled has a file
    named like its common name.
  - OpenVPN reads these files at each connection. A change needs no restart and cuts nobody.
  - All of the input is checked before the first file is written. Files are replaced one by one and each atomically;
    files that nobody wants are removed. Folders of processes that are not in O(processes) are not touched.
  - A device keeps the static address that it has. A new one gets the first free address of the reserved part of the
    network, counted from a place that its name decides.
  - OpenVPN takes a file that it cannot read for one that is missing. So owners and modes are put right at each run, and
    the module fails where the user of the service could not reach them.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  folder:
    description: The folder that holds the folders of the processes.
    type: path
    default: /etc/openvpn/server/privatespace/ccd
  service_user:
    description: The user that OpenVPN runs as. Its group may read the files.
    type: str
    default: openvpn
  processes:
    description: The OpenVPN processes; see P(privatespace.gateway.openvpn_listeners#filter).
    type: list
    elements: dict
    required: true
  settings:
    description: What every client is told.
    type: dict
    default: {}
    suboptions:
      full_tunnel:
        description: Whether clients send everything through the tunnel.
        type: bool
        default: true
      block_local:
        description: Whether a client in full tunnel is cut off from the network that it stands in.
        type: bool
        default: false
      push_routes:
        description: Networks, CIDR, that clients reach through the tunnel.
        type: list
        elements: str
        default: []
      push_options:
        description: Further options. Only those that do no harm are let through.
        type: list
        elements: str
        default: []
      dns_servers:
        description:
          - Addresses of resolvers, eight at most. V(gateway) is the gateway's own address in the client's tunnel.
          - In a split tunnel they are asked for C(dns_domains) and for nothing else; without any, they are not pushed.
        type: list
        elements: str
        default: []
      dns_domains:
        description: Domains that clients search and, in a split tunnel, the only ones they ask these resolvers for.
        type: list
        elements: str
        default: []
  groups:
    description:
      - Groups with the keys C(name), C(default), C(networks), C(reach_members), and those of O(settings) without
        C(block_local). What a group leaves out is as in O(settings).
      - If there are any, exactly one has C(default=true); devices of no other group belong to it.
    type: list
    elements: dict
    default: []
  users:
    description:
      - What is special about users or devices, with the keys C(name), C(device), C(group), C(addresses),
        C(push_routes), C(push_options) and C(networks_behind); see the variable C(openvpn_users) of the role.
      - An entry with C(device) adds to that of the user, and its group wins.
    type: list
    elements: dict
    default: []
  devices:
    description:
      - The devices that the authority knows, with the keys C(user), C(device), C(disabled) and, if you like,
        C(common_name).
      - Without this option, those that have a file now, disabled or not as they are now.
    type: list
    elements: dict
  known_clients_only:
    description: Write a file for every device, for a server with C(ccd-exclusive).
    type: bool
    default: false
attributes:
  check_mode:
    description: Tells what would become of each device.
    support: full
  diff_mode:
    description: Shows what the files say, before and after.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.openvpn_session
"""

EXAMPLES = r"""
- name: Let sales into their network only, and keep one stolen laptop out
  privatespace.gateway.openvpn_clients:
    processes: "{{ [{'name': 'udp', 'protocol': 'udp', 'port': 1194, 'network': '10.91.0.0/20'}] }}"
    settings:
      full_tunnel: false
      push_routes:
        - 10.20.0.0/16
    groups:
      - name: staff
        default: true
      - name: sales
        networks:
          - 10.20.7.0/24
    users:
      - name: bob
        group: sales
    devices:
      - user: alice
        device: laptop
        disabled: true
      - user: bob
        device: phone
"""

RETURN = r"""
groups:
  description: The groups, with what a firewall needs to tell their members.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The group's name.
      type: str
    default:
      description: Whether everybody else belongs to it.
      type: bool
    networks:
      description: What members may reach; V(null) for everything.
      type: list
      elements: str
    reach_members:
      description: Whether members reach each other.
      type: bool
    addresses:
      description: IPv4 addresses of the members, and IPv4 networks behind them. Empty for the default group.
      type: list
      elements: str
    addresses6:
      description: The same for IPv6.
      type: list
      elements: str
  sample:
    - name: sales
      default: false
      networks: [10.20.7.0/24]
      reach_members: false
      addresses: [10.91.12.7]
      addresses6: []
clients:
  description: The devices that are told something else than everybody.
  returned: success
  type: list
  elements: dict
  contains:
    common_name:
      description: The common name of the certificate.
      type: str
    group:
      description: The group, or V(null) where there are none.
      type: str
    addresses:
      description: Static IPv4 addresses, by process.
      type: dict
changed_clients:
  description: The devices whose files were changed; in check mode those whose files would be.
  returned: success
  type: list
  elements: dict
  contains:
    common_name:
      description: The common name of the certificate.
      type: str
    changes:
      description: What becomes of it, in words.
      type: list
      elements: str
    summary:
      description: Both in one line.
      type: str
  sample:
    - common_name: bob@phone
      changes: ["moves to the group sales", "gets 10.91.12.7 on udp"]
      summary: bob@phone moves to the group sales, gets 10.91.12.7 on udp
disabled:
  description: Common names of the disabled devices.
  returned: success
  type: list
  elements: str
unknown_users:
  description: Entries of O(users) for whom the authority knows no device.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host import shared_files
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.client_plan import (
    Folder,
    FolderStep,
    plan_client_files,
)


class ClientFiles:
    """One run: look at the folders, decide, and write."""

    def __init__(self, parameters: Mapping[str, Any], *, only_look: bool) -> None:
        self.parameters = parameters
        self.root = Path(parameters["folder"])
        self.only_look = only_look

    def decide(self) -> Change[FolderStep]:
        """Read what is there and plan; nothing is written."""
        self.reader = shared_files.find_reader(self.parameters["service_user"], may_be_missing=self.only_look)
        found = {
            name: Folder(
                {one: content.decode("utf-8", "replace") for one, content in folder.contents.items()},
                folder.astray,
                folder.fit,
            )
            for name, folder in shared_files.find_folders(self.root, self.reader).items()
        }
        fit = shared_files.is_fit_folder(self.root, self.reader)
        change = plan_client_files(self.parameters, found, root_fit=fit)
        if fit:
            shared_files.require_reachable(self.root, self.reader)
        return change

    def apply(self, change: Change[FolderStep]) -> Mapping[str, Any]:
        """Write and remove."""
        shared_files.make_fit_folder(self.root, self.reader)
        shared_files.require_reachable(self.root, self.reader)
        for step in change.steps:
            folder = self.root / step.process
            shared_files.make_fit_folder(folder, self.reader)
            shared_files.replace_files(folder, step.write, self.reader)
            shared_files.remove_files(folder, step.remove)
        return {}


def main() -> None:
    """Read the parameters and run."""
    strings = {"type": "list", "elements": "str", "default": []}
    dicts = {"type": "list", "elements": "dict", "default": []}
    settings = {
        "full_tunnel": {"type": "bool", "default": True},
        "block_local": {"type": "bool", "default": False},
        **dict.fromkeys(("push_routes", "push_options", "dns_servers", "dns_domains"), strings),
    }
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": "/etc/openvpn/server/privatespace/ccd"},
            "service_user": {"type": "str", "default": "openvpn"},
            "processes": {"type": "list", "elements": "dict", "required": True},
            "settings": {"type": "dict", "default": {}, "options": settings},
            "groups": dicts,
            "users": dicts,
            "devices": {"type": "list", "elements": "dict"},
            "known_clients_only": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    work = ClientFiles(module.params, only_look=module.check_mode)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
