#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give gateways names of towns, keep them, and release them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_name
short_description: Give gateways names of towns, keep them, and release them
description:
  - Gives every gateway that has no name one of a British town, by chance among those of which no name is taken; when
    every town is used, C(cambridge2) and so on. A gateway keeps its name until it is released, however often it is
    made anew.
  - Names are kept in the authority's store, under its lock and in one transaction, so that two calls at once never give
    the same name. All gateways are handled in one call. DNS is not touched.
  - Gateways that are not listed are left alone.
version_added: "0.1.0"
author:
  - Private Space Gateway contributors (@privatespace)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - privatespace.gateway.store
attributes:
  check_mode:
    support: full
    details:
      - Which town a gateway would get is not told, since chance decides it in the real run.
  diff_mode:
    support: full
  platform:
    platforms: posix
options:
  gateways:
    description:
      - The gateways.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The gateway's name in the inventory.
        type: str
        required: true
      label:
        description:
          - The name that it is to have, without the zone. It replaces the one that the gateway has.
          - Refused where another gateway has it, or had it and O(reuse_released) is not set.
          - Empty means the name that it has, or that of a town.
        type: str
        default: ""
  zone:
    description:
      - The zone in which the names are, for example V(example.net). The store keeps names without it.
    type: str
    required: true
  state:
    description:
      - Whether the gateways have names. V(absent) releases them.
    type: str
    choices: [present, absent]
    default: present
  towns:
    description:
      - Your own list instead of the British towns. Letters, digits and hyphens, at most 57 characters, not ending in a
        digit.
      - Names that were given before stay.
    type: list
    elements: str
    default: []
  reserved:
    description:
      - Names in the zone that no gateway gets, because something else has them.
    type: list
    elements: str
    default: []
  reuse_released:
    description:
      - Let a name that one gateway released go to another one.
      - By default never, because profiles in the field name gateways, and an old one would lead to another gateway than
        it says.
    type: bool
    default: false
seealso:
  - module: privatespace.gateway.pki_info
  - plugin: privatespace.gateway.town_name
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Give every gateway a name
  privatespace.gateway.gateway_name:
    gateways:
      - name: vpn1
      - name: vpn2
      - name: vpn3
        label: headquarters
    zone: example.net
  register: named

- name: Release a name
  privatespace.gateway.gateway_name:
    gateways:
      - name: vpn2
    zone: example.net
    state: absent
"""

RETURN = r"""
names:
  description:
    - The names of those in O(gateways) that have one, by their names in the inventory. In check mode without those for
      which chance would decide.
  returned: success
  type: dict
  sample: {"vpn1": {"label": "york", "fqdn": "york.example.net", "since": "2026-11-22T12:00:00+00:00"}}
allocated:
  description: The gateways that got a name in this call, one of a town or one of their own.
  returned: success
  type: list
  elements: str
  sample: ["vpn1"]
released:
  description:
    - Names in full that gateways gave up, in this call or before, also for one of their own, and that nobody has now.
      Their records in DNS are to be removed; those given up before are told again so that a removal that broke off can
      be completed. Without names of O(reserved).
    - With O(state=absent) of each gateway the name that it gave up last.
  returned: success
  type: list
  elements: str
  sample: ["oxford.example.net"]
"""

import secrets
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.allocation_run import read_run
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.store_options import (
    failing,
    store_argument_spec,
    store_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.gateway_names import GatewayNameBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    gateway = {"name": {"type": "str", "required": True}, "label": {"type": "str", "default": ""}}
    return {
        **store_argument_spec(),
        "gateways": {"type": "list", "elements": "dict", "required": True, "options": gateway},
        "zone": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "towns": {"type": "list", "elements": "str", "default": []},
        "reserved": {"type": "list", "elements": "str", "default": []},
        "reuse_released": {"type": "bool", "default": False},
    }


def main() -> None:
    """Wire the options to the store and to chance."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    dry_run = module.check_mode
    with failing(module):
        job = read_run(module.params, choose=None if dry_run else secrets.choice)
        with open_for_run(**store_options(module), clock=utc_now, file_lock=exclusive_lock, dry_run=dry_run) as session:
            book = GatewayNameBook(session)
            run(module, partial(job.decide, book), partial(job.apply, book))


if __name__ == "__main__":
    main()
