#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the certificates of users and their devices to the state that is asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_users
short_description: Issue, renew and revoke the certificates of all users and devices in one call
description:
  - Compares a list of users and their devices with the authority's store, and issues, renews, reissues and revokes
    certificates until they agree. One call logs in to the token once, however many users there are.
  - The names of everything that is going to be signed are stored before the first signature, and every
    certificate and revocation is stored before this module returns. All certificates of a call are stored
    together or not at all; revocations are stored first.
  - A device has one current certificate. A renewed certificate can be used beside its successor until it
    expires, which is at most O(renewal_days) away, so that nobody is locked out before the new profile has
    arrived. Reissuing or removing a device revokes every certificate that can still be used under its name.
  - Revocations take effect with the next CRL, see M(privatespace.gateway.pki_crl).
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
      - Neither logs in to the token nor writes anything. Where there is no store yet, everything counts as missing.
  diff_mode:
    support: full
    details:
      - Shows states, serials and dates, never keys.
  platform:
    platforms: posix
options:
  users:
    description:
      - The users. Every entry is checked before anything is changed, and all that cannot be accepted are named.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The user's name. 1 to 63 characters from V(a-z), V(0-9), V(.), V(_) and V(-), beginning with a letter or a
            digit and without V(..).
        type: str
        required: true
      state:
        description:
          - V(present) gives every device in O(users[].devices) a valid certificate. Other devices of the user
            are kept.
          - V(absent) revokes the certificates of the devices in O(users[].devices), or of all devices where
            none is given.
        type: str
        choices: [present, absent]
        default: present
      devices:
        description:
          - The user's devices. By default one named V(default) when O(users[].state=present).
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - The device's name, by the same rule as O(users[].name). Together with the user's name at most 63
                characters.
            type: str
            default: default
          reissue:
            description:
              - Issue a new certificate and revoke the old one with the reason C(superseded), for example because the
                device or its profile was lost. Happens in every run that asks for it.
            type: bool
            default: false
          csr_content:
            description:
              - A CSR (PEM) of the device's own key. Only its key is used; names and usages are decided here.
              - A CSR with another key than the current certificate has reissues the device.
              - By default a key is made in memory and returned in RV(deliveries) once; it is never stored.
            type: str
  purge:
    description:
      - Revoke the certificates of all users and devices that are not in O(users).
    type: bool
    default: false
  missing_ok:
    description:
      - Pass over users and devices to remove that never had a certificate, instead of failing.
    type: bool
    default: false
  algorithm:
    description:
      - The algorithm of keys that are made.
    type: str
    choices: [ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  validity_days:
    description:
      - For how many days certificates are valid, at most until the authority's own certificate expires.
    type: int
    default: 365
  renewal_days:
    description:
      - Renew a certificate that has fewer days than this left. Must be less than O(validity_days).
    type: int
    default: 30
  tls_crypt_v2_server_key:
    description:
      - Path of the tls-crypt-v2 server key. When given, every delivery holds a client key that is wrapped with it.
    type: path
notes:
  - RV(deliveries) holds private keys. Use C(no_log) on the task and on all that handles its result.
  - When the result of a call is lost, for example because the connection broke at its end, the keys in it are lost
    too. Ask for the affected devices again with O(users[].devices[].reissue).
seealso:
  - module: privatespace.gateway.pki_authority
  - module: privatespace.gateway.pki_crl
  - module: privatespace.gateway.pki_info
"""

EXAMPLES = r"""
- name: Give alice two devices and bob one
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    tls_crypt_v2_server_key: /var/lib/privatespace/authority/tls-crypt-v2-server.key
    users:
      - name: alice
        devices:
          - name: laptop
          - name: phone
      - name: bob
  no_log: true
  register: issued

- name: Remove carol with all her devices
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    users:
      - name: carol
        state: absent
  register: removed

- name: Replace the lost laptop of alice
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    users:
      - name: alice
        devices:
          - name: laptop
            reissue: true
  no_log: true
  register: reissued
"""

RETURN = r"""
users:
  description: What became of every device, in the order of O(users); devices that O(purge) removed come last.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The user's name.
      type: str
      returned: success
      sample: alice
    device:
      description: The device's name.
      type: str
      returned: success
      sample: laptop
    common_name:
      description: The common name of its certificate.
      type: str
      returned: success
      sample: alice@laptop
    outcome:
      description: One of V(issued), V(renewed), V(reissued), V(kept), V(revoked) and V(already_revoked).
      type: str
      returned: success
      sample: issued
    serial:
      description: The serial as a decimal number. V(null) in check mode for what would be issued.
      type: str
      returned: success
      sample: "470193885103820562893847650183746501928374650918"
    not_after:
      description: When the certificate expires (ISO 8601, UTC). V(null) in check mode for what would be issued.
      type: str
      returned: success
      sample: "2027-11-22T15:00:00+00:00"
counts:
  description: How many devices had each outcome.
  returned: success
  type: dict
  sample: {"issued": 2, "renewed": 0, "reissued": 0, "kept": 10, "revoked": 1, "already_revoked": 0}
revoked:
  description:
    - The certificates of the devices in this call that are revoked and have not expired. Gateways have to cut
      the sessions of these common names. Those that an earlier run revoked are listed again, so that a rerun
      can finish the job.
  returned: success
  type: list
  elements: dict
  sample: [{"common_name": "carol@default", "serial": "38475650183746501928374650918"}]
ca_certificate:
  description: The authority's certificate (PEM). Empty in check mode where there is no authority yet.
  returned: success
  type: str
deliveries:
  description: What every newly issued device needs, once and never again. Holds private keys.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The user's name.
      type: str
      returned: success
    device:
      description: The device's name.
      type: str
      returned: success
    common_name:
      description: The common name of the certificate.
      type: str
      returned: success
    certificate:
      description: The certificate (PEM).
      type: str
      returned: success
    ca_chain:
      description: The certificates of the authority (PEM).
      type: str
      returned: success
    private_key:
      description: The private key (PEM, PKCS#8, not encrypted). V(null) where a CSR was given.
      type: str
      returned: success
    tls_crypt_v2:
      description: The client key for tls-crypt-v2 (PEM). V(null) without O(tls_crypt_v2_server_key).
      type: str
      returned: success
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_key
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import issuance, revocation_list, tls_crypt_v2
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import certificate_pem, validity
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CLIENT
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import (
    Issue,
    Known,
    Revoke,
    Step,
    plan_users,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import Wanted, parse_wanted
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities, certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import Revocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_for_run,
)


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    device = {
        "name": {"type": "str", "default": "default"},
        "reissue": {"type": "bool", "default": False},
        "csr_content": {"type": "str"},
    }
    user = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "devices": {"type": "list", "elements": "dict", "options": device},
    }
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "users": {"type": "list", "elements": "dict", "required": True, "options": user},
        "purge": {"type": "bool", "default": False},
        "missing_ok": {"type": "bool", "default": False},
        "algorithm": {"type": "str", "choices": list(ALGORITHM_NAMES), "default": "ec-p256"},
        "validity_days": {"type": "int", "default": 365},
        "renewal_days": {"type": "int", "default": 30},
        "tls_crypt_v2_server_key": {"type": "path"},
    }


