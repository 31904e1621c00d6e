"""What only a database server does: it refuses accounts, it goes away, it cuts connections off."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.postgresql import PostgresServer
from integration.store.places import bench_at, lock_of, opened_at, run_in, set_up
from unit.store.store_bench import Bench, Item

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import (
    audit,
    authorities,
    engine,
    issuing,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import (
    StoreLocation,
    parse_location,
)


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The name of a database with a store in it."""
    name = postgres.make_database()
    set_up(parse_location(postgres.url(name)))
    return name


@pytest.fixture
def location(postgres: PostgresServer, database: str) -> StoreLocation:
    return parse_location(postgres.url(database))


@pytest.fixture
def bench(location: StoreLocation) -> Iterator[Bench]:
    with bench_at(location) as made:
        yield made


@pytest.fixture
def spoilt(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server with a password file that is right again after the test."""
    yield postgres
    postgres.write_passwords()


def refusal(location: StoreLocation) -> str:
    with pytest.raises(StoreError) as caught, opened_at(location, create=True):
        pytest.fail("the store was opened")
    return str(caught.value)


def test_a_wrong_password_is_said_and_never_shown(spoilt: PostgresServer, location: StoreLocation) -> None:
    spoilt.write_passwords(authority="wrong-secret-4711")
    message = refusal(location)
    assert "does not let this account in" in message
    assert "~/.pgpass" in message
    assert "wrong-secret-4711" not in message
    with pytest.raises(StoreError, match="does not let this account in"), lock_of(location):
        pytest.fail("the lock was taken")


def test_a_missing_password_is_said(postgres: PostgresServer, location: StoreLocation, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSFILE", str(tmp_path / "none"))
        assert "does not let this account in" in refusal(location)


def test_an_unknown_account_is_said(postgres: PostgresServer, database: str) -> None:
    assert "does not let this account in" in refusal(parse_location(postgres.url(database, account="nobody")))


def test_a_missing_database_is_said(postgres: PostgresServer) -> None:
    message = refusal(parse_location(postgres.url("nowhere")))
    assert "is in no database yet" in message
    assert "createdb" in message


@pytest.mark.parametrize(
    "place",
    ["authority@127.0.0.1:1/store", "authority@/store?host=/nowhere", "authority@host.invalid/store"],
)
def test_a_server_that_is_not_there_is_said(place: str) -> None:
    assert "cannot be reached" in refusal(parse_location(f"postgresql+psycopg://{place}"))


def test_an_unreadable_url_is_refused() -> None:
    location = parse_location("postgresql+psycopg://authority@host:port/store")
    with pytest.raises(InputError, match="cannot be read"), opened_at(location):
        pytest.fail("the store was opened")


def test_a_missing_driver_names_the_package(location: StoreLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingLibraryError, match=r"psycopg\[binary\]"), opened_at(location):
        pytest.fail("the store was opened")


def test_an_account_that_only_reads_can_look_and_nothing_else(postgres: PostgresServer, database: str) -> None:
    with postgres.administration(database) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    location = parse_location(postgres.url(database, account="reader"))
    with run_in(location, dry_run=True) as session:
        assert session is not None
        assert audit.verify_chain(session).problems == ()
    with bench_at(location) as bench:
        with pytest.raises(StoreError, match=r"does not let this account write.*nothing was changed"):
            bench.issue()
        assert bench.states() == {}


def test_a_store_cannot_be_made_where_the_account_owns_nothing(postgres: PostgresServer) -> None:
    location = parse_location(postgres.url(postgres.make_database(), account="reader"))
    assert "does not let this account write" in refusal(location)


def test_a_connection_that_is_cut_off_rolls_back_and_ends_the_run(
    postgres: PostgresServer, database: str, bench: Bench, location: StoreLocation
) -> None:
    bench.issue("alice@laptop")

    def issue() -> None:
        with bench.session.transaction():
            audit.append_events(bench.session, [audit.Event("test", "x", {})])
            assert postgres.cut_off(database) == 1
            authorities.load_authorities(bench.session)

    with pytest.raises(StoreError, match=r"connection to the store .* was lost.*Start the run again"):
        issue()
    for again in (bench.states, bench.issue):
        with pytest.raises(StoreError, match="was lost"):
            again()
    with bench_at(location, first_serial=50) as anew:
        assert anew.states() == {1: "valid"}
        assert anew.issue() == 50
        assert audit.verify_chain(anew.session).problems == ()


def test_who_is_cut_off_holds_the_lock_no_longer(
    postgres: PostgresServer, database: str, location: StoreLocation
) -> None:
    with run_in(location) as session:
        assert session is not None
        postgres.cut_off(database)
        with run_in(location):
            pass
        with pytest.raises(StoreError, match="was lost"), session.transaction():
            pytest.fail("a run without its lock went on writing")


def test_a_server_that_stops_or_crashes_loses_nothing(postgres: PostgresServer, location: StoreLocation) -> None:
    for how in (signal.SIGINT, signal.SIGQUIT):
        with bench_at(location, first_serial=how * 100) as bench:
            serial = bench.issue()
            intended = Item(serial + 1)
            issuing.intend_certificates(bench.session, bench.authority, [intended])
            postgres.stop(how)
            with pytest.raises(StoreError, match="was lost"):
                issuing.record_certificates(bench.session, [intended])
        assert "cannot be reached" in refusal(location)
        postgres.start()
        with bench_at(location, first_serial=how * 100 + 50) as anew:
            assert anew.states()[serial] == "valid"
            assert anew.states()[serial + 1] == "intended"
            assert audit.verify_chain(anew.session).problems == ()


def test_a_database_that_is_dropped_is_said(postgres: PostgresServer, database: str, bench: Bench) -> None:
    postgres.drop(database)
    with pytest.raises(StoreError, match="was lost"):
        bench.issue()
    assert "is in no database yet" in refusal(bench.session.location)


def test_who_waits_too_long_for_a_writer_is_told(
    bench: Bench, location: StoreLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_MILLISECONDS", 100)
    with bench_at(location) as other:
        with bench.session.transaction(), pytest.raises(StoreError, match="in use by another program"):
            other.issue()
        serial = other.issue()
        assert other.states()[serial] == "valid", "the connection is as good as before"
