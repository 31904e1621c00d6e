"""Empty places for a store: a file of SQLite, and a database of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from integration.postgresql import PostgresServer
from unit.store.store_bench import NOON, YEAR, Bench, Clock, OpenStore

from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import (
    StoreLocation,
    parse_location,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    authority_lock,
    open_for_run,
    open_store,
)

KINDS = ("sqlite", "postgresql")


def value_of(location: StoreLocation) -> str:
    """The place as the option ``store`` names it."""
    return location.shown


def lock_of(location: StoreLocation, wait_seconds: float = 0) -> AbstractContextManager[None]:
    return authority_lock(location, wait_seconds=wait_seconds, file_lock=exclusive_lock)


def run_in(location: StoreLocation, **options: Any) -> AbstractContextManager[StoreSession | None]:
    """What every module opens."""
    settings = {"actor": "admin", "job": "job 7", "clock": Clock(), "wait_seconds": 0, "file_lock": exclusive_lock}
    return open_for_run(value_of(location), **{**settings, **options})


def set_up(location: StoreLocation) -> None:
    """A store with an authority that is able to sign."""
    with opened_at(location, create=True) as session:
        authorities.intend_authority(
            session, label="ca", common_name="Test authority", algorithm="ec-p256", crl_validity_days=30
        )
        authorities.activate_authority(session, "ca", certificate=b"ca der", not_after=NOON + 10 * YEAR)


@contextmanager
def opened_at(location: StoreLocation, *, create: bool = False, clock: Clock | None = None) -> Iterator[StoreSession]:
    origin = Origin("admin", "job 7")
    with open_store(location, origin=origin, clock=clock or Clock(), create=create) as session:
        yield session


@contextmanager
def bench_at(location: StoreLocation, *, first_serial: int = 1) -> Iterator[Bench]:
    clock = Clock()
    with opened_at(location, clock=clock) as session:
        serials = iter(range(first_serial, first_serial + 10_000_000))
        yield Bench(session, authorities.active_authority(session, "ca"), clock, serials)


@pytest.fixture(params=KINDS)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> StoreLocation:
    """An empty place, once of each kind."""
    if request.param == "sqlite":
        return StoreLocation(path=tmp_path / "authority" / "authority.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return parse_location(server.url(server.make_database()))


@pytest.fixture
def opened(location: StoreLocation) -> OpenStore:
    return partial(opened_at, location)


@pytest.fixture
def bench(location: StoreLocation) -> Iterator[Bench]:
    set_up(location)
    with bench_at(location) as made:
        yield made
