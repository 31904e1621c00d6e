# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that signs the CRL where that is needed, and keeps its files right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import crl_plan
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import load_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Book, Files, IssuerBook, Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    build_crl,
    crl_to_der,
    crl_to_pem,
    load_crl,
    verify_crl,
)

PUBLIC_MODE = 0o644


@dataclass(frozen=True)
class CrlRun:
    """Keep the CRL of an authority fresh and in its files.

    :param options: Those of ``pki_crl``.
    """

    options: Mapping[str, Any]
    book: Book
    tools: Tools
    files: Files

    def decide(self) -> Change[str]:
        """Compare the files with the store; nothing is written."""
        held, issuer = self._held(), self._issuer()
        self._refuse_older_store(held)
        change = crl_plan.plan_crl(
            issuer.last_crl() if issuer else None,
            unpublished=issuer.count_unpublished() if issuer else 0,
            files=tuple(
                crl_plan.FoundFile(name, held[name] is not None, self.files.mode(path))
                for name, path in self._paths().items()
            ),
            now=self.tools.clock(),
            renewal_days=self._renewal_days(),
            mode=PUBLIC_MODE,
            force=self.options["force"],
        )
        current = next((der for der in held.values() if der is not None), b"")
        return Change(change.before, change.after, change.steps, {**change.result, **self._content(current)})

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Sign, verify and store where that is needed, then replace the files that are not right."""
        if crl_plan.SIGN in change.steps:
            der, facts = self._sign()
        else:
            der, facts = next(der for der in self._held().values() if der is not None), {}
        for path, content in ((self._paths()["pem"], crl_to_pem(der)), (self._paths()["der"], der)):
            if self.files.read(path) != content or self.files.mode(path) != PUBLIC_MODE:
                self.files.replace(path, content, mode=PUBLIC_MODE)
        return {**facts, **self._content(der)}

    def _sign(self) -> tuple[bytes, Mapping[str, Any]]:
        """Take the number, sign, verify, store; the token is opened first and closed as soon as it has signed."""
        issuer = self._issuer()
        if issuer is None:
            raise StateError("The store has no authority yet.", remedy="Set it up first (pki_authority).")
        ca, days = load_der(issuer.authority.certificate), issuer.authority.crl_validity_days
        with self.tools.open_keys() as keys:
            key = keys(issuer.authority.label, ca.public_key())
            dates = crl_plan.plan_dates(issuer.last_number(), now=self.tools.clock(), validity_days=days)
            owed = issuer.owed()
            issuer.intend_crl(dates)
            der = build_crl(
                owed.entries,
                issuer_certificate=ca,
                issuer_key=key,
                number=dates.number,
                this_update=dates.this_update,
                next_update=dates.next_update,
            )
        verify_crl(der, ca)
        issuer.record_crl(dates, der=der, owed=owed)
        return der, crl_plan.crl_result(dates, entries=len(owed.entries))

    def _issuer(self) -> IssuerBook | None:
        return next(iter(self.book.issuers()), None)

    def _paths(self) -> dict[str, Path]:
        return {"pem": Path(self.options["crl_path"]), "der": Path(self.options["crl_der_path"])}

    def _held(self) -> dict[str, bytes | None]:
        """The DER in each file, where it is that of the CRL which was signed last."""
        issuer = self._issuer()
        last = issuer.last_crl() if issuer else None
        expected = last.sha256 if last else ""
        held: dict[str, bytes | None] = {}
        for name, path in self._paths().items():
            der = _der(name, self.files.read(path))
            held[name] = der if der is not None and fingerprint(der) == expected else None
        return held

    def _refuse_older_store(self, held: Mapping[str, bytes | None]) -> None:
        """Go no further with a store that knows less than a CRL which it signed: it was brought back from a backup.

        :param held: What :meth:`_held` returned; a file that is current needs no look.
        :raises StateError: naming the file.
        """
        issuer = self._issuer()
        ca = issuer.authority.certificate if issuer else b""
        latest = issuer.last_number() if issuer else None
        for name, path in self._paths().items():
            if not ca or held[name] is not None:
                continue
            number = _number_signed_by(load_der(ca), _der(name, self.files.read(path)))
            crl_plan.require_newest(latest, number=number, path=str(path))

    def _renewal_days(self) -> int:
        issuer = self._issuer()
        days, validity = self.options["renewal_days"], issuer.authority.crl_validity_days if issuer else None
        if days is None:
            return validity // 2 if validity else 0
        crl_plan.check_renewal(days, validity_days=validity)
        return int(days)

    def _content(self, der: bytes) -> dict[str, str]:
        if not self.options["return_content"]:
            return {}
        return {"crl": crl_to_pem(der).decode("ascii") if der else ""}


def _number_signed_by(ca: Any, der: bytes | None) -> int:
    """The number of a CRL, where the authority has signed it; else 0."""
    if der is None:
        return 0
    try:
        verify_crl(der, ca)
        return load_crl(der).number or 0
    except CollectionError:
        return 0


def _der(name: str, content: bytes | None) -> bytes | None:
    if name == "der" or content is None:
        return content
    try:
        return crl_to_der(content)
    except InputError:
        return None
