# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that sets up an authority: its key in the token, its certificate, its store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import authority_plan, certificates, issuance
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import algorithm_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files, Registry
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    SERVER_KEY_BYTES,
    make_server_key,
)


def read_authority(options: Mapping[str, Any]) -> authority_plan.WantedAuthority:
    """Check the options of ``pki_authority``.

    :raises InputError: naming the option that cannot be accepted.
    """
    wanted = authority_plan.WantedAuthority(
        label=options["hsm_key_label"],
        common_name=options["common_name"],
        algorithm=options["algorithm"],
        validity_days=options["validity_days"],
        crl_validity_days=options["crl_validity_days"],
        server_key=options["tls_crypt_v2_server_key"] is not None,
    )
    wanted.check()
    return wanted


@dataclass(frozen=True)
class AuthorityRun:
    """Set up an authority, or bring its settings to what is wanted.

    :param open_token: Logs in to the token for a block: ``find_key``, ``generate_key`` and ``require_unextractable``.
    """

    wanted: authority_plan.WantedAuthority
    options: Mapping[str, Any]
    registry: Registry
    files: Files
    open_token: Callable[[], AbstractContextManager[Any]]
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]

    def decide(self) -> Change[str]:
        """Compare; nothing is written."""
        known = self.registry.known()
        mine = next((authority for authority in known if authority.label == self.wanted.label), None)
        path = self.options["tls_crypt_v2_server_key"]
        change = authority_plan.plan_authority(
            self.wanted,
            mine,
            server_key_mode=self.files.mode(Path(path)) if path else None,
            others=tuple(authority.label for authority in known if authority is not mine),
        )
        result = _facts(mine.certificate if mine else b"", self.wanted.label)
        return Change(change.before, change.after, change.steps, result)

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Carry out the steps."""
        facts: Mapping[str, Any] = {}
        if authority_plan.ESTABLISH in change.steps:
            with self.open_token() as token:
                facts = _facts(self._establish(token), self.wanted.label)
        if authority_plan.CRL_VALIDITY in change.steps:
            self.registry.change_crl_validity(self.wanted.label, self.wanted.crl_validity_days)
        if {authority_plan.SERVER_KEY, authority_plan.SERVER_KEY_MODE} & set(change.steps):
            path = Path(self.options["tls_crypt_v2_server_key"])
            content = self.files.read(path) or make_server_key(self.random_bytes(SERVER_KEY_BYTES)).encode()
            self.files.replace(path, content, mode=authority_plan.SECRET_MODE)
        return facts

    def _establish(self, token: Any) -> bytes:
        """Store the intention, make the key, sign the certificate, store it. Every check comes before the first."""
        wanted, key = self.wanted, token.find_key(self.wanted.label)
        authority_plan.require_key_may_be_used(
            wanted.label,
            in_token=key is not None,
            intended=any(authority.label == wanted.label for authority in self.registry.known()),
            adopt=self.options["adopt_key"],
        )
        if key is not None:
            token.require_unextractable(wanted.label)
            authority_plan.require_algorithm(wanted, found=algorithm_of(key.public_key()).value)
        self.registry.intend(
            label=wanted.label,
            common_name=wanted.common_name,
            algorithm=wanted.algorithm,
            crl_validity_days=wanted.crl_validity_days,
        )
        certificate = issuance.self_signed(
            wanted.common_name,
            key=token.generate_key(wanted.label, wanted.algorithm) if key is None else key,
            valid=certificates.validity(self.clock(), days=wanted.validity_days),
            random_bytes=self.random_bytes,
        )
        der = issuance.to_der(certificate)
        self.registry.activate(wanted.label, certificate=der, not_after=certificates.not_after(certificate))
        return der


def _facts(der: bytes, label: str) -> Mapping[str, Any]:
    if not der:
        return {"certificate": "", "fingerprint": "", "not_after": None, "key_label": label}
    certificate = issuance.load_der(der)
    return {
        "certificate": certificates.certificate_pem(certificate),
        "fingerprint": certificates.certificate_fingerprint(certificate),
        "not_after": certificates.not_after(certificate).isoformat(),
        "key_label": label,
    }
