#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate from a CSR through the authority's store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_certificate
short_description: Issue and renew the certificate of a gateway from its CSR
description:
  - Signs the key in a CSR with the authority's key in the token, and keeps the certificate in the authority's store.
  - The gateway makes its key itself and only the CSR travels. Nothing but the key is taken from the CSR; the
    common name is V(gateway-) followed by O(name), and the usages are those of the O(profile).
  - A certificate for the same key outside of its renewal window is returned from the store, without a login to
    the token.
  - A CSR with another key replaces the certificate and revokes the one before it with the reason C(superseded).
    A renewed certificate can be used until it expires, so that the gateway has time to take up its successor.
  - A certificate of another authority than the one that issues certificates of gateways now is renewed. While
    one authority takes over from another, that is the one before as long as clients hold certificates of it.
version_added: "0.1.0"
author:
  - Private Space Gateway contributors (@privatespace)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - privatespace.gateway.hsm
  - privatespace.gateway.store
attributes:
  check_mode:
    support: full
    details:
      - Neither logs in to the token nor writes anything. Where there is no store yet, the certificate counts as
        missing.
  diff_mode:
    support: full
    details:
      - Shows states, serials and dates.
  platform:
    platforms: posix
options:
  name:
    description:
      - The gateway's name. Lower-case letters, digits, V(.), V(_) and V(-); at most 56 characters.
    type: str
    required: true
  csr_content:
    description:
      - The CSR (PEM). Its own signature has to verify.
    type: str
    required: true
  profile:
    description:
      - What the certificate may be used for.
    type: str
    choices: [server]
    default: server
  validity_days:
    description:
      - For how many days the certificate is valid, at most until the authority's own certificate expires.
    type: int
    default: 365
  renewal_days:
    description:
      - Renew a certificate that has fewer days than this left. Must be less than O(validity_days).
    type: int
    default: 30
seealso:
  - module: privatespace.gateway.pki_authority
  - module: privatespace.gateway.pki_users
"""

EXAMPLES = r"""
- name: Sign the key of a gateway
  privatespace.gateway.pki_certificate:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    name: cambridge2
    csr_content: "{{ csr.content | b64decode }}"
  delegate_to: authority
  register: server_certificate
"""

RETURN = r"""
certificate:
  description: The certificate (PEM). Empty in check mode for one that would be issued.
  returned: success
  type: str
ca_chain:
  description: The certificates of the authority (PEM). Empty in check mode where there is no authority yet.
  returned: success
  type: str
common_name:
  description: The common name of the certificate.
  returned: success
  type: str
  sample: gateway-cambridge2
outcome:
  description: One of V(issued), V(renewed), V(reissued) and V(kept).
  returned: success
  type: str
  sample: kept
serial:
  description: The serial as a decimal number. V(null) in check mode for a certificate that would be issued.
  returned: success
  type: str
  sample: "470193885103820562893847650183746501928374650918"
not_after:
  description: When the certificate expires (ISO 8601, UTC). V(null) in check mode for one that would be issued.
  returned: success
  type: str
  sample: "2027-11-22T15:00:00+00:00"
"""

import os
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import SigningKeys, signing_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._module.hsm_options import (
    hsm_argument_spec,
    token_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.store_options import (
    failing,
    store_argument_spec,
    store_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.enrolment import GatewayRun, read_gateway
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "name": {"type": "str", "required": True},
        "csr_content": {"type": "str", "required": True},
        "profile": {"type": "str", "choices": ["server"], "default": "server"},
        "validity_days": {"type": "int", "default": 365},
        "renewal_days": {"type": "int", "default": 30},
    }


def main() -> None:
    """Wire the options to the store and the token."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )
    params, label = module.params, module.params["hsm_key_label"]

    def open_keys() -> AbstractContextManager[SigningKeys]:
        return signing_keys(TokenSettings(**token_options(module)), lock=exclusive_lock)

    tools = Tools(utc_now, os.urandom, open_keys, partial(generate_private_key, "ec-p256"))
    with failing(module):
        wanted = read_gateway(params, lenient=module.check_mode)
        with open_for_run(
            **store_options(module), clock=utc_now, file_lock=exclusive_lock, dry_run=module.check_mode
        ) as session:
            job = GatewayRun(wanted, params, AuthorityBook(session, label), tools)
            run(module, job.decide, job.apply)


if __name__ == "__main__":
    main()
