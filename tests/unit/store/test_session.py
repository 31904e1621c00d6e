"""An open store: how durable it is, what it refuses, and that one run changes it at a time."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from unit.store.store_bench import Bench, Clock, OpenStore, path_of

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities, migrations
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import SCHEMA_VERSION, tables
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    authority_lock,
    open_for_run,
    open_store,
)


def pragma(bench: Bench, name: str) -> Any:
    return bench.session.read(sa.text(f"PRAGMA {name}"))[0][0]


def test_it_is_as_durable_as_sqlite_can_be(bench: Bench) -> None:
    assert pragma(bench, "journal_mode") == "wal"
    assert pragma(bench, "synchronous") == 2  # FULL
    assert pragma(bench, "foreign_keys") == 1


def test_every_file_of_it_is_private(bench: Bench, location: StoreLocation) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in path_of(location).parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "authority.db-wal" in modes


def test_opening_twice_keeps_what_was_stored(bench: Bench, opened: OpenStore) -> None:
    with opened(create=True) as again:
        assert [authority.label for authority in authorities.load_authorities(again)] == ["ca"]


def test_a_missing_store_is_not_made_by_looking(opened: OpenStore, location: StoreLocation) -> None:
    with pytest.raises(StoreMissingError), opened():
        pass
    assert not path_of(location).parent.exists()


def test_an_empty_file_is_no_store(opened: OpenStore, location: StoreLocation) -> None:
    """A crash between making the file and making the tables leaves one; setting up goes on from there."""
    path_of(location).parent.mkdir(mode=0o700)
    path_of(location).touch(mode=0o600)
    with pytest.raises(StoreMissingError), opened():
        pass
    with opened(create=True) as session:
        assert authorities.load_authorities(session) == ()


def test_a_store_of_a_later_version_is_left_alone(bench: Bench, opened: OpenStore) -> None:
    with bench.session.transaction() as connection:
        connection.execute(sa.update(tables().schema_version).values(version=SCHEMA_VERSION + 1))
    with pytest.raises(StoreError, match=f"has layout {SCHEMA_VERSION + 1}"), opened(create=True):
        pass


def test_an_earlier_layout_is_brought_up_to_date_step_by_step(bench: Bench) -> None:
    taken: list[int] = []
    steps = {2: lambda _connection: taken.append(2), 3: lambda _connection: taken.append(3)}
    with bench.session.transaction() as connection:
        migrations.bring_up_to_date(connection, 1, migrations=steps, newest=3)
        assert migrations.found_version(connection) == 3
    assert taken == [2, 3]


def test_a_step_that_fails_leaves_the_layout_as_it_was(bench: Bench) -> None:
    def broken(connection: sa.Connection) -> None:
        connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))
        connection.execute(sa.text("SELECT * FROM nowhere"))

    newest = SCHEMA_VERSION + 1
    with pytest.raises(StoreError), bench.session.transaction() as connection:
        migrations.bring_up_to_date(connection, SCHEMA_VERSION, migrations={newest: broken}, newest=newest)
    with bench.session.transaction() as connection:
        assert migrations.found_version(connection) == SCHEMA_VERSION
        assert not sa.inspect(connection).has_table("half")


@pytest.mark.parametrize("damage", [b"this is not a database" * 50, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_store_is_never_replaced(opened: OpenStore, location: StoreLocation, damage: bytes) -> None:
    path_of(location).parent.mkdir(mode=0o700)
    path_of(location).touch(mode=0o600)
    path_of(location).write_bytes(damage)
    with pytest.raises(StoreError, match=r"is damaged.*Restore it"), opened(create=True):
        pass
    assert path_of(location).read_bytes() == damage


def test_damage_inside_is_found_by_the_check(bench: Bench, opened: OpenStore, location: StoreLocation) -> None:
    bench.issue()
    assert bench.session.integrity_problems() == []
    other = sqlite3.connect(path_of(location))
    other.execute("INSERT INTO revocations (authority_id, certificate_id, revoked_at, reason, entry, not_after) "
                  "VALUES (99, 1, 0, '', x'00', 0)")  # fmt: skip
    other.commit()
    other.close()
    assert any("missing row of authorities" in problem for problem in bench.session.integrity_problems())


def issue_many(bench: Bench) -> None:
    for number in range(2000):
        bench.issue(f"user{number}@laptop")


def test_a_full_disk_rolls_the_change_back(bench: Bench) -> None:
    bench.issue()
    before = bench.states()
    bench.session.read(sa.text(f"PRAGMA max_page_count = {pragma(bench, 'page_count')}"))
    with pytest.raises(StoreError, match="no room left"):
        issue_many(bench)
    bench.session.read(sa.text("PRAGMA max_page_count = 1000000"))
    assert bench.states().keys() >= before.keys()
    assert bench.session.integrity_problems() == []


def test_a_read_only_store_is_an_error_that_says_so(bench: Bench) -> None:
    bench.session.connection.exec_driver_sql("PRAGMA query_only = ON")
    bench.session.connection.rollback()
    with pytest.raises(StoreError, match="cannot be written"):
        bench.issue()


def test_an_exception_in_a_transaction_leaves_nothing(bench: Bench) -> None:
    def fail() -> None:
        with bench.session.transaction() as connection:
            connection.execute(sa.update(tables().authorities).values(common_name="changed"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert authorities.active_authority(bench.session, "ca").common_name == "Test authority"


def test_two_runs_at_once_end_in_a_clear_error(bench: Bench, location: StoreLocation) -> None:
    lock = partial(authority_lock, location, file_lock=exclusive_lock)
    says = r"in use by another run, and was still in use after 0\.1 s"
    with lock(wait_seconds=0), pytest.raises(BusyError, match=says), lock(wait_seconds=0.1):
        pytest.fail("two runs had the lock")


def test_a_second_run_waits_for_the_first(bench: Bench, location: StoreLocation) -> None:
    order: list[str] = []
    holding = threading.Event()

    def first() -> None:
        with authority_lock(location, wait_seconds=0, file_lock=exclusive_lock):
            holding.set()
            threading.Event().wait(0.2)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    holding.wait(5)
    with authority_lock(location, wait_seconds=5, file_lock=exclusive_lock):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_dry_run_without_a_store_touches_nothing(location: StoreLocation, clock: Clock) -> None:
    with open_for_run(
        str(path_of(location)),
        actor="admin",
        job="",
        clock=clock,
        wait_seconds=0,
        file_lock=exclusive_lock,
        dry_run=True,
    ) as session:
        assert session is None
    assert not path_of(location).parent.exists()


def test_a_dry_run_looks_while_another_run_works(bench: Bench, location: StoreLocation, clock: Clock) -> None:
    with (
        authority_lock(location, wait_seconds=0, file_lock=exclusive_lock),
        bench.session.transaction(),
        open_for_run(
            str(path_of(location)),
            actor="admin",
            job="",
            clock=clock,
            wait_seconds=0,
            file_lock=exclusive_lock,
            dry_run=True,
        ) as session,
    ):
        assert session is not None
        assert len(authorities.load_authorities(session)) == 1


def test_a_real_run_needs_a_store(location: StoreLocation, clock: Clock) -> None:
    with (
        pytest.raises(StoreMissingError),
        open_for_run(
            str(path_of(location)), actor="admin", job="", clock=clock, wait_seconds=0, file_lock=exclusive_lock
        ),
    ):
        pass


def test_a_path_with_special_characters_is_just_a_path(tmp_path: Path, clock: Clock) -> None:
    location = StoreLocation(path=tmp_path / "a?mode=memory#%41 é" / "authority.db")
    with open_store(location, origin=Origin("admin"), clock=clock, create=True):
        assert path_of(location).stat().st_size > 0
