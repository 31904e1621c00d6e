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
  - Signs a complete CRL (RFC 5280) of everything in the store that is revoked, and writes it as PEM and as DER.
  - Signs when something was revoked since the last CRL, when the last CRL comes to its end, when no file holds
    the last CRL any more, and when O(force) is set. Otherwise it mends files that are missing or altered,
    without a login to the token.
  - The CRL number is stored before the CRL is signed and only rises. Its C(thisUpdate) is backdated by an hour
    for clocks that are late, and at least one second after that of the CRL before.
  - The CRL is verified with the authority's certificate, and stored as signed, before the files are replaced
    atomically.
  - A certificate stays in the CRL until it has been in one that was signed after it expired.
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
      - Shows the CRL number, dates, the reasons to sign, and the state of the files.
  platform:
    platforms: posix
options:
  crl_path:
    description:
      - Where the CRL is written as PEM, with mode V(0644), because a CRL is public. Its folder has to exist.
    type: path
    default: /var/lib/privatespace/authority/crl.pem
  crl_der_path:
    description:
      - Where the CRL is written as DER, with mode V(0644). Its folder has to exist.
    type: path
    default: /var/lib/privatespace/authority/crl.der
  renewal_days:
    description:
      - Sign a new CRL when the last one is valid for fewer days than this.
      - By default half of the C(crl_validity_days) of the authority.
    type: int
  force:
    description:
      - Sign a new CRL in any case.
    type: bool
    default: false
  return_content:
    description:
      - Return the CRL in RV(crl). With very many revocations a file is the better way to carry it.
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

- name: Sign a new CRL in any case
  privatespace.gateway.pki_crl:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    force: true
"""

RETURN = r"""
crl:
  description: The CRL (PEM). Empty in check mode for one that would be signed.
  returned: when O(return_content) is true
  type: str
number:
  description: The CRL number. V(null) in check mode for the first one.
  returned: success
  type: int
  sample: 42
this_update:
  description: The C(thisUpdate) of the CRL (ISO 8601, UTC).
  returned: success
  type: str
  sample: "2026-11-22T14:00:00+00:00"
next_update:
  description: When the CRL expires (ISO 8601, UTC).
  returned: success
  type: str
  sample: "2026-12-22T15:00:00+00:00"
revoked_count:
  description: How many certificates it lists.
  returned: success
  type: int
  sample: 3
signed_at:
  description: When it was signed, in seconds since 1970-01-01 UTC, with fractions.
  returned: success
  type: float
  sample: 1795359600.25
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    write_atomic,
)
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import crl_plan
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import load_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    build_crl,
    crl_to_der,
    crl_to_pem,
    verify_crl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities, crls
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import Authority
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_for_run,
)

DEFAULT_FOLDER = "/var/lib/privatespace/authority"
PUBLIC_MODE = 0o644


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "crl_path": {"type": "path", "default": f"{DEFAULT_FOLDER}/crl.pem"},
        "crl_der_path": {"type": "path", "default": f"{DEFAULT_FOLDER}/crl.der"},
        "renewal_days": {"type": "int"},
        "force": {"type": "bool", "default": False},
        "return_content": {"type": "bool", "default": True},
    }


@dataclass(frozen=True)
class Publication:
    """One run: the files of the CRL, against one open store."""

    module: AnsibleModule
    session: StoreSession | None

    @property
    def paths(self) -> dict[str, Path]:
        """The files by their format."""
        return {"pem": Path(self.module.params["crl_path"]), "der": Path(self.module.params["crl_der_path"])}

    def decide(self) -> Change[str]:
        """Compare; nothing is written."""
        label = self.module.params["hsm_key_label"]
        authority = authorities.find_authority(self.session, label) if self.session else None
        last = crls.last_crl(self.session, authority) if self.session and authority else None
        held = {name: _held_der(name, path, last.sha256 if last else "") for name, path in self.paths.items()}
        change = crl_plan.plan_crl(
            last,
            unpublished=crls.count_unpublished(self.session, authority) if self.session and authority else 0,
            files=tuple(
                crl_plan.FoundFile(name, held[name] is not None, file_mode(path)) for name, path in self.paths.items()
            ),
            now=utc_now(),
            renewal_days=self._renewal_days(authority),
            mode=PUBLIC_MODE,
            force=self.module.params["force"],
        )
        current = next((der for der in held.values() if der is not None), None)
        return Change(change.before, change.after, change.steps, {**change.result, **self._content(current)})

    def _renewal_days(self, authority: Authority | None) -> int:
        days, validity = self.module.params["renewal_days"], authority.crl_validity_days if authority else None
        if days is None:
            return validity // 2 if validity else 0
        crl_plan.check_renewal(days, validity_days=validity)
        return int(days)

    def _content(self, der: bytes | None) -> dict[str, str]:
        wanted = self.module.params["return_content"]
        return {"crl": crl_to_pem(der).decode("ascii") if der else ""} if wanted else {}

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Sign, verify and store where that is needed, then replace the files that are not right."""
        if change.steps == (crl_plan.SIGN,):
            der, facts = self._sign()
        else:
            der, facts = self._last_der(), {}
        self._write({"pem": crl_to_pem(der), "der": der})
        return {**facts, **self._content(der)}

    def _last_der(self) -> bytes:
        session, label = cast(StoreSession, self.session), self.module.params["hsm_key_label"]
        last = crls.last_crl(session, authorities.active_authority(session, label))
        held = [_held_der(name, path, last.sha256 if last else "") for name, path in self.paths.items()]
        return next(der for der in held if der is not None)

    def _sign(self) -> tuple[bytes, Mapping[str, Any]]:
        session, label = cast(StoreSession, self.session), self.module.params["hsm_key_label"]
        authority = authorities.active_authority(session, label)
        ca, settings = load_der(authority.certificate), TokenSettings(**token_options(self.module))
        latest = crls.last_number(session, authority)
        with signing_key(settings, label=label, public_key=ca.public_key(), lock=exclusive_lock) as key:
            dates = crl_plan.plan_dates(latest, now=utc_now(), validity_days=authority.crl_validity_days)
            owed = crls.load_owed(session, authority)
            crls.intend_crl(session, authority, dates)
            der = build_crl(
                owed.entries,
                issuer_certificate=ca,
                issuer_key=key,
                number=dates.number,
                this_update=dates.this_update,
                next_update=dates.next_update,
            )
        verify_crl(der, ca)
        crls.record_crl(session, authority, dates, der=der, owed=owed)
        return der, crl_plan.crl_result(dates, entries=len(owed.entries))

    def _write(self, contents: Mapping[str, bytes]) -> None:
        for name, path in self.paths.items():
            if read_optional(path) != contents[name] or file_mode(path) != PUBLIC_MODE:
                write_atomic(path, contents[name], mode=PUBLIC_MODE)


def _held_der(name: str, path: Path, sha256: str) -> bytes | None:
    """The DER of the CRL in a file, if it is the one that was signed last."""
    content = read_optional(path)
    if content is None:
        return None
    try:
        der = crl_to_der(content) if name == "pem" else content
    except InputError:
        return None
    return der if fingerprint(der) == sha256 else None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )
    with failing(module):
        options = store_options(module)
        with open_for_run(
            parse_location(options.store),
            origin=Origin(options.actor, options.job),
            clock=utc_now,
            wait_seconds=options.wait_seconds,
            file_lock=exclusive_lock,
            dry_run=module.check_mode,
        ) as session:
            publication = Publication(module, session)
            run(module, publication.decide, publication.apply)


if __name__ == "__main__":
    main()
