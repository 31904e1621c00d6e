# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs of an authority need from the world: its book, its key, its files, time and chance.

The runs themselves are pure: everything here is handed to them, by a module or by a service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.authority_plan import KnownAuthority
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import CrlIdentity, KnownCrl
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import Draft, Issued, Withdrawal
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import Known


class OwedEntries(Protocol):
    """The entries that the next CRL has to list."""

    @property
    def entries(self) -> tuple[bytes, ...]: ...


class Book(Protocol):
    """What the store keeps of one authority. In a dry run there may be no store; then nothing is known."""

    def ca_certificate(self) -> bytes:
        """The DER of its certificate; empty where it has not been set up."""

    def require_active(self) -> None:
        """Raise ``StateError`` where the authority has not been set up."""

    def history(self, *, profile: str, names: Iterable[str]) -> Sequence[Known]:
        """Every certificate that these users or gateways ever had, the oldest first."""

    def current(self, *, profile: str) -> Sequence[Known]:
        """Every certificate of a profile that was not revoked."""

    def certificate(self, serial: int) -> bytes:
        """The DER of one certificate."""

    def intend(self, drafts: Sequence[Draft]) -> None:
        """Store what is going to be signed."""

    def record(self, issued: Sequence[Issued]) -> None:
        """Store what was signed, all of it or nothing."""

    def revoke(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Store revocations, all of them or nothing."""


class CrlBook(Protocol):
    """What the store keeps of the CRLs of one authority."""

    def ca_certificate(self) -> bytes:
        """The DER of its certificate; empty where it has not been set up."""

    def require_active(self) -> None:
        """Raise ``StateError`` where the authority has not been set up."""

    def crl_validity_days(self) -> int | None:
        """For how many days its CRLs are valid, where it has been set up."""

    def last_crl(self) -> KnownCrl | None:
        """The CRL that was signed last."""

    def last_number(self) -> CrlIdentity | None:
        """The CRL with the highest number that was ever taken."""

    def last_sha256(self) -> str:
        """SHA-256 over the DER of the CRL that was signed last, in hexadecimal; empty where there is none."""

    def count_unpublished(self) -> int:
        """How many revocations no CRL lists yet."""

    def owed(self) -> Any:
        """What the next CRL has to list: see :class:`OwedEntries`; handed back to :meth:`record_crl`."""

    def intend_crl(self, crl: CrlIdentity) -> None:
        """Take the number of a CRL before it is signed."""

    def record_crl(self, crl: CrlIdentity, *, der: bytes, owed: Any) -> None:
        """Store that a CRL was signed."""


class KnownAuthorityWithCertificate(KnownAuthority, Protocol):
    """An authority as the store keeps it, with its certificate."""

    @property
    def certificate(self) -> bytes: ...


class Registry(Protocol):
    """The authorities of a store, and the store itself, which is made by the first intention."""

    def known(self) -> Sequence[KnownAuthorityWithCertificate]:
        """All authorities; none where there is no store."""

    def intend(self, *, label: str, common_name: str, algorithm: str, crl_validity_days: int) -> None:
        """Store that an authority is going to be made."""

    def activate(self, label: str, *, certificate: bytes, not_after: datetime) -> None:
        """Store its certificate (DER)."""

    def change_crl_validity(self, label: str, days: int) -> None:
        """Store how long its CRLs are valid from now on."""


@dataclass(frozen=True)
class Tools:
    """Time, chance and keys.

    :param clock: The current time in UTC.
    :param random_bytes: That many bytes from a CSPRNG.
    :param open_key: Logs in to the token and gives the authority's private key for a block, given its public key.
    :param make_key: A new private key for a client.
    """

    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    open_key: Callable[[Any], AbstractContextManager[Any]]
    make_key: Callable[[], Any]


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
