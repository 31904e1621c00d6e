# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs of an authority need from the world: its book, its key, its files, time and chance.

The runs themselves are pure: everything here is handed to them, by a module or by a service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Device
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.access import KnownSuspension
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.authority_plan import KnownAuthority
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import CrlIdentity, KnownCrl
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import Known, SetAccess
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import (
    Draft,
    Issued,
    Signatures,
    Withdrawal,
)


class Issuer(KnownAuthority, Protocol):
    """An authority as the store keeps it, with its certificate (DER), the PEM of its CSR and of what is above it."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def csr(self) -> str: ...

    @property
    def chain(self) -> str: ...


class OwedEntries(Protocol):
    """Entries that the next CRL has to list, thousands of them joined, and how many they are."""

    @property
    def entries(self) -> tuple[bytes, ...]: ...

    @property
    def count(self) -> int: ...


class Book(Protocol):
    """What the store keeps of an authority, of those that it replaces, and of what they all issued.

    In a dry run there may be no store; then nothing is known.
    """

    def trusted(self) -> Sequence[Issuer]:
        """The authorities that have to be trusted, the oldest first; none where there is none yet."""

    def issuer(self, *, profile: str, now: datetime) -> Any:
        """The :class:`Issuer` that signs certificates of a profile; raises ``StateError`` where there is none yet."""

    def history(self, *, profile: str, names: Iterable[str]) -> Sequence[Known]:
        """Every certificate that these users or gateways ever had, the oldest first."""

    def current(self, *, profile: str) -> Sequence[Known]:
        """Every certificate of a profile that was not revoked."""

    def certificate(self, serial: int) -> bytes:
        """The DER of one certificate."""

    def intend(self, drafts: Sequence[Draft], *, issuer: Any) -> None:
        """Store what is going to be signed, and by which :class:`Issuer`."""

    def recording(self) -> AbstractContextManager[Callable[[Sequence[Issued]], None]]:
        """For a block, a function that stores what was signed; the end of the block commits it, an error none of it."""

    def deliver(self, serials: Sequence[int]) -> None:
        """Store that certificates have left this process with their keys."""

    def withdraw(self, withdrawals: Sequence[Withdrawal], access: Sequence[SetAccess] = ()) -> None:
        """Store revocations and who is disabled and enabled, all of it or nothing."""

    def suspensions(self) -> Sequence[KnownSuspension]:
        """Every suspension that there is or was."""

    def usable_devices(self, *, now: datetime) -> Sequence[Device]:
        """The devices that have a certificate which can be used."""

    def issuers(self) -> Sequence[IssuerBook]:
        """What the store keeps of the CRLs of every authority that is trusted, the active one first."""

    def labels(self) -> Sequence[str]:
        """The labels of all authorities that there ever were."""


class IssuerBook(Protocol):
    """What the store keeps of the CRLs of one authority."""

    @property
    def authority(self) -> Issuer: ...

    def last_crl(self) -> KnownCrl | None:
        """The CRL that was signed last."""

    def last_number(self) -> CrlIdentity | None:
        """The CRL with the highest number that was ever taken."""

    def count_unpublished(self) -> int:
        """How many revocations no CRL lists yet."""

    def count_revocations(self) -> int:
        """How many certificates were ever revoked."""

    def owed(self) -> Any:
        """What the next CRL has to list: see :class:`OwedEntries`; handed back to :meth:`record_crl`."""

    def unpublished(self) -> Any:
        """What it has to list more than the one before, likewise."""

    def intend_crl(self, crl: CrlIdentity) -> None:
        """Take the number of a CRL before it is signed."""

    def record_crl(
        self, crl: CrlIdentity, *, der: bytes | Sequence[bytes | memoryview], owed: Any, spliced: int = 0
    ) -> None:
        """Store that a CRL was signed, whole or in parts, which took over so many entries from the one before."""


class Registry(Protocol):
    """The authorities of a store, and the store itself, which is made by the first intention."""

    def known(self) -> Sequence[Issuer]:
        """All authorities; none where there is no store."""

    def successor(self, label: str) -> Issuer | None:
        """The authority of that label, or the one that has taken over from it."""

    def usable(self, label: str, *, now: datetime) -> int:
        """How many certificates of an authority are neither revoked nor expired."""

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

    def request(self, label: str, *, csr: str) -> None:
        """Store the CSR (PEM) that waits for its certificate."""

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

    def take_over(self, label: str) -> None:
        """Let it issue from now on, and the one that it replaces retire."""

    def retire(self, label: str) -> None:
        """Store that nobody has to trust it any more."""

    def change_crl_validity(self, label: str, days: int) -> None:
        """Store how long its CRLs are valid from now on."""

    def change_settings(self, label: str, settings: Mapping[str, Any]) -> None:
        """Store what its certificates hold from now on."""

    def change_chain_crls(self, label: str, chain_crls: str) -> None:
        """Store the CRLs (PEM) of the authorities above it."""


@dataclass(frozen=True)
class Tools:
    """Time, chance and keys.

    :param clock: The current time in UTC.
    :param random_bytes: That many bytes from a CSPRNG.
    :param open_keys: Logs in to the token for a block and gives a function of a key's label and the public key in the
        certificate of its authority, which returns the private key.
    :param make_key: A new private key for a client.
    :param progress: Told how many certificates of how many are signed.
    :param open_signer: Like ``open_keys``, for very many signatures: gives a function of a label, a public key and
        ``pss``, which returns what signs messages in their order; ``None`` where ``open_keys`` does as well.
    """

    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    open_keys: Callable[[], AbstractContextManager[Callable[[str, Any], Any]]]
    make_key: Callable[[], Any]
    progress: Callable[[int, int], None] = lambda _done, _total: None
    open_signer: Callable[[], AbstractContextManager[Callable[..., Signatures]]] | None = None


@dataclass(frozen=True)
class Files:
    """Files of the host.

    :param read: The content of a file, ``None`` where it is missing.
    :param mode: Its permission bits, ``None`` where it is missing.
    :param replace: Replaces it atomically, called as ``replace(path, content, mode=…)``.
    """

    read: Callable[[Path], bytes | None]
    mode: Callable[[Path], int | None]
    replace: Callable[..., None]
