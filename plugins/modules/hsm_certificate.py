#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate, signed by a key in a token, without a store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_certificate
short_description: Sign a certificate with a key in a PKCS#11 token
version_added: 0.1.0
author:
  - Private Space Gateway contributors (@privatespace-gateway)
description:
  - Signs a certificate with a key in a PKCS#11 token. It is a building block for anyone with a token, and needs no
    store; M(privatespace.gateway.pki_authority) and its companions keep an authority that remembers what it issued.
  - Makes the certificate of an authority that is its own issuer from the key in the token, or signs a CSR as that of an
    authority below, of a server or of a client.
  - A certificate that is there already is kept when it fits. It fits when its key, names, issuer, extensions and kind
    of signature are those that are asked for, and it is not in its renewal window. Then nobody logs in to the token.
  - Of a CSR only the key is taken, and its common name where O(common_name) is not given. Its own signature has to
    verify.
  - The key in the token is proven to belong to the issuer's certificate before it signs, and what it signed is
    verified before it is written or returned.
  - Every certificate has critical basic constraints, a critical key usage, a subject and an authority key identifier,
    and a random serial of 159 bits. Its validity begins an hour in the past, for clocks that are late, and ends
    with that of its issuer at the latest.
extends_documentation_fragment:
  - privatespace.gateway.hsm
attributes:
  check_mode:
    support: full
    description: Neither logs in to the token nor writes anything. A CSR or an issuer that is not there yet counts as
      one that an earlier task would make.
  diff_mode:
    support: full
    description: Shows names, dates, serials and fingerprints, and the reasons to sign.
options:
  state:
    description:
      - With V(present), there is a certificate as it is asked for.
    type: str
    choices: [present]
    default: present
  path:
    description:
      - Where the certificate is kept, as PEM. It is replaced atomically and keeps its owner. Its folder has to exist.
      - A file that holds something else than one certificate is an error. It is not overwritten.
      - Without a path the certificate is returned only. Hand it back by O(certificate_content) in the next run.
    type: path
  mode:
    description:
      - Permission bits of O(path), as octal digits in quotes. Nobody but the owner may write.
    type: raw
    default: "0644"
  certificate_content:
    description:
      - The certificate that is there already (PEM), where O(path) is not used. Empty for none.
    type: str
  self_signed:
    description:
      - Whether the certificate is that of an authority which is its own issuer.
      - By default it is when neither a CSR nor an issuer is given.
      - Where there is such a certificate already, with another key or another name, the task fails. Nothing that it
        signed would verify any more.
    type: bool
  csr_path:
    description:
      - File with the CSR (PEM) on the host where the module runs. Mutually exclusive with O(csr_content).
    type: path
  csr_content:
    description:
      - The CSR (PEM). Mutually exclusive with O(csr_path).
    type: str
  ca_path:
    description:
      - File with the certificate of the issuer (PEM, exactly one), whose key is O(hsm_key_label). Mutually exclusive
        with O(ca_content).
      - It must be that of an authority, not expired, and allow the certificate that is asked for by its path length
        and its name constraints.
    type: path
  ca_content:
    description:
      - The certificate of the issuer (PEM). Mutually exclusive with O(ca_path).
    type: str
  common_name:
    description:
      - Common name of the subject, which has no other attributes. One line, at most 64 characters.
      - By default that of the CSR. Required without a CSR.
    type: str
  profile:
    description:
      - What the certificate may be used for.
      - V(ca) signs certificates and CRLs, and has no extended key usage. V(server) and V(client) sign in a handshake,
        with the extended key usage C(serverAuth) or C(clientAuth) and no other, so that a stolen client certificate
        cannot pose as a server.
      - Required with a CSR. Without one it is V(ca).
    type: str
    choices: [ca, server, client]
  validity_days:
    description:
      - For how many days the certificate is valid, at most until that of its issuer expires. Counts when it is signed.
      - By default 3650 for the profile V(ca), 365 for the others.
    type: int
  renewal_days:
    description:
      - Sign anew when fewer days than this are left. Must be less than O(validity_days).
      - A certificate that ends together with its issuer is not renewed, since the new one would end there, too.
    type: int
    default: 30
  force:
    description:
      - Sign anew in any case.
    type: bool
    default: false
  dns_names:
    description:
      - DNS names in the subject alternative name, for the profiles V(server) and V(client). One may begin with C(*.).
      - They are written in alphabetical order.
    type: list
    elements: str
    default: []
  permitted_dns:
    description:
      - Name constraints, for the profile V(ca). The authority may certify DNS names in these subtrees only, for example
        V(example.net). Critical.
    type: list
    elements: str
    default: []
  path_length:
    description:
      - How many authorities may follow below one another, for the profile V(ca). V(-1) sets no limit.
      - V(0) is for an authority that issues to servers and clients only. One that signs an intermediate needs V(1).
    type: int
    default: 0
  crl_urls:
    description:
      - Where the CRL of the issuer is published (CRL distribution points).
    type: list
    elements: str
    default: []
  issuer_urls:
    description:
      - Where the certificate of the issuer is published (authority information access).
    type: list
    elements: str
    default: []
  rsa_pss:
    description:
      - Sign with RSA-PSS (SHA-256) instead of PKCS#1 v1.5. For an issuer with an RSA key only.
    type: bool
    default: false