@dataclass(frozen=True)
class Reconciliation:
    """One run: what is wanted, against one open store."""

    module: AnsibleModule
    wanted: Wanted
    session: StoreSession | None

    def decide(self) -> Change[Step]:
        """Compare; nothing is written."""
        params = self.module.params
        change = plan_users(
            self.wanted,
            self._known(),
            now=utc_now(),
            renewal_days=params["renewal_days"],
            purge=params["purge"],
            missing_ok=params["missing_ok"],
        )
        return Change(change.before, change.after, change.steps, {**change.result, "ca_certificate": self._ca_pem()})

    def _known(self) -> tuple[Known, ...]:
        if self.session is None:
            return ()
        history = certificates.load_history(self.session, profile=CLIENT.name, names=self.wanted.users)
        others = certificates.load_current(self.session, profile=CLIENT.name) if self.module.params["purge"] else ()
        return tuple({known.serial: known for known in (*history, *others)}.values())

    def _ca_pem(self) -> str:
        label = self.module.params["hsm_key_label"]
        authority = authorities.find_authority(self.session, label) if self.session else None
        der = authority.certificate if authority else b""
        return certificate_pem(issuance.load_der(der)) if der else ""

    def apply(self, change: Change[Step]) -> Mapping[str, Any]:
        """Revoke, then issue; the token is opened, and every input tried, before either."""
        session, params, now = cast(StoreSession, self.session), self.module.params, utc_now()
        authority = authorities.active_authority(session, params["hsm_key_label"])
        ca = issuance.load_der(authority.certificate)
        drafts = issuance.draft_batch(
            [step for step in change.steps if isinstance(step, Issue)],
            profile=CLIENT,
            valid=validity(now, days=params["validity_days"], issuer_certificate=ca),
            make_key=partial(generate_private_key, params["algorithm"]),
            random_bytes=os.urandom,
        )
        wrapped = self._wrapped_keys(drafts)
        with self._key(ca) if drafts else nullcontext() as key:
            revocations = [_revocation(step, now) for step in change.steps if isinstance(step, Revoke)]
            certificates.revoke_certificates(session, authority, revocations)
            issued = issuance.issue_batch(
                drafts,
                issuer_certificate=ca,
                issuer_key=key,
                intend=partial(certificates.intend_certificates, session, authority),
                record=partial(certificates.record_certificates, session),
            )
        chain = change.result["ca_certificate"]
        return {
            "users": issuance.updated_users(change.result["users"], issued),
            "deliveries": [
                issuance.delivery(item, ca_chain=chain, tls_crypt_v2=wrapped.get(item.serial)) for item in issued
            ],
        }

    def _key(self, ca: Any) -> AbstractContextManager[Any]:
        settings = TokenSettings(**token_options(self.module))
        label = self.module.params["hsm_key_label"]
        return signing_key(settings, label=label, public_key=ca.public_key(), lock=exclusive_lock)

    def _wrapped_keys(self, drafts: Sequence[issuance.Draft]) -> dict[int, str]:
        path = self.module.params["tls_crypt_v2_server_key"]
        if path is None:
            return {}
        server_key = read_optional(Path(path))
        if server_key is None:
            raise InputError(f"There is no tls-crypt-v2 server key at {path}.")
        make = partial(tls_crypt_v2.make_client_key, server_key.decode("ascii", "replace"))
        return {
            draft.serial: make(random_bytes=os.urandom(tls_crypt_v2.CLIENT_KEY_BYTES), metadata=draft.common_name)
            for draft in drafts
        }


def _revocation(step: Revoke, now: datetime) -> Revocation:
    entry = revocation_list.Revocation(step.serial, now, revocation_list.Reason(step.reason)).encode_entry()
    return Revocation(step.serial, now, step.reason, entry)


def _wanted(module: AnsibleModule) -> Wanted:
    """Check every option. Without the library that reads CSRs, a check mode before the installation goes on."""
    params = module.params
    issuance.check_days(validity_days=params["validity_days"], renewal_days=params["renewal_days"])
    try:
        return parse_wanted(params["users"], csr_fingerprint=issuance.csr_fingerprint)
    except MissingLibraryError:
        if not module.check_mode:
            raise
        return parse_wanted(params["users"], csr_fingerprint=lambda _csr: "")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )
    with failing(module):
        wanted, options = _wanted(module), store_options(module)
        with open_for_run(
            parse_location(options.store),
            origin=Origin(options.actor, options.job),
            clock=utc_now,
            wait_seconds=options.wait_seconds,
            file_lock=exclusive_lock,
            dry_run=module.check_mode,
        ) as session:
            reconciliation = Reconciliation(module, wanted, session)
            run(module, reconciliation.decide, reconciliation.apply)


if __name__ == "__main__":
    main()
