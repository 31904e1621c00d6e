# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store keeps, as values: plain types, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Suspended

INTENDED = "intended"
REQUESTED = "requested"
STANDBY = "standby"
ACTIVE = "active"
RETIRING = "retiring"
RETIRED = "retired"
TRUSTED = (ACTIVE, STANDBY, RETIRING)
VALID = "valid"
SUPERSEDED = "superseded"
REVOKED = "revoked"
ABANDONED = "abandoned"
SIGNED = "signed"


@dataclass(frozen=True)
class Authority:
    """A certification authority.

    :param identifier: Its row in the store.
    :param label: The label of its key in the token, unique in the store.
    :param state: ``intended`` from before its key is made. ``requested``: its CSR waits for the certificate of an
        offline root. ``standby``: trusted, and signs CRLs only. ``active``: the one that issues. ``retiring``: trusted
        until its last certificate is gone. ``retired``: trusted no more.
    :param certificate: Its certificate as DER; empty before it has one.
    :param crl_validity_days: How long its CRLs are valid.
    :param replaces: The label of the authority that it takes over from; empty for the first one.
    :param csr: PEM of the request for an offline root; empty for one that signs itself.
    :param chain: PEM of the certificates above its own, the nearest first; empty where it is its own root.
    :param chain_crls: PEM of the CRLs of the authorities above it.
    :param settings: What its certificates hold besides: values fit for JSON, named as the options are.
    """

    identifier: int
    label: str
    common_name: str
    algorithm: str
    state: str
    crl_validity_days: int
    certificate: bytes = b""
    not_after: datetime | None = None
    replaces: str = ""
    csr: str = ""
    chain: str = ""
    chain_crls: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """A certificate that the authority signed, or has the intention to sign.

    :param name: The user's or the gateway's name.
    :param device: The user's device; empty for a gateway.
    :param profile: ``client`` or ``server``.
    :param state: ``intended``: its serial is taken, nothing was handed out. ``valid``: the current certificate of
        its common name. ``superseded``: renewed; usable until it expires. ``revoked``. ``abandoned``: the run that
        intended it ended before it was signed and stored.
    :param public_key_sha256: SHA-256 of the SubjectPublicKeyInfo in hexadecimal; empty until it is stored.
    :param certificate: DER; empty where it was not asked for or is not signed yet.
    :param authority: The label of the authority that issued it.
    :param delivered: Whether it is known to have left the process that signed it; else its key may be lost.
    """

    serial: int
    common_name: str
    name: str
    device: str
    profile: str
    state: str
    not_before: datetime
    not_after: datetime
    public_key_sha256: str = ""
    certificate: bytes = b""
    revoked_at: datetime | None = None
    reason: str | None = None
    authority: str = ""
    delivered: bool = True


class Intent(Protocol):
    """What is stored before a certificate is signed; the fields are those of :class:`Certificate`."""

    @property
    def serial(self) -> int: ...

    @property
    def common_name(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def profile(self) -> str: ...

    @property
    def not_before(self) -> datetime: ...

    @property
    def not_after(self) -> datetime: ...


class Signed(Intent, Protocol):
    """What is stored once a certificate is signed, besides what was intended."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def public_key_sha256(self) -> str: ...


class Revocation(Protocol):
    """What is stored when a certificate is revoked.

    ``reason`` is a CRLReason of RFC 5280 in its written form, for example ``superseded``; ``entry`` is the encoded
    entry of the CRL (DER of one element of ``revokedCertificates``).
    """

    @property
    def serial(self) -> int: ...

    @property
    def revoked_at(self) -> datetime: ...

    @property
    def reason(self) -> str: ...

    @property
    def entry(self) -> bytes: ...


@dataclass(frozen=True)
class Suspension:
    """A user or a device that may not connect for now, or once might not.

    :param reason: What the administrator said about it.
    :param lifted_at: When it ended; ``None`` while it is in force.
    """

    suspended: Suspended
    since: datetime
    reason: str = ""
    lifted_at: datetime | None = None


@dataclass(frozen=True)
class GatewayName:
    """The name that a gateway has in DNS, or once had.

    :param label: The name without its zone.
    :param since: Since when it is this gateway's.
    :param released_at: When the gateway gave it up; ``None`` while it has it.
    """

    gateway: str
    label: str
    since: datetime
    released_at: datetime | None = None


@dataclass(frozen=True)
class RevocationList:
    """A CRL that was signed, or whose number was taken to sign it.

    :param entries: How many certificates it lists.
    :param sha256: Of its DER, in hexadecimal; empty while it is intended.
    :param omitted: How many revoked certificates it does not list, because they expired before.
    """

    number: int
    state: str
    this_update: datetime
    next_update: datetime
    signed_at: datetime
    entries: int
    sha256: str = ""
    omitted: int = 0


@dataclass(frozen=True)
class Owed:
    """Entries that the next CRL has to list: all of them, or those that no CRL has listed yet.

    :param entries: Encoded entries in the order of their revocation, thousands of them joined.
    :param count: How many they are.
    :param through: The last row that was read; what is revoked later is not part of this.
    :param unpublished: How many of them were never part of a CRL.
    """

    entries: tuple[bytes, ...]
    count: int
    through: int
    unpublished: int


def to_epoch(moment: datetime) -> int:
    """Whole seconds since 1970-01-01 UTC; the fraction is cut off, as X.509 does.

    :raises ValueError: for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return int(moment.timestamp())


def to_epoch_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC, exactly."""
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_epoch(seconds: int) -> datetime:
    """The opposite of :func:`to_epoch`."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def from_epoch_microseconds(microseconds: int) -> datetime:
    """The opposite of :func:`to_epoch_microseconds`."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=microseconds)
