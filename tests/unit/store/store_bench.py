"""A store in a folder of its own, an authority in it, and a clock that stands still until it is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Suspended
from ansible_collections.privatespace.gateway.plugins.module_utils._store import (
    authorities,
    certificates,
    gateway_names,
    issuing,
    suspensions,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import Authority
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_store,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
YEAR = timedelta(days=365)


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Item:
    """What is stored of a certificate, before and after it is signed."""

    serial: int
    common_name: str = "alice@laptop"
    name: str = "alice"
    device: str = "laptop"
    profile: str = "client"
    not_before: datetime = NOON
    not_after: datetime = NOON + YEAR
    certificate: bytes = b""
    public_key_sha256: str = "ab" * 32


@dataclass(frozen=True)
class Revocation:
    """What is stored of a revocation."""

    serial: int
    revoked_at: datetime
    reason: str
    entry: bytes


@dataclass(frozen=True)
class Access:
    """What is stored when somebody is disabled or enabled."""

    suspended: Suspended
    disabled: bool = True
    why: str = ""


def access(subject: str, *, disabled: bool = True, why: str = "") -> Access:
    user, _at, device = subject.partition("@")
    return Access(Suspended(user, device), disabled, why)


@dataclass(frozen=True)
class Naming:
    """What is stored when a gateway gets or releases a name."""

    gateway: str
    label: str
    released: bool = False
    own: bool = False


@dataclass
class Bench:
    """A store with an authority that is able to sign."""

    session: StoreSession
    authority: Authority
    clock: Clock
    serials: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def issue(self, common_name: str = "alice@laptop", *, not_after: datetime = NOON + YEAR) -> int:
        serial = next(self.serials)
        name, _at, device = common_name.partition("@")
        item = Item(
            serial,
            common_name=common_name,
            name=name,
            device=device,
            not_after=not_after,
            certificate=b"der %d" % serial,
        )
        issuing.intend_certificates(self.session, self.authority, [item])
        issuing.record_certificates(self.session, [item])
        return serial

    def revoke(self, *serials: int, reason: str = "superseded") -> None:
        items = [Revocation(serial, self.clock(), reason, b"entry %d;" % serial) for serial in serials]
        certificates.revoke_certificates(self.session, items)

    def disable(self, *subjects: str, why: str = "") -> None:
        suspensions.change_access(self.session, [access(subject, why=why) for subject in subjects])

    def enable(self, *subjects: str, why: str = "") -> None:
        suspensions.change_access(self.session, [access(subject, disabled=False, why=why) for subject in subjects])

    def name(self, **labels: str) -> None:
        gateway_names.change_names(self.session, [Naming(gateway, label) for gateway, label in labels.items()])

    def release(self, **labels: str) -> None:
        changes = [Naming(gateway, label, released=True) for gateway, label in labels.items()]
        gateway_names.change_names(self.session, changes)

    def names(self) -> dict[str, str]:
        """The label of every gateway that has one."""
        known = gateway_names.load_names(self.session)
        return {each.gateway: each.label for each in known if each.released_at is None}

    def states(self) -> dict[int, str]:
        table = self.session.tables.certificates
        return {int(row.serial): row.state for row in self.session.read(table.select())}


def path_of(location: StoreLocation) -> Path:
    """The file of a store that is one."""
    assert location.path is not None
    return location.path


OpenStore = Callable[..., AbstractContextManager[StoreSession]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def location(tmp_path: Path) -> StoreLocation:
    return StoreLocation(path=tmp_path / "authority" / "authority.db")


@pytest.fixture
def opened(location: StoreLocation, clock: Clock) -> OpenStore:
    """A function that opens the store of the test."""

    def opener(*, create: bool = False) -> AbstractContextManager[StoreSession]:
        return open_store(location, origin=Origin("admin", "job 7"), clock=clock, create=create)

    return opener


@pytest.fixture
def bench(opened: OpenStore, clock: Clock) -> Iterator[Bench]:
    with opened(create=True) as session:
        authorities.intend_authority(
            session, label="ca", common_name="Test authority", algorithm="ec-p256", crl_validity_days=30
        )
        authorities.activate_authority(session, "ca", certificate=b"ca der", not_after=NOON + 10 * YEAR)
        yield Bench(session, authorities.active_authority(session, "ca"), clock)
