# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One authority in one open store, as the runs of the authority see it; and the registry of all authorities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Device
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import (
    authorities,
    certificates,
    crls,
    issuing,
    suspensions,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    RETIRING,
    TRUSTED,
    Authority,
    Certificate,
    Intent,
    Owed,
    Revocation,
    RevocationList,
    Signed,
    Suspension,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_store,
)

CLIENT_PROFILE, SERVER_PROFILE = "client", "server"


@dataclass(frozen=True)
class AuthorityBook:
    """What the store keeps of an authority, of those that it replaces, and of what they all issued.

    :param session: The open store; ``None`` in a dry run before there is one: then nothing is known.
    :param label: The label of the authority's key, or of one that it has taken over from.
    """

    session: StoreSession | None
    label: str

    def trusted(self) -> tuple[Authority, ...]:
        """The authorities that have to be trusted, the oldest first; none where there is none yet."""
        if self.session is None:
            return ()
        return tuple(each for each in authorities.load_authorities(self.session) if each.state in TRUSTED)

    def issuer(self, *, profile: str, now: datetime) -> Authority:
        """The authority that signs certificates of a profile.

        It is the active one; but gateways have certificates of the one before as long as there are clients that hold
        one of it, because their profiles may know no other.

        :raises StateError: the authority has not been set up.
        """
        session, active = self._open(), authorities.active_authority(self._open(), self.label)
        if profile != SERVER_PROFILE:
            return active
        retiring = [authority for authority in authorities.load_authorities(session) if authority.state == RETIRING]
        needed = [
            authority
            for authority in retiring
            if authorities.count_usable(session, authority, now=now, profile=CLIENT_PROFILE)
        ]
        return needed[0] if needed else active

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

    def intend(self, intents: Sequence[Intent], *, issuer: Authority) -> None:
        """Store what is going to be signed, and by whom."""
        issuing.intend_certificates(self._open(), issuer, intents)

    def recording(self) -> AbstractContextManager[Callable[[Sequence[Signed]], None]]:
        """For a block, a function that stores what was signed; the end of the block commits it, an error none of it."""
        return issuing.recording_certificates(self._open())

    def deliver(self, serials: Sequence[int]) -> None:
        """Store that certificates have left this process."""
        issuing.deliver_certificates(self._open(), serials)

    def withdraw(self, revocations: Sequence[Revocation], access: Sequence[suspensions.AccessChange] = ()) -> None:
        """Store revocations and who is disabled and enabled, all of it or nothing."""
        session = self._open()
        if revocations or access:
            with session.transaction():
                certificates.revoke_certificates(session, revocations)
                suspensions.change_access(session, access)

    def suspensions(self) -> tuple[Suspension, ...]:
        """Every suspension that there is or was."""
        return suspensions.load_suspensions(self.session) if self.session else ()

    def usable_devices(self, *, now: datetime) -> tuple[Device, ...]:
        """The devices that have a certificate which can be used."""
        return suspensions.load_usable_devices(self.session, now=now) if self.session else ()

    def issuers(self) -> tuple[IssuerBook, ...]:
        """What the store keeps of the CRLs of every authority that is trusted, the active one first."""
        session = self.session
        if session is None:
            return ()
        return tuple(IssuerBook(session, authority) for authority in authorities.trusted_authorities(session))

    def labels(self) -> tuple[str, ...]:
        """The labels of all authorities that there ever were."""
        known = authorities.load_authorities(self.session) if self.session else ()
        return tuple(authority.label for authority in known)

    def _open(self) -> StoreSession:
        if self.session is None:
            raise StateError("There is no store to write to.")
        return self.session


