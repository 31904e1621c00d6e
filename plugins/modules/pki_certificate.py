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
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NoReturn, cast

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_key
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import issuance, revocation_list
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import certificate_pem, validity
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import gateway_common_name
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import parse_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import (
    Issue,
    Revoke,
    Step,
    plan_certificate,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import WantedDevice
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
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "name": {"type": "str", "required": True},
        "csr_content": {"type": "str", "required": True},
        "profile": {"type": "str", "choices": ["server"], "default": "server"},
        "validity_days": {"type": "int", "default": 365},
        "renewal_days": {"type": "int", "default": 30},
    }


@dataclass(frozen=True)
class Certification:
    """One run: the certificate that is wanted, against one open store."""

    module: AnsibleModule
    wanted: WantedDevice
    session: StoreSession | None

    def decide(self) -> Change[Step]:
        """Compare; nothing is written."""
        profile, name = self.module.params["profile"], self.wanted.user
        known = certificates.load_history(self.session, profile=profile, names=[name]) if self.session else ()
        days = self.module.params["renewal_days"]
        change = plan_certificate(self.wanted, known, now=utc_now(), renewal_days=days)
        planned = change.result["users"][0]
        result = {key: planned[key] for key in ("common_name", "outcome", "serial", "not_after")}
        result.update(certificate=self._stored_pem(planned["serial"]), ca_chain=self._ca_pem())
        return Change(change.before, change.after, change.steps, result)

    def _stored_pem(self, serial: str | None) -> str:
        stored = certificates.load_certificate(self.session, int(serial)) if self.session and serial else None
        return certificate_pem(issuance.load_der(stored.certificate)) if stored and stored.certificate else ""

    def _ca_pem(self) -> str:
        label = self.module.params["hsm_key_label"]
        authority = authorities.find_authority(self.session, label) if self.session else None
        der = authority.certificate if authority else b""
        return certificate_pem(issuance.load_der(der)) if der else ""

    def apply(self, change: Change[Step]) -> Mapping[str, Any]:
        """Open the token, revoke what another key replaces, and issue."""
        session, params, now = cast(StoreSession, self.session), self.module.params, utc_now()
        authority = authorities.active_authority(session, params["hsm_key_label"])
        ca = issuance.load_der(authority.certificate)
        drafts = issuance.draft_batch(
            [step for step in change.steps if isinstance(step, Issue)],
            profile=parse_profile(params["profile"]),
            valid=validity(now, days=params["validity_days"], issuer_certificate=ca),
            make_key=_no_key,
            random_bytes=os.urandom,
        )
        with self._key(ca) as key:
            revocations = [_revocation(step, now) for step in change.steps if isinstance(step, Revoke)]
            certificates.revoke_certificates(session, authority, revocations)
            (issued,) = issuance.issue_batch(
                drafts,
                issuer_certificate=ca,
                issuer_key=key,
                intend=partial(certificates.intend_certificates, session, authority),
                record=partial(certificates.record_certificates, session),
            )
        return {
            "certificate": certificate_pem(issued.x509),
            "serial": str(issued.serial),
            "not_after": issued.draft.not_after.isoformat(),
        }

    def _key(self, ca: Any) -> AbstractContextManager[Any]:
        settings = TokenSettings(**token_options(self.module))
        label = self.module.params["hsm_key_label"]
        return signing_key(settings, label=label, public_key=ca.public_key(), lock=exclusive_lock)


def _no_key() -> NoReturn:
    raise NotImplementedError("a certificate of a gateway is always made from its CSR")


def _revocation(step: Revoke, now: datetime) -> Revocation:
    entry = revocation_list.Revocation(step.serial, now, revocation_list.Reason(step.reason)).encode_entry()
    return Revocation(step.serial, now, step.reason, entry)


def _wanted(module: AnsibleModule) -> WantedDevice:
    """Check every option. Without the library that reads CSRs, a check mode before the installation goes on."""
    params = module.params
    issuance.check_days(validity_days=params["validity_days"], renewal_days=params["renewal_days"])
    csr, key = params["csr_content"], ""
    try:
        key = issuance.csr_fingerprint(csr)
    except MissingLibraryError:
        if not module.check_mode:
            raise
    return WantedDevice(params["name"], "", gateway_common_name(params["name"]), csr=csr, csr_key_sha256=key)


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
            certification = Certification(module, wanted, session)
            run(module, certification.decide, certification.apply)


if __name__ == "__main__":
    main()
