#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time links by which people fetch the profiles of their devices."""

from __future__ import annotations

DOCUMENTATION = r"""
module: profile_link
short_description: Make one-time links to profiles on a gateway, or erase them
version_added: 0.1.0
description:
  - A link shows its user which device it is for, and gives the profile away once. The profile lies on the gateway
    encrypted, with a key that is only in the link, until it is fetched or the link expires.
  - All links of one call are made, or none. A new link takes the place of every older one of the same device on this
    gateway.
author:
  - Private Space Gateway contributors (@privatespace)
options:
  links:
    description: The devices.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description: The name of the user.
        type: str
        required: true
      device:
        description:
          - The name of the device. Without one, O(state=absent) erases the links of all devices of the user.
        type: str
      file_name:
        description: Under which name it is saved. The default is C(USER@DEVICE.ovpn).
        type: str
  profiles:
    description:
      - The profile of each device, by C(USER@DEVICE). Needed with O(state=present).
      - They are apart from O(links) so that Ansible hides all of them, also in the log of the gateway.
    type: dict
  host:
    description: The name under which browsers find the gateway. Needed with O(state=present).
    type: str
  port:
    description: The port of its web server.
    type: int
    default: 443
  hours:
    description: For how long a link can be opened, 1 to 720 hours.
    type: int
    default: 24
  qr_code:
    description: Whether the page shows the link as a QR code, too, to carry it to a phone.
    type: bool
    default: true
  folder:
    description: Where links lie. The role P(privatespace.gateway.portal#role) makes it.
    type: path
    default: /var/lib/privatespace/portal/links
  web_part:
    description:
      - The part of the web server by which browsers reach the page. Without it nobody could open a link, and none is
        made. The role P(privatespace.gateway.web#role) puts it there once there is a certificate.
    type: path
    default: /etc/privatespace/web/enabled/https.conf
  socket:
    description: The UNIX socket of the service that gives links out. Where it takes no connections, no link is made.
    type: path
    default: /run/privatespace-portal/portal.sock
  state:
    description: V(absent) erases the links of these devices, also those that are being fetched.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - cryptography >= 38 and segno >= 1.4 on the gateway, with O(state=present)
notes:
  - RV(links[].url) is a secret until it is opened. Say C(no_log=true) wherever you use what the module returns, but for
    the task that hands a link to its user.
attributes:
  check_mode:
    description:
      - Tells whose links would be made and erased, and whether the gateway takes links. RV(links[].url) is empty.
    support: full
  diff_mode:
    description: Shows the devices that have a link before and after; never a link or a profile.
    support: full
  platform:
    description: Runs on the gateway, as root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.pki_users
  - plugin: privatespace.gateway.openvpn_profile
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make a link for alice's laptop
  privatespace.gateway.profile_link:
    host: cambridge2.example.net
    links:
      - user: alice
        device: laptop
    profiles:
      alice@laptop: "{{ delivery | privatespace.gateway.openvpn_profile(gateways) }}"
  no_log: true
  register: made

- name: Erase whatever waits for bob
  privatespace.gateway.profile_link:
    state: absent
    links:
      - user: bob
"""

RETURN = r"""
links:
  description: The links that were made, in the order of O(links).
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    user:
      description: The name of the user.
      type: str
      sample: alice
    device:
      description: The name of the device.
      type: str
      sample: laptop
    url:
      description: The link. Empty in check mode.
      type: str
      sample: https://cambridge2.example.net/link#3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs
    expires:
      description: Until when it can be opened (ISO 8601, UTC).
      type: str
      sample: "2026-11-24T15:00:00+00:00"
erased:
  description: Devices of whom older links were erased; in check mode those of whom they would be.
  returned: success
  type: list
  elements: str
  sample: [alice@laptop]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_links import LinkRun
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    link = {
        "user": {"type": "str", "required": True},
        "device": {"type": "str"},
        "file_name": {"type": "str"},
    }
    return {
        "links": {"type": "list", "elements": "dict", "required": True, "options": link},
        # Whole: where Ansible logs a list, line breaks are written otherwise, and a secret in it is not found.
        "profiles": {"type": "dict", "no_log": True},
        "host": {"type": "str"},
        "port": {"type": "int", "default": 443},
        "hours": {"type": "int", "default": 24},
        "qr_code": {"type": "bool", "default": True},
        "folder": {"type": "path", "default": "/var/lib/privatespace/portal/links"},
        "web_part": {"type": "path", "default": "/etc/privatespace/web/enabled/https.conf"},
        "socket": {"type": "path", "default": "/run/privatespace-portal/portal.sock"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def main() -> None:
    """Read the parameters and run."""
    module = AnsibleModule(
        argument_spec=argument_spec(), required_if=[("state", "present", ["host"])], supports_check_mode=True
    )
    work = LinkRun(module.params)
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