@dataclass(frozen=True)
class IssuerBook:
    """What the store keeps of the CRLs of one authority."""

    session: StoreSession
    authority: Authority

    def last_crl(self) -> RevocationList | None:
        """The CRL that was signed last."""
        return crls.last_crl(self.session, self.authority)

    def last_number(self) -> RevocationList | None:
        """The CRL with the highest number that was ever taken."""
        return crls.last_number(self.session, self.authority)

    def count_unpublished(self) -> int:
        """How many revocations no CRL lists yet."""
        return crls.count_unpublished(self.session, self.authority)

    def owed(self) -> Owed:
        """What the next CRL has to list."""
        return crls.load_owed(self.session, self.authority)

    def unpublished(self) -> Owed:
        """What it has to list more than the one before."""
        return crls.load_unpublished(self.session, self.authority)

    def count_revocations(self) -> int:
        """How many certificates were ever revoked."""
        return crls.count_revocations(self.session, self.authority)

    def intend_crl(self, crl: crls.CrlIntent) -> None:
        """Take the number of a CRL before it is signed."""
        crls.intend_crl(self.session, self.authority, crl)

    def record_crl(
        self, crl: crls.CrlIntent, *, der: bytes | Sequence[crls.Piece], owed: Owed, spliced: int = 0
    ) -> None:
        """Store that a CRL was signed, which took over so many entries from the one before."""
        crls.record_crl(self.session, self.authority, crl, der=der, owed=owed, spliced=spliced)


@dataclass(frozen=True)
class AuthorityRegistry:
    """The authorities of a store, and the store itself, which is made by the first intention.

    :param dry_run: Only look; a store of an earlier layout stays as it is.
    """

    location: StoreLocation
    origin: Origin
    clock: Callable[[], datetime]
    dry_run: bool = False

    def known(self) -> tuple[Authority, ...]:
        """All authorities; none where there is no store."""
        if self.location.is_missing():
            return ()
        try:
            with self._opened() as session:
                return authorities.load_authorities(session)
        except StoreMissingError:
            return ()

    def successor(self, label: str) -> Authority | None:
        """The authority of that label, or the one that has taken over from it."""
        return authorities.successor_of(self.known(), label)

    def usable(self, label: str, *, now: datetime) -> int:
        """How many certificates of an authority are neither revoked nor expired."""
        with self._opened() as session:
            authority = authorities.find_authority(session, label)
            return authorities.count_usable(session, authority, now=now) if authority else 0

    def intend(
        self,
        *,
        label: str,
        common_name: str,
        algorithm: str,
        crl_validity_days: int,
        replaces: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Store that an authority is going to be made."""
        with self._opened(create=True) as session:
            authorities.intend_authority(
                session,
                label=label,
                common_name=common_name,
                algorithm=algorithm,
                crl_validity_days=crl_validity_days,
                replaces=replaces,
                settings=settings,
            )

    def request(self, label: str, *, csr: str) -> None:
        """Store the CSR (PEM) that waits for its certificate."""
        with self._opened() as session:
            authorities.request_authority(session, label, csr=csr)

    def activate(
        self,
        label: str,
        *,
        certificate: bytes,
        not_after: datetime,
        chain: str = "",
        chain_crls: str = "",
        standby: bool = False,
    ) -> None:
        """Store its certificate (DER), what is above it, and whether it only stands by."""
        with self._opened() as session:
            authorities.activate_authority(
                session,
                label,
                certificate=certificate,
                not_after=not_after,
                chain=chain,
                chain_crls=chain_crls,
                standby=standby,
            )

    def take_over(self, label: str) -> None:
        """Let it issue from now on, and the one that it replaces retire."""
        with self._opened() as session:
            authorities.take_over(session, label)

    def retire(self, label: str) -> None:
        """Store that nobody has to trust it any more."""
        with self._opened() as session:
            authorities.retire_authority(session, label)

    def change_crl_validity(self, label: str, days: int) -> None:
        """Store how long its CRLs are valid from now on."""
        with self._opened() as session:
            authorities.change_crl_validity(session, authorities.active_authority(session, label), days)

    def change_settings(self, label: str, settings: Mapping[str, Any]) -> None:
        """Store what its certificates hold from now on."""
        with self._opened() as session:
            authorities.change_settings(session, label, settings)

    def change_chain_crls(self, label: str, chain_crls: str) -> None:
        """Store the CRLs (PEM) of the authorities above it."""
        with self._opened() as session:
            authorities.change_chain_crls(session, label, chain_crls)

    def _opened(self, *, create: bool = False) -> AbstractContextManager[StoreSession]:
        create = create and not self.dry_run
        return open_store(self.location, origin=self.origin, clock=self.clock, create=create, dry_run=self.dry_run)