seealso:
  - module: privatespace.gateway.hsm_key
  - module: privatespace.gateway.hsm_crl
  - module: privatespace.gateway.pki_authority
  - ref: ansible_collections.privatespace.gateway.docsite.building_blocks
    description: Complete examples with both modules.
notes:
  - Nothing remembers what this module signs. Keep the certificates, or at least their serials. A certificate that
    is replaced is not revoked by that.
  - For a self-signed certificate that is there already, the public half of the key is read from the token without a
    login. A token that hides it is logged in to, except in check mode, which then takes the key for the same.
"""

EXAMPLES = r"""
- name: Have a key for an authority in the token
  privatespace.gateway.hsm_key:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin_file: /etc/privatespace/pin
    hsm_key_label: ca

- name: Have the certificate of the authority, which signs itself
  privatespace.gateway.hsm_certificate:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin_file: /etc/privatespace/pin
    hsm_key_label: ca
    common_name: Example Ltd authority
    permitted_dns: [example.net]
    path: /etc/pki/example/ca.pem

- name: Sign the CSR of a server
  privatespace.gateway.hsm_certificate:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin_file: /etc/privatespace/pin
    hsm_key_label: ca
    ca_path: /etc/pki/example/ca.pem
    csr_path: /etc/pki/example/www.csr
    profile: server
    common_name: www.example.net
    dns_names: [www.example.net, example.net]
    crl_urls: [http://pki.example.net/ca.crl]
    path: /etc/pki/example/www.pem

- name: Sign the CSR of an intermediate authority with an offline root, and return the certificate only
  privatespace.gateway.hsm_certificate:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: offline
    hsm_pin: "{{ offline_pin }}"
    hsm_key_label: root
    ca_content: "{{ lookup('ansible.builtin.file', 'root.pem') }}"
    csr_content: "{{ lookup('ansible.builtin.file', 'vpn-authority.csr') }}"
    profile: ca
    path_length: 0
    validity_days: 1825
  register: intermediate
"""

RETURN = r"""
certificate:
  description: The certificate (PEM). Empty in check mode for one that would be signed.
  returned: success
  type: str
  sample: "-----BEGIN CERTIFICATE-----\nMIIBpzCCAU2gAwIBAgIU...\n-----END CERTIFICATE-----\n"
serial:
  description: The serial as a decimal number. V(null) in check mode for a certificate that would be signed.
  returned: success
  type: str
  sample: "470193885103820562893847650183746501928374650918"
not_before:
  description: When the validity begins (ISO 8601, UTC). V(null) in check mode for a certificate that would be signed.
  returned: success
  type: str
  sample: "2026-11-22T14:00:00+00:00"
not_after:
  description: When the certificate expires (ISO 8601, UTC). V(null) in check mode for one that would be signed.
  returned: success
  type: str
  sample: "2027-11-22T15:00:00+00:00"
fingerprint:
  description: SHA-256 over the DER of the certificate, hexadecimal. V(null) in check mode for one that would be signed.
  returned: success
  type: str
  sample: 8f4b0ec1d3a52f6c7d1b9a0e3f5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e
issuer:
  description: The name of the issuer (RFC 4514). V(null) in check mode for a certificate that would be signed.
  returned: success
  type: str
  sample: CN=Example Ltd authority
subject:
  description: The name of the subject (RFC 4514). V(null) in check mode for a certificate that would be signed.
  returned: success
  type: str
  sample: CN=www.example.net
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_certificate_run import CertificateRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_inputs import StandalonePorts

NAMES: dict[str, Any] = {"type": "list", "elements": "str", "default": []}


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        "state": {"type": "str", "choices": ["present"], "default": "present"},
        "path": {"type": "path"},
        "mode": {"type": "raw", "default": "0644"},
        "certificate_content": {"type": "str"},
        "self_signed": {"type": "bool"},
        "csr_path": {"type": "path"},
        "csr_content": {"type": "str"},
        "ca_path": {"type": "path"},
        "ca_content": {"type": "str"},
        "common_name": {"type": "str"},
        "profile": {"type": "str", "choices": ["ca", "server", "client"]},
        "validity_days": {"type": "int"},
        "renewal_days": {"type": "int", "default": 30},
        "force": {"type": "bool", "default": False},
        "dns_names": NAMES,
        "permitted_dns": NAMES,
        "path_length": {"type": "int", "default": 0},
        "crl_urls": NAMES,
        "issuer_urls": NAMES,
        "rsa_pss": {"type": "bool", "default": False},
    }


def main() -> None:
    """Wire the options to the token and the files."""
    pairs = [("hsm_pin", "hsm_pin_file"), ("csr_path", "csr_content"), ("ca_path", "ca_content")]
    module = AnsibleModule(
        argument_spec=argument_spec(),
        mutually_exclusive=[*pairs, ("path", "certificate_content")],
        supports_check_mode=True,
    )
    key = LabelledKey(lambda: TokenSettings(**token_options(module)), module.params["hsm_key_label"], exclusive_lock)
    files = Files(read_optional, file_mode, write_atomic)
    ports = StandalonePorts(utc_now, os.urandom, key.unlocked, key.public_half, files, require_writable)
    job = CertificateRun(module.params, ports, dry_run=module.check_mode)
    run(module, job.decide, job.apply)


if __name__ == "__main__":
    main()
