# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that issue, renew and revoke: of users with their devices, and of single gateways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import issuance, reconcile
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import certificate_pem, validity
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import gateway_common_name
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Book, Files, Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CLIENT, Profile, parse_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.succession import trust_chain
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    CLIENT_KEY_BYTES,
    make_client_key,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import (
    Wanted,
    WantedDevice,
    parse_wanted,
)

Plan = Change[reconcile.Step]


def read_users(options: Mapping[str, Any], *, lenient: bool) -> Wanted:
    """Check the options of ``pki_users``.

    :param lenient: Go on without the library that reads CSRs, as a check mode before the installation has to.
    :raises InputError: naming everything that cannot be accepted.
    """
    issuance.check_days(validity_days=options["validity_days"], renewal_days=options["renewal_days"])
    try:
        return parse_wanted(options["users"], csr_fingerprint=issuance.csr_fingerprint)
    except MissingLibraryError:
        if not lenient:
            raise
        return parse_wanted(options["users"], csr_fingerprint=lambda _csr: "")


def read_gateway(options: Mapping[str, Any], *, lenient: bool) -> WantedDevice:
    """Check the options of ``pki_certificate``; see :func:`read_users`."""
    issuance.check_days(validity_days=options["validity_days"], renewal_days=options["renewal_days"])
    common_name, key = gateway_common_name(options["name"]), ""
    try:
        key = issuance.csr_fingerprint(options["csr_content"])
    except MissingLibraryError:
        if not lenient:
            raise
    return WantedDevice(options["name"], "", common_name, csr=options["csr_content"], csr_key_sha256=key)


@dataclass(frozen=True)
class UserRun:
    """Bring the certificates of users to the state that is wanted."""

    wanted: Wanted
    options: Mapping[str, Any]
    book: Book
    tools: Tools
    files: Files

    def decide(self) -> Plan:
        """Compare what is wanted with what there is; nothing is written."""
        options, profile = self.options, CLIENT.name
        known = [*self.book.history(profile=profile, names=self.wanted.users)]
        if options["purge"]:
            known += self.book.current(profile=profile)
        change = reconcile.plan_users(
            self.wanted,
            list({certificate.serial: certificate for certificate in known}.values()),
            now=self.tools.clock(),
            renewal_days=options["renewal_days"],
            purge=options["purge"],
            missing_ok=options["missing_ok"],
        )
        return Change(
            change.before, change.after, change.steps, {**change.result, "ca_certificate": ca_chain(self.book)}
        )

    def apply(self, change: Plan) -> Mapping[str, Any]:
        """Revoke and issue; every input is tried before."""
        drafts = draft(change.steps, self.book, self.tools, profile=CLIENT, days=self.options["validity_days"])
        wrapped = self._wrapped_keys(drafts)
        issued = carry_out(change.steps, drafts, self.book, self.tools, profile=CLIENT)
        return {
            "users": issuance.updated_users(change.result["users"], issued),
            "deliveries": [
                issuance.delivery(item, ca_chain=change.result["ca_certificate"], tls_crypt_v2=wrapped.get(item.serial))
                for item in issued
            ],
        }

    def _wrapped_keys(self, drafts: Sequence[issuance.Draft]) -> dict[int, str]:
        path = self.options["tls_crypt_v2_server_key"]
        if path is None or not drafts:
            return {}
        content = self.files.read(Path(path))
        if content is None:
            raise InputError(
                f"There is no tls-crypt-v2 server key at {path}.",
                remedy="The module privatespace.gateway.pki_authority makes one.",
            )
        server_key, chance = content.decode("ascii", "replace"), self.tools.random_bytes
        return {
            item.serial: make_client_key(server_key, random_bytes=chance(CLIENT_KEY_BYTES), metadata=item.common_name)
            for item in drafts
        }


@dataclass(frozen=True)
class GatewayRun:
    """Bring the certificate of one gateway to the state that is wanted."""

    wanted: WantedDevice
    options: Mapping[str, Any]
    book: Book
    tools: Tools

    def decide(self) -> Plan:
        """Compare what is wanted with what there is; nothing is written."""
        known = self.book.history(profile=self.options["profile"], names=[self.wanted.user])
        days = self.options["renewal_days"]
        change = reconcile.plan_certificate(self.wanted, known, now=self.tools.clock(), renewal_days=days)
        planned = change.result["users"][0]
        result = {name: planned[name] for name in ("common_name", "outcome", "serial", "not_after")}
        der = self.book.certificate(int(planned["serial"])) if planned["serial"] else b""
        result.update(certificate=_pem(der), ca_chain=ca_chain(self.book))
        return Change(change.before, change.after, change.steps, result)

    def apply(self, change: Plan) -> Mapping[str, Any]:
        """Revoke what another key replaces, and issue."""
        profile, days = parse_profile(self.options["profile"]), self.options["validity_days"]
        drafts = draft(change.steps, self.book, self.tools, profile=profile, days=days)
        (issued,) = carry_out(change.steps, drafts, self.book, self.tools, profile=profile)
        return {
            "certificate": certificate_pem(issued.x509),
            "serial": str(issued.serial),
            "not_after": issued.draft.not_after.isoformat(),
        }


def draft(
    steps: Sequence[reconcile.Step], book: Book, tools: Tools, *, profile: Profile, days: int
) -> tuple[issuance.Draft, ...]:
    """Draft what the steps want to be issued.

    :param days: For how many days, at most until the authority's certificate expires.
    :raises StateError: the authority has not been set up, or its certificate has expired.
    """
    now = tools.clock()
    ca = issuance.load_der(book.issuer(profile=profile.name, now=now).certificate)
    return issuance.draft_batch(
        [step for step in steps if isinstance(step, reconcile.Issue)],
        profile=profile,
        valid=validity(now, days=days, issuer_certificate=ca),
        make_key=tools.make_key,
        random_bytes=tools.random_bytes,
    )


def carry_out(
    steps: Sequence[reconcile.Step],
    drafts: Sequence[issuance.Draft],
    book: Book,
    tools: Tools,
    *,
    profile: Profile,
) -> tuple[issuance.Issued, ...]:
    """Store the revocations, then sign the drafts; the token is opened before either, and only to sign."""
    now = tools.clock()
    issuer = book.issuer(profile=profile.name, now=now)
    ca = issuance.load_der(issuer.certificate)
    with tools.open_keys() if drafts else nullcontext() as keys:
        key = keys(issuer.label, ca.public_key()) if keys else None
        book.revoke([issuance.withdraw(step, at=now) for step in steps if isinstance(step, reconcile.Revoke)])
        return issuance.issue_batch(
            drafts,
            issuer_certificate=ca,
            issuer_key=key,
            intend=partial(book.intend, issuer=issuer),
            record=book.record,
        )


def ca_chain(book: Book) -> str:
    """The PEM of every certificate that has to be trusted; empty where the authority has not been set up."""
    return trust_chain(book.trusted())


def _pem(der: bytes) -> str:
    return certificate_pem(issuance.load_der(der)) if der else ""
