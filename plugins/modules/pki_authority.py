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
  - Makes the authority's key pair in the token, a self-signed certificate for it, and the store that keeps everything
    the authority will ever sign.
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
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import authority_plan, certificates, issuance
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES, algorithm_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    SERVER_KEY_BYTES,
    make_server_key,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation, parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import Authority
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    authority_lock,
    open_store,
)


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "common_name": {"type": "str", "default": "Private Space VPN authority"},
        "algorithm": {"type": "str", "choices": list(ALGORITHM_NAMES), "default": "ec-p256"},
        "validity_days": {"type": "int", "default": 3650},
        "crl_validity_days": {"type": "int", "default": 30},
        "adopt_key": {"type": "bool", "default": False},
        "tls_crypt_v2_server_key": {"type": "path"},
    }


@dataclass(frozen=True)
class Establishment:
    """One run: the authority that is wanted, and the place of its store."""

    module: AnsibleModule
    wanted: authority_plan.WantedAuthority
    location: StoreLocation
    origin: Origin

    def decide(self) -> Change[str]:
        """Compare; nothing is written."""
        known = self._known()
        mine = next((authority for authority in known if authority.label == self.wanted.label), None)
        path = self.module.params["tls_crypt_v2_server_key"]
        change = authority_plan.plan_authority(
            self.wanted,
            mine,
            server_key_mode=file_mode(Path(path)) if path else None,
            others=tuple(authority.label for authority in known if authority is not mine),
        )
        return Change(change.before, change.after, change.steps, _facts(mine.certificate if mine else b"", self.wanted))

    def _known(self) -> tuple[Authority, ...]:
        if self.location.is_missing():
            return ()
        try:
            with self._open_store(create=False) as session:
                return authorities.load_authorities(session)
        except StoreMissingError:
            return ()

    def _open_store(self, *, create: bool) -> AbstractContextManager[StoreSession]:
        return open_store(self.location, origin=self.origin, clock=utc_now, create=create)

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Carry out the steps."""
        facts: Mapping[str, Any] = {}
        if authority_plan.ESTABLISH in change.steps:
            settings = TokenSettings(**token_options(self.module))
            with open_token(settings, lock=exclusive_lock) as token:
                facts = _facts(self._establish(token), self.wanted)
        if authority_plan.CRL_VALIDITY in change.steps:
            with self._open_store(create=False) as session:
                authority = authorities.active_authority(session, self.wanted.label)
                authorities.change_crl_validity(session, authority, self.wanted.crl_validity_days)
        self._provide_server_key(change)
        return facts

    def _establish(self, token: Token) -> bytes:
        """Store the intention, make the key, sign the certificate, store it; the store is made after the login."""
        wanted, key = self.wanted, token.find_key(self.wanted.label)
        authority_plan.require_key_may_be_used(
            wanted.label,
            in_token=key is not None,
            intended=any(authority.label == wanted.label for authority in self._known()),
            adopt=self.module.params["adopt_key"],
        )
        if key is not None:
            token.require_unextractable(wanted.label)
            authority_plan.require_algorithm(wanted, found=algorithm_of(key.public_key()).value)
        with self._open_store(create=True) as session:
            intended = authorities.intend_authority(
                session,
                label=wanted.label,
                common_name=wanted.common_name,
                algorithm=wanted.algorithm,
                crl_validity_days=wanted.crl_validity_days,
            )
            key = token.generate_key(wanted.label, wanted.algorithm) if key is None else key
            certificate = issuance.self_signed(
                wanted.common_name,
                key=key,
                valid=certificates.validity(utc_now(), days=wanted.validity_days),
                random_bytes=os.urandom,
            )
            der = issuance.to_der(certificate)
            authorities.activate_authority(
                session, intended, certificate=der, not_after=certificates.not_after(certificate)
            )
        return der

    def _provide_server_key(self, change: Change[str]) -> None:
        if authority_plan.SERVER_KEY not in change.steps and authority_plan.SERVER_KEY_MODE not in change.steps:
            return
        path = Path(self.module.params["tls_crypt_v2_server_key"])
        content = read_optional(path) or make_server_key(os.urandom(SERVER_KEY_BYTES)).encode()
        write_atomic(path, content, mode=authority_plan.SECRET_MODE)


def _facts(der: bytes, wanted: authority_plan.WantedAuthority) -> Mapping[str, Any]:
    if not der:
        return {"certificate": "", "fingerprint": "", "not_after": None, "key_label": wanted.label}
    certificate = issuance.load_der(der)
    return {
        "certificate": certificates.certificate_pem(certificate),
        "fingerprint": certificates.certificate_fingerprint(certificate),
        "not_after": certificates.not_after(certificate).isoformat(),
        "key_label": wanted.label,
    }


def _wanted(module: AnsibleModule) -> authority_plan.WantedAuthority:
    params = module.params
    wanted = authority_plan.WantedAuthority(
        label=params["hsm_key_label"],
        common_name=params["common_name"],
        algorithm=params["algorithm"],
        validity_days=params["validity_days"],
        crl_validity_days=params["crl_validity_days"],
        server_key=params["tls_crypt_v2_server_key"] is not None,
    )
    wanted.check()
    return wanted


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )
    with failing(module):
        wanted, options = _wanted(module), store_options(module)
        location = parse_location(options.store)
        establishment = Establishment(module, wanted, location, Origin(options.actor, options.job))
        with ExitStack() as stack:
            if not module.check_mode:
                wait = options.wait_seconds
                stack.enter_context(authority_lock(location, wait_seconds=wait, file_lock=exclusive_lock, create=True))
            run(module, establishment.decide, establishment.apply)


if __name__ == "__main__":
    main()
