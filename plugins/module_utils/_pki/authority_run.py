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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.chain import (
    Chain,
    make_request,
    read_chain,
    read_chain_crls,
    self_signed,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import encode_pem
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files, Issuer, Registry
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.succession import trust_chain
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    SERVER_KEY_BYTES,
    make_server_key,
)

SETTINGS = ("rsa_pss", "crl_urls", "issuer_urls", "permitted_dns")
TRUSTED = (authority_plan.ACTIVE, authority_plan.STANDBY, authority_plan.RETIRING)


def read_authority(options: Mapping[str, Any]) -> authority_plan.WantedAuthority:
    """Check the options of ``pki_authority``.

    :raises InputError: naming the option that cannot be accepted.
    """
    settings = {name: options[name] for name in SETTINGS}
    wanted = authority_plan.WantedAuthority(
        label=options["hsm_key_label"],
        common_name=options["common_name"],
        algorithm=options["algorithm"],
        validity_days=options["validity_days"],
        crl_validity_days=options["crl_validity_days"],
        server_key=options["tls_crypt_v2_server_key"] is not None,
        state=options["state"],
        replaces=options["replaces"] or "",
        offline_root=options["offline_root"],
        chain=options["chain_content"] or "",
        chain_crls=options["chain_crls_content"] or "",
        settings=settings,
    )
    wanted.check()
    return wanted


@dataclass(frozen=True)
class AuthorityRun:
    """Set up an authority, let it take over from another one, retire it, or bring its settings to what is wanted.

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
        """Compare, and judge a chain that came back; nothing is written."""
        path, retires = self.options["tls_crypt_v2_server_key"], self.wanted.state == authority_plan.RETIRED
        change = authority_plan.plan_authority(
            self.wanted,
            self.registry.known(),
            server_key_mode=self.files.mode(Path(path)) if path else None,
            usable=self.registry.usable(self.wanted.label, now=self.clock()) if retires and self._mine() else 0,
        )
        if authority_plan.ACCEPT in change.steps:
            self._chain()
        if authority_plan.CHAIN_CRLS in change.steps:
            self._chain_crls()
        return Change(change.before, change.after, change.steps, self._facts())

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Carry out the steps."""
        label, does = self.wanted.label, change.steps
        if authority_plan.ESTABLISH in does or authority_plan.REQUEST in does:
            with self.open_token() as token:
                self._make(token)
        if authority_plan.ACCEPT in does:
            chain = self._chain()
            self._activate(chain.certificate, chain=chain.above, chain_crls=chain.crls)
        if authority_plan.TAKE_OVER in does:
            self.registry.take_over(label)
        if authority_plan.RETIRE in does:
            self.registry.retire(label)
        self._change_settings(does)
        if {authority_plan.SERVER_KEY, authority_plan.SERVER_KEY_MODE} & set(does):
            path = Path(self.options["tls_crypt_v2_server_key"])
            content = self.files.read(path) or make_server_key(self.random_bytes(SERVER_KEY_BYTES)).encode()
            self.files.replace(path, content, mode=authority_plan.SECRET_MODE)
        return self._facts()

    def _change_settings(self, does: tuple[str, ...]) -> None:
        """Those of the authority, or of the one that has taken over from it."""
        target = self.registry.successor(self.wanted.label)
        if target is None:
            return
        if authority_plan.CRL_VALIDITY in does:
            self.registry.change_crl_validity(target.label, self.wanted.crl_validity_days)
        if authority_plan.SETTINGS in does:
            merged = authority_plan.merged_settings(target.settings, self.wanted.settings)
            self.registry.change_settings(target.label, merged)
        if authority_plan.CHAIN_CRLS in does:
            self.registry.change_chain_crls(self.wanted.label, self._chain_crls())

    def _make(self, token: Any) -> None:
        """Store the intention, make the key, sign certificate or CSR, store it. Every check comes before the first."""
        wanted, key = self.wanted, token.find_key(self.wanted.label)
        authority_plan.require_key_may_be_used(
            wanted.label, in_token=key is not None, intended=self._mine() is not None, adopt=self.options["adopt_key"]
        )
        if key is not None:
            token.require_unextractable(wanted.label)
            authority_plan.require_algorithm(wanted, found=algorithm_of(key.public_key()).value)
        self.registry.intend(
            label=wanted.label,
            common_name=wanted.common_name,
            algorithm=wanted.algorithm,
            crl_validity_days=wanted.crl_validity_days,
            replaces=wanted.replaces,
            settings=wanted.settings,
        )
        key = token.generate_key(wanted.label, wanted.algorithm) if key is None else key
        permitted = tuple(wanted.settings["permitted_dns"])
        if wanted.offline_root:
            csr = make_request(wanted.common_name, key=key, permitted_dns=permitted)
            self.registry.request(wanted.label, csr=csr)
            return
        self._activate(
            self_signed(
                wanted.common_name,
                key=key,
                valid=certificates.validity(self.clock(), days=wanted.validity_days),
                serial=certificates.serial_from(self.random_bytes(certificates.SERIAL_BYTES)),
                pss=bool(wanted.settings["rsa_pss"]),
                permitted_dns=permitted,
            )
        )

    def _activate(self, certificate: Any, *, chain: str = "", chain_crls: str = "") -> None:
        """Store the certificate; one that is to take over stands by until then, so that no moment has two or none."""
        self.registry.activate(
            self.wanted.label,
            certificate=issuance.to_der(certificate),
            not_after=certificates.not_after(certificate),
            chain=chain,
            chain_crls=chain_crls,
            standby=bool(self.wanted.replaces),
        )

    def _mine(self) -> Issuer | None:
        return next((each for each in self.registry.known() if each.label == self.wanted.label), None)

    def _chain(self) -> Chain:
        mine = self._mine()
        return read_chain(self.wanted.chain, self.wanted.chain_crls, csr=mine.csr if mine else "", now=self.clock())

    def _chain_crls(self) -> str:
        mine = self._mine()
        if mine is None:
            return ""
        return read_chain_crls(
            self.wanted.chain_crls,
            mine.chain,
            below=issuance.load_der(mine.certificate),
            now=self.clock(),
            before=mine.chain_crls,
        )

    def _facts(self) -> Mapping[str, Any]:
        """What is returned: of the authority with that label, and what everybody has to trust."""
        mine, known = self._mine(), self.registry.known()
        der = mine.certificate if mine else b""
        certificate = issuance.load_der(der) if der else None
        trusted = [each for each in known if each.state in TRUSTED]
        return {
            "certificate": encode_pem(der) if der else "",
            "ca_chain": trust_chain(trusted),
            "fingerprint": certificates.certificate_fingerprint(certificate) if certificate else "",
            "not_after": certificates.not_after(certificate).isoformat() if certificate else None,
            "key_label": self.wanted.label,
            "state": mine.state if mine else "absent",
            "csr": mine.csr if mine else "",
        }
