#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certification authority: its key in the token, its certificate and its store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_authority
short_description: Set up a certification authority whose key never leaves a token
description:
  - Makes the authority's key pair in the token, a certificate for it, and the store that keeps everything the
    authority will ever sign. The certificate is self-signed, or that of an offline root which signs the CSR.
  - Lets a new authority take over from the one that issues (O(replaces)). It stands by first, while gateways and
    profiles learn to trust both; then it issues and the one before retires; with its last certificate that one is
    gone.
  - The intention is stored before the key is made, so that a run that broke off is taken up where it ended.
  - When the store knows the authority, its key is never made again. A token that has lost it is an error of the
    modules that sign, since a new key could not replace it.
  - Logs in to the token only to set up the authority.
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
      - Neither logs in to the token nor writes anything.
  diff_mode:
    support: full
    details:
      - Shows names, dates and the presence of the tls-crypt-v2 key, never keys.
  platform:
    platforms: posix
options:
  common_name:
    description:
      - The common name of the authority's certificate. One line, at most 64 characters. Cannot be changed later.
    type: str
    default: Private Space VPN authority
  algorithm:
    description:
      - The algorithm of the authority's key. Cannot be changed later.
    type: str
    choices: [ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  validity_days:
    description:
      - For how many days the authority's certificate is valid. Counts when it is made.
    type: int
    default: 3650
  crl_validity_days:
    description:
      - For how many days a CRL is valid. Gateways refuse everybody when their CRL has expired. Can be changed
        at any time and counts from the next CRL on.
    type: int
    default: 30
  state:
    description:
      - V(active) for the authority that issues. V(standby) for one that replaces another and is only trusted yet.
      - V(retired) takes an authority out of what has to be trusted. Refused while one of its certificates can be used.
      - An authority that another one has replaced stays as it is under V(active), so that an inventory may keep its
        label.
    type: str
    choices: [active, standby, retired]
    default: active
  replaces:
    description:
      - The O(hsm_key_label) of the authority that issues now, and that this new one takes over from.
    type: str
  offline_root:
    description:
      - Let another authority sign this one's certificate. The first run makes the key and RV(csr); a later one brings
        the answer in O(chain_content) and O(chain_crls_content). Until then nothing can be issued.
    type: bool
    default: false
  chain_content:
    description:
      - PEM of this authority's certificate and of every certificate above it, up to a root that signed itself.
      - Anything but the complete answer to RV(csr) is refused, and nothing is changed.
    type: str
  chain_crls_content:
    description:
      - PEM of the CRL of every authority above this one. OpenVPN checks every certificate of a chain. It sees no
        revocation of an authority whose CRL is missing, and lets nobody in when one has expired. Give newer ones in
        time; older ones are refused.
    type: str
  rsa_pss:
    description:
      - Sign with RSA-PSS instead of PKCS#1 v1.5, where O(algorithm) is RSA and the token can.
    type: bool
    default: false
  crl_urls:
    description:
      - URLs of the CRL (CRL distribution points) in the certificates that are issued from now on.
    type: list
    elements: str
    default: []
  issuer_urls:
    description:
      - URLs of the authority's certificate (authority information access) in the certificates that are issued from
        now on.
    type: list
    elements: str
    default: []
  permitted_dns:
    description:
      - Name constraints of the authority's own certificate, the only DNS subtrees that it may sign for. Cannot be
        changed later.
    type: list
    elements: str
    default: []
  adopt_key:
    description:
      - Set up the authority with a key that is already in the token though the store knows nothing of it.
      - Without this such a key is an error, because it usually means that the store was lost. With a new store the
        authority would forget all revocations, and removed users would get access again.
    type: bool
    default: false
  tls_crypt_v2_server_key:
    description:
      - Path of the tls-crypt-v2 server key. It is made with mode V(0600) where it is missing, and never replaced.
    type: path
seealso:
  - module: privatespace.gateway.hsm_key
  - module: privatespace.gateway.pki_users
  - module: privatespace.gateway.pki_crl
"""

EXAMPLES = r"""
- name: Set up the authority
  privatespace.gateway.pki_authority:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    common_name: Example Ltd VPN authority
    crl_validity_days: 14
    tls_crypt_v2_server_key: /var/lib/privatespace/authority/tls-crypt-v2-server.key

- name: Ask an offline root for a certificate
  privatespace.gateway.pki_authority:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    common_name: Example Ltd VPN authority
    offline_root: true
  register: request # request.csr goes to the offline root

- name: Bring the answer of the offline root
  privatespace.gateway.pki_authority:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    common_name: Example Ltd VPN authority
    offline_root: true
    chain_content: "{{ lookup('ansible.builtin.file', 'chain.pem') }}"
    chain_crls_content: "{{ lookup('ansible.builtin.file', 'root-crl.pem') }}"

- name: Let a new authority stand by
  privatespace.gateway.pki_authority:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    hsm_key_label: ca-2027
    common_name: Example Ltd VPN authority 2027
    replaces: ca
    state: standby
"""

RETURN = r"""
certificate:
  description: The authority's certificate (PEM). Empty in check mode for one that would be made.
  returned: success
  type: str
fingerprint:
  description: SHA-256 over the DER of the certificate, hexadecimal. Empty in check mode for one that would be made.
  returned: success
  type: str
  sample: 8f4b0ec1d3a52f6c7d1b9a0e3f5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e
not_after:
  description: When the certificate expires (ISO 8601, UTC). V(null) in check mode for one that would be made.
  returned: success
  type: str
  sample: "2036-11-19T15:00:00+00:00"
key_label:
  description: The label of the key in the token.
  returned: success
  type: str
  sample: ca
state:
  description:
    - V(absent), V(intended), V(requested), V(standby), V(active), V(retiring) or V(retired), as it is after the run.
  returned: success
  type: str
  sample: active
csr:
  description: The request (PEM) for the offline root. Empty for an authority that signed its own certificate.
  returned: success
  type: str
ca_chain:
  description:
    - Every certificate (PEM) that gateways and devices have to trust, the oldest authority's first. Empty where none
      has its certificate yet.
  returned: success
  type: str
"""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Token, TokenSettings, open_token
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.authority_run import (
    AuthorityRun,
    read_authority,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityRegistry
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin, authority_lock

URL_LISTS = ("crl_urls", "issuer_urls", "permitted_dns")


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "common_name": {"type": "str", "default": "Private Space VPN authority"},
        "algorithm": {"type": "str", "choices": list(ALGORITHM_NAMES), "default": "ec-p256"},
        "validity_days": {"type": "int", "default": 3650},
        "crl_validity_days": {"type": "int", "default": 30},
        "state": {"type": "str", "choices": ["active", "standby", "retired"], "default": "active"},
        "replaces": {"type": "str"},
        "offline_root": {"type": "bool", "default": False},
        "chain_content": {"type": "str"},
        "chain_crls_content": {"type": "str"},
        "rsa_pss": {"type": "bool", "default": False},
        **{name: {"type": "list", "elements": "str", "default": []} for name in URL_LISTS},
        "adopt_key": {"type": "bool", "default": False},
        "tls_crypt_v2_server_key": {"type": "path"},
    }


def main() -> None:
    """Wire the options to the store and the token."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )

    def login() -> AbstractContextManager[Token]:
        return open_token(TokenSettings(**token_options(module)), lock=exclusive_lock)

    with failing(module):
        wanted, options = read_authority(module.params), store_options(module)
        location, origin = parse_location(options["store"]), Origin(options["actor"], options["job"])
        registry = AuthorityRegistry(location, origin, utc_now, dry_run=module.check_mode)
        files = Files(read_optional, file_mode, write_atomic)
        lock = authority_lock(location, wait_seconds=options["wait_seconds"], file_lock=exclusive_lock, create=True)
        with nullcontext() if module.check_mode else lock:
            job = AuthorityRun(wanted, module.params, registry, files, login, utc_now, os.urandom)
            run(module, job.decide, job.apply)


if __name__ == "__main__":
    main()
