# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One new CRL of one issuer: its entries taken over or read, signed, verified and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import crl_plan
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import count_entries
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_outline import read_outline
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import load_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import IssuerBook
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    CrlFields,
    Piece,
    count_listed,
    sign_crl,
)


@dataclass(frozen=True)
class FreshCrl:
    """A CRL that was signed, verified and stored, and is in no file yet.

    :param parts: Its DER.
    """

    parts: Sequence[Piece]
    dates: crl_plan.CrlDates
    entries: int


@dataclass(frozen=True)
class CrlSigner:
    """Signs CRLs for one issuer.

    :param last: The DER of the last CRL, bytes or like bytes, where its entries may be taken over, else ``None``.
    :param warn: Told why they were not.
    """

    book: IssuerBook
    last: Any
    warn: Callable[[str], None]

    def sign(self, keys: Callable[[str, Any], Any], *, now: datetime) -> FreshCrl:
        """Take the number, sign, verify, store.

        :param keys: The keys of the token; see :class:`Tools`.
        :raises CollectionError: nothing was signed, or it is not to be published.
        """
        issuer = self.book.authority
        ca = load_der(issuer.certificate)
        key = keys(issuer.label, ca.public_key())
        dates = crl_plan.plan_dates(self.book.last_number(), now=now, validity_days=issuer.crl_validity_days)
        pieces, owed, spliced = self._spliced() or self._read()
        self.book.intend_crl(dates)
        fields = CrlFields(
            dates.number, dates.this_update, dates.next_update, bool(issuer.settings.get("rsa_pss", False))
        )
        parts = sign_crl(pieces, fields, issuer_certificate=ca, issuer_key=key)
        if not spliced:
            _require_complete(parts, owed.count, label=issuer.label)
        self.book.record_crl(dates, der=parts, owed=owed, spliced=spliced)
        return FreshCrl(parts, dates, spliced + owed.count)

    def _spliced(self) -> tuple[Sequence[Piece], Any, int] | None:
        """The entries of the last CRL as they are, and those that no CRL has listed yet; ``None`` where that is wrong.

        The last CRL was verified when it was signed, and its SHA-256 is that in the store.
        """
        last = self.book.last_crl()
        if self.last is None or last is None or not last.entries:
            return None
        outline, owed = read_outline(self.last), self.book.unpublished()
        problem = crl_plan.why_not_to_splice(
            last,
            number=outline.number,
            has_entries=outline.entries_end > outline.entries_start,
            new=(_count(owed.entries), owed.count),
            revocations=self.book.count_revocations(),
        )
        if problem:
            self.warn(f"The CRL of '{self.book.authority.label}' is built from the store alone, because {problem}.")
            return None
        entries = memoryview(self.last)[outline.entries_start : outline.entries_end]
        return (entries, *owed.entries), owed, last.entries

    def _read(self) -> tuple[Sequence[Piece], Any, int]:
        owed = self.book.owed()
        return owed.entries, owed, 0


def _count(entries: Sequence[bytes]) -> int:
    """How many entries can be read; none where one is damaged."""
    try:
        return sum(map(count_entries, entries))
    except InputError:
        return 0


def _require_complete(parts: Sequence[Piece], entries: int, *, label: str) -> None:
    """Read the whole CRL as others will: what the store kept may be damaged."""
    try:
        problem = (
            "" if count_listed(b"".join(parts)) == entries else f"would not list all of the {entries} certificates"
        )
    except InputError:
        problem = "could be read by nobody"
    if problem:
        raise StateError(
            f"The CRL of '{label}' {problem}, because entries in the store are damaged.",
            remedy="Restore the newest backup of the store. The CRL that was in place is still in place.",
        )
