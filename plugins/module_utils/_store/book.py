# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One authority in one open store, as the runs of the authority see it; and the registry of all authorities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities, certificates, crls
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    ACTIVE,
    Authority,
    Certificate,
    Intent,
    Owed,
    Revocation,
    RevocationList,
    Signed,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_store,
)


@dataclass(frozen=True)
class AuthorityBook:
    """What the store keeps of one authority.

    :param session: The open store; ``None`` in a dry run before there is one: then nothing is known.
    :param label: The label of the authority's key.
    """

    session: StoreSession | None
    label: str

    def ca_certificate(self) -> bytes:
        """The DER of its certificate; empty where it has not been set up."""
        authority = self._found()
        return authority.certificate if authority else b""

    def crl_validity_days(self) -> int | None:
        """For how many days its CRLs are valid, where it has been set up."""
        authority = self._found()
        return authority.crl_validity_days if authority else None

    def require_active(self) -> None:
        """Check that the authority has been set up.

        :raises StateError: it has not.
        """
        authorities.active_authority(self._open(), self.label)

    def history(self, *, profile: str, names: Iterable[str]) -> tuple[Certificate, ...]:
        """Every certificate that these users or gateways ever had, the oldest first."""
        return certificates.load_history(self.session, profile=profile, names=names) if self.session else ()

    def current(self, *, profile: str) -> tuple[Certificate, ...]:
        """Every certificate of a profile that was not revoked."""
        return certificates.load_current(self.session, profile=profile) if self.session else ()

    def certificate(self, serial: int) -> bytes:
        """The DER of one certificate.

        :raises StateError: the store does not know that serial.
        """
        return certificates.load_certificate(self._open(), serial).certificate

    def intend(self, intents: Sequence[Intent]) -> None:
        """Store what is going to be signed."""
        certificates.intend_certificates(self._open(), self._active(), intents)

    def record(self, signed: Sequence[Signed]) -> None:
        """Store what was signed, all of it or nothing."""
        certificates.record_certificates(self._open(), signed)

    def revoke(self, revocations: Sequence[Revocation]) -> None:
        """Store revocations, all of them or nothing."""
        certificates.revoke_certificates(self._open(), self._active(), revocations)

    def last_crl(self) -> RevocationList | None:
        """The CRL that was signed last."""
        authority = self._found()
        return crls.last_crl(self._open(), authority) if authority else None

    def last_number(self) -> RevocationList | None:
        """The CRL with the highest number that was ever taken."""
        return crls.last_number(self._open(), self._active())

    def last_sha256(self) -> str:
        """SHA-256 over the DER of the CRL that was signed last, in hexadecimal; empty where there is none."""
        last = self.last_crl()
        return last.sha256 if last else ""

    def count_unpublished(self) -> int:
        """How many revocations no CRL lists yet."""
        authority = self._found()
        return crls.count_unpublished(self._open(), authority) if authority else 0

    def owed(self) -> Owed:
        """What the next CRL has to list."""
        return crls.load_owed(self._open(), self._active())

    def intend_crl(self, crl: crls.CrlIntent) -> None:
        """Take the number of a CRL before it is signed."""
        crls.intend_crl(self._open(), self._active(), crl)

    def record_crl(self, crl: crls.CrlIntent, *, der: bytes, owed: Owed) -> None:
        """Store that a CRL was signed."""
        crls.record_crl(self._open(), self._active(), crl, der=der, owed=owed)

    def _open(self) -> StoreSession:
        if self.session is None:
            raise StateError("There is no store to write to.")
        return self.session

    def _active(self) -> Authority:
        return authorities.active_authority(self._open(), self.label)

    def _found(self) -> Authority | None:
        found = authorities.find_authority(self.session, self.label) if self.session else None
        return found if found is not None and found.state == ACTIVE else None


@dataclass(frozen=True)
class AuthorityRegistry:
    """The authorities of a store, and the store itself, which is made by the first intention."""

    location: StoreLocation
    origin: Origin
    clock: Callable[[], datetime]

    def known(self) -> tuple[Authority, ...]:
        """All authorities; none where there is no store."""
        if self.location.is_missing():
            return ()
        try:
            with self._opened() as session:
                return authorities.load_authorities(session)
        except StoreMissingError:
            return ()

    def intend(self, *, label: str, common_name: str, algorithm: str, crl_validity_days: int) -> None:
        """Store that an authority is going to be made."""
        with self._opened(create=True) as session:
            authorities.intend_authority(
                session,
                label=label,
                common_name=common_name,
                algorithm=algorithm,
                crl_validity_days=crl_validity_days,
            )

    def activate(self, label: str, *, certificate: bytes, not_after: datetime) -> None:
        """Store its certificate (DER)."""
        with self._opened() as session:
            authorities.activate_authority(session, label, certificate=certificate, not_after=not_after)

    def change_crl_validity(self, label: str, days: int) -> None:
        """Store how long its CRLs are valid from now on."""
        with self._opened() as session:
            authorities.change_crl_validity(session, authorities.active_authority(session, label), days)

    def _opened(self, *, create: bool = False) -> AbstractContextManager[StoreSession]:
        return open_store(self.location, origin=self.origin, clock=self.clock, create=create)
