#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate revocation list of the authority, out of its store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_crl
short_description: Sign the CRL when something was revoked or it is due
description:
  - Signs a complete CRL (RFC 5280) of everything in the store that is revoked, for every authority that is trusted (the
    active one, one that stands by, one that retires), in one call and with one login. Writes them as PEM into one file
    and as DER into one file each.
  - Signs for an authority when something was revoked since its last CRL, when that comes to its end, when no file holds
    it any more, and when O(force) is set. Otherwise it mends files that are missing or altered, without a login to the
    token.
  - Where something was revoked and nothing else is the matter, the entries of the last CRL are taken over from its
    file, whose SHA-256 the store knows, and only the new ones are read. Every other CRL is built from the store. So is
    one whose count of entries does not agree with the store, which is a warning.
  - The CRL number is stored before the CRL is signed and only rises. Its C(thisUpdate) is backdated by an hour
    for clocks that are late, and at least one second after that of the CRL before.
  - The CRL is verified with the authority's certificate, and stored as signed, before the files are replaced
    atomically. An authority that cannot sign keeps none of the others from it; it is an error once their files are
    written, and the file holds its last CRL.
  - The CRLs of authorities above, which were given to M(privatespace.gateway.pki_authority), are published with ours.
    One that ends within thirty days, or is in the last third of its time, is a warning.
  - A store that knows less than a CRL which it signed was brought back from an old backup. That is an error, because a
    new CRL would lose revocations.
  - A certificate stays in the CRL until it has been in one that was signed after it expired. It leaves when a CRL is
    next built from the store.
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
      - Shows the CRL number and end for each authority, the reasons to sign, and the state of the files, those
        included that are removed.
  platform:
    platforms: posix
options:
  crl_path:
    description:
      - Where the CRLs are written as PEM, with mode V(0644), because a CRL is public. Its folder has to exist.
      - That of the oldest authority comes first, then those of the others, then those of authorities above.
    type: path
    default: /var/lib/privatespace/authority/crl.pem
  crl_der_path:
    description:
      - Where the CRL of the active authority is written as DER, with mode V(0644). Its folder has to exist.
      - That of another one lies beside it, for example C(crl-ca2.der) for the key label V(ca2). In a label, what is no
        letter, digit, dot or hyphen becomes V(_) and two hexadecimal digits.
      - Such files of authorities that have retired, or have become the active one, are removed.
    type: path
    default: /var/lib/privatespace/authority/crl.der
  public_folder:
    description:
      - The folder that a web server gives away, for gateways that fetch the CRL by themselves. Empty for none.
      - Holds copies of the files above as C(crl.pem), C(crl.der) and C(crl-LABEL.der), and the certificates that have
        to be trusted as C(ca.pem). All have the mode V(0644); the folder is made where it is missing.
      - Each copy follows its file in the same run, atomically, C(crl.pem) as the last one. Where the token refuses to
        sign, the last CRL stays there. Nothing is copied that was not verified.
      - A copy is always later than the one before by a second or more, so that no web server takes them for one.
    type: path
  renewal_days:
    description:
      - Sign a new CRL when the last one is valid for fewer days than this.
      - By default half of the C(crl_validity_days) of each authority.
    type: int
  force:
    description:
      - Sign new CRLs in any case, built from the store.
    type: bool
    default: false
  return_content:
    description:
      - Return the CRLs in RV(crl). With very many revocations a file is the better way to carry them.
    type: bool
    default: true
seealso:
  - module: privatespace.gateway.pki_authority
  - module: privatespace.gateway.pki_users
  - module: privatespace.gateway.openvpn_session
"""

EXAMPLES = r"""
- name: Sign the CRL where something was revoked or it is due
  privatespace.gateway.pki_crl:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
  register: crl

- name: Sign the CRL where that is needed, and have it in the folder that a web server gives away
  privatespace.gateway.pki_crl:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    public_folder: /var/lib/privatespace/public

- name: Sign a new CRL in any case
  privatespace.gateway.pki_crl:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    force: true
"""

RETURN = r"""
crl:
  description: The CRLs (PEM), as in O(crl_path). Empty in check mode where one would be signed.
  returned: when O(return_content) is true
  type: str
number:
  description: The CRL number of the active authority. V(null) in check mode for the first one.
  returned: success
  type: int
  sample: 42
this_update:
  description: The C(thisUpdate) of the active authority's CRL (ISO 8601, UTC).
  returned: success
  type: str
  sample: "2026-11-22T14:00:00+00:00"
next_update:
  description: When the first of all CRLs expires, those of authorities above included (ISO 8601, UTC).
  returned: success
  type: str
  sample: "2026-12-22T15:00:00+00:00"
expires_first:
  description: Which CRL that is. V(null) where there is none yet.
  returned: success
  type: dict
  contains:
    issuer:
      description: The name of its issuer.
      type: str
    next_update:
      description: When it expires (ISO 8601, UTC). From then on gateways refuse everybody below that issuer.
      type: str
  sample:
    issuer: CN=Example VPN CA
    next_update: "2026-12-22T15:00:00+00:00"
revoked_count:
  description: How many certificates the active authority's CRL lists.
  returned: success
  type: int
  sample: 3
signed_at:
  description: When the active authority's CRL was signed, in seconds since 1970-01-01 UTC, with fractions.
  returned: success
  type: float
  sample: 1795359600.25
issuers:
  description: The CRL of each authority, the active one first.
  returned: success
  type: list
  elements: dict
  contains:
    key_label:
      description: The label of the authority's key.
      type: str
    number:
      description: The CRL number. V(null) in check mode for the first one.
      type: int
    this_update:
      description: Its C(thisUpdate) (ISO 8601, UTC).
      type: str
    next_update:
      description: When it expires (ISO 8601, UTC).
      type: str
    revoked_count:
      description: How many certificates it lists.
      type: int
    signed:
      description: Whether it was signed by this run; in check mode whether it would be.
      type: bool
    der_path:
      description: The file that holds it as DER.
      type: str
  sample:
    - key_label: ca
      number: 42
      this_update: "2026-11-22T14:00:00+00:00"
      next_update: "2026-12-22T15:00:00+00:00"
      revoked_count: 3
      signed: true
      der_path: /var/lib/privatespace/authority/crl.der
"""

import os
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import file_mode
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import (
    map_optional,
    publish_pieces,
    remove_file,
    write_pieces,
)
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_files import CrlFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_run import CrlRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run

DEFAULT_FOLDER = "/var/lib/privatespace/authority"


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "crl_path": {"type": "path", "default": f"{DEFAULT_FOLDER}/crl.pem"},
        "crl_der_path": {"type": "path", "default": f"{DEFAULT_FOLDER}/crl.der"},
        "public_folder": {"type": "path"},
        "renewal_days": {"type": "int"},
        "force": {"type": "bool", "default": False},
        "return_content": {"type": "bool", "default": True},
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
    files = CrlFiles(map_optional, file_mode, write_pieces, remove_file, publish_pieces)
    with (
        failing(module),
        open_for_run(
            **store_options(module), clock=utc_now, file_lock=exclusive_lock, dry_run=module.check_mode
        ) as session,
    ):
        job = CrlRun(params, AuthorityBook(session, label), tools, files, module.warn)
        run(module, job.decide, job.apply)


if __name__ == "__main__":
    main()
