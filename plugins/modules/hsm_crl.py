#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CRL of a list of certificates, signed by a key in a token, without a store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_crl
short_description: Sign a CRL of a list of certificates with a key in a PKCS#11 token
version_added: 0.1.0
author:
  - Private Space Gateway contributors (@privatespace-gateway)
description:
  - Signs a complete CRL (RFC 5280) of the certificates in O(revocations) with a key in a PKCS#11 token. It is a
    building block for anyone with a token, and needs no store; M(privatespace.gateway.pki_crl) signs the CRL of an
    authority that remembers what it issued.
  - Signs when the list differs from the CRL that is there, when that comes to its end, or when something else about it
    is not as asked. Otherwise it mends files that are missing or altered, without a login to the token.
  - The CRL that is there is the one with the highest number in O(path), O(der_path) or O(crl_content). It has to be one
    of the same issuer, and is never replaced by one that lists fewer certificates, unless O(allow_removal) says so.
  - The CRL number only rises. The C(thisUpdate) is backdated by an hour for clocks that are late, and at least one
    second after that of the CRL before. The CRL has an authority key identifier; its entries are in the order of their
    serials.
  - The key in the token is proven to belong to the issuer's certificate before it signs. The CRL is verified before it
    is written or returned. Runs with the same token wait for each other.
extends_documentation_fragment:
  - privatespace.gateway.hsm
attributes:
  check_mode:
    support: full
    description: Neither logs in to the token nor writes anything. An issuer's certificate that is not there yet counts
      as one that an earlier task would make.
  diff_mode:
    support: full
    description: Shows the CRL number, dates, the serials that are added, removed or altered (at most twenty of each),
      the reasons to sign, and the state of the files.
options:
  revocations:
    description:
      - All certificates of the issuer that are revoked. An empty list is a CRL without entries.
      - A certificate that stands in it twice is an error.
    type: list
    elements: dict
    required: true
    suboptions:
      serial:
        description:
          - Serial of the certificate, in decimal digits or in hexadecimal ones after C(0x). Mutually exclusive with
            O(revocations[].certificate_path) and O(revocations[].certificate_content).
        type: str
      certificate_path:
        description:
          - File with the certificate (PEM) on the host where the module runs. The issuer has to have signed it.
        type: path
      certificate_content:
        description:
          - The certificate (PEM). The issuer has to have signed it.
        type: str
      revoked_at:
        description:
          - When it was revoked (ISO 8601; UTC where no zone is given).
          - By default the date that it has in the CRL which is there, else the current time.
        type: str
      reason:
        description:
          - Why it was revoked. V(unspecified) is not written, as RFC 5280 asks.
        type: str
        choices:
          - unspecified
          - keyCompromise
          - cACompromise
          - affiliationChanged
          - superseded
          - cessationOfOperation
          - certificateHold
          - privilegeWithdrawn
        default: unspecified
      invalidity_date:
        description:
          - Since when the key must be taken to have been in wrong hands (ISO 8601; UTC where no zone is given).
        type: str
  ca_path:
    description:
      - File with the certificate of the issuer (PEM, exactly one), whose key is O(hsm_key_label). One of O(ca_path) and
        O(ca_content) is required.
      - It must be that of an authority, not expired, and allow the signing of CRLs.
    type: path
  ca_content:
    description:
      - The certificate of the issuer (PEM).
    type: str
  path:
    description:
      - Where the CRL is written as PEM. It is replaced atomically and keeps its owner. Its folder has to exist.
      - A file that holds something else than a CRL of this issuer is an error. It is not overwritten.
    type: path
  der_path:
    description:
      - Where the CRL is written as DER, the form in which CRLs are published over HTTP; otherwise like O(path).
    type: path
  mode:
    description:
      - Permission bits of the files, as octal digits in quotes. Nobody but the owner may write.
    type: raw
    default: "0644"
  crl_content:
    description:
      - The CRL that is there already (PEM), where no files are used. Empty for none.
    type: str
  number:
    description:
      - The CRL number. By default one more than that of the CRL which is there, else 1.
      - It has to be higher than that of the CRL which is there, or the same while nothing has to be signed.
    type: int
  validity_days:
    description:
      - For how many days the CRL is valid. Whoever checks an expired CRL refuses everybody.
    type: int
    default: 30
  renewal_days:
    description:
      - Sign a new CRL when the one that is there is valid for fewer days than this. Must be less than O(validity_days).
      - By default half of O(validity_days).
    type: int
  allow_removal:
    description:
      - Sign although O(revocations) lacks certificates that the CRL which is there lists.
      - Without this it is an error, because a certificate that leaves the CRL before it expires is accepted again.
    type: bool
    default: false
  force:
    description:
      - Sign a new CRL in any case.
    type: bool
    default: false
  rsa_pss:
    description:
      - Sign with RSA-PSS (SHA-256) instead of PKCS#1 v1.5. For an issuer with an RSA key only.
    type: bool
    default: false
seealso:
  - module: privatespace.gateway.hsm_key
  - module: privatespace.gateway.hsm_certificate
  - module: privatespace.gateway.pki_crl
  - ref: ansible_collections.privatespace.gateway.docsite.building_blocks
    description: Complete examples with both modules.
"""

EXAMPLES = r"""
- name: Have a CRL, as PEM and as DER
  privatespace.gateway.hsm_crl:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin_file: /etc/privatespace/pin
    hsm_key_label: ca
    ca_path: /etc/pki/example/ca.pem
    path: /etc/pki/example/ca.crl.pem
    der_path: /srv/www/pki/ca.crl
    revocations:
      - serial: "470193885103820562893847650183746501928374650918"
        reason: keyCompromise
        revoked_at: "2026-11-22T14:00:00Z"
        invalidity_date: "2026-11-20T00:00:00Z"
      - serial: "0x1d3a52f6c7d1b9a0e3f5c6d7e8f90a1b2c3d4e5f"
      - certificate_path: /etc/pki/example/revoked/www-2025.pem
        reason: superseded

- name: Have the first CRL of an authority that has revoked nothing, and return it only
  privatespace.gateway.hsm_crl:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin: "{{ vault_hsm_pin }}"
    hsm_key_label: root
    ca_content: "{{ lookup('ansible.builtin.file', 'root.pem') }}"
    revocations: []
    validity_days: 365
  register: root_crl
"""

RETURN = r"""
crl:
  description: The CRL (PEM). Empty in check mode for one that would be signed.
  returned: success
  type: str
  sample: "-----BEGIN X509 CRL-----\nMIIBDTCBtAIBATAKBggqhkjO...\n-----END X509 CRL-----\n"
number:
  description: The CRL number. V(null) in check mode for one that would be signed.
  returned: success
  type: int
  sample: 42
this_update:
  description: The C(thisUpdate) of the CRL (ISO 8601, UTC). V(null) in check mode for one that would be signed.
  returned: success
  type: str
  sample: "2026-11-22T14:00:00+00:00"
next_update:
  description: When the CRL expires (ISO 8601, UTC). V(null) in check mode for one that would be signed.
  returned: success
  type: str
  sample: "2026-12-22T15:00:00+00:00"
revoked_count:
  description: How many certificates it lists. V(null) in check mode for one that would be signed.
  returned: success
  type: int
  sample: 3
fingerprint:
  description: SHA-256 over the DER of the CRL, hexadecimal. V(null) in check mode for one that would be signed.
  returned: success
  type: str
  sample: 5f0a0b1ad64d2f5c0e9a1e1e9e77d4f0a9c4e0ee0c6f0e5d7b1c2a3948576a6b
issuer:
  description: The name of the issuer (RFC 4514). V(null) in check mode for a CRL that would be signed.
  returned: success
  type: str
  sample: CN=Example Ltd authority
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    require_writable,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.labelled_key import LabelledKey
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._module.hsm_options import (
    hsm_argument_spec,
    token_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import Reason
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_crl_run import StandaloneCrlRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_inputs import StandalonePorts

WAYS = ("serial", "certificate_path", "certificate_content")


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    entry = {
        "serial": {"type": "str"},
        "certificate_path": {"type": "path"},
        "certificate_content": {"type": "str"},
        "revoked_at": {"type": "str"},
        "reason": {"type": "str", "choices": [reason.value for reason in Reason], "default": "unspecified"},
        "invalidity_date": {"type": "str"},
    }
    return {
        **hsm_argument_spec(),
        "revocations": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": entry,
            "mutually_exclusive": [WAYS],
            "required_one_of": [WAYS],
        },
        "ca_path": {"type": "path"},
        "ca_content": {"type": "str"},
        "path": {"type": "path"},
        "der_path": {"type": "path"},
        "mode": {"type": "raw", "default": "0644"},
        "crl_content": {"type": "str"},
        "number": {"type": "int"},
        "validity_days": {"type": "int", "default": 30},
        "renewal_days": {"type": "int"},
        "allow_removal": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "rsa_pss": {"type": "bool", "default": False},
    }


def main() -> None:
    """Wire the options to the token and the files."""
    issuer = ("ca_path", "ca_content")
    module = AnsibleModule(
        argument_spec=argument_spec(),
        mutually_exclusive=[("hsm_pin", "hsm_pin_file"), issuer, ("path", "crl_content"), ("der_path", "crl_content")],
        required_one_of=[issuer],
        supports_check_mode=True,
    )
    key = LabelledKey(lambda: TokenSettings(**token_options(module)), module.params["hsm_key_label"], exclusive_lock)
    files = Files(read_optional, file_mode, write_atomic)
    ports = StandalonePorts(utc_now, os.urandom, key.unlocked, key.public_half, files, require_writable)
    job = StandaloneCrlRun(module.params, ports, dry_run=module.check_mode)
    run(module, job.decide, job.apply)


if __name__ == "__main__":
    main()
