"""One kind of backup for both databases: out of either, into either, while somebody writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.postgresql import PostgresServer
from integration.store.places import bench_at, opened_at, set_up
from integration.store.test_both_databases import worker
from unit.store.backup_bench import SERVER_KEY, Vault, rows_of, sign_crl
from unit.store.store_bench import Bench

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, backup
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import (
    StoreLocation,
    parse_location,
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault(tmp_path / "vault")
    made.file("server_key", SERVER_KEY, mode=0o600)
    return made


@pytest.fixture
def lived(bench: Bench) -> Bench:
    for name in ("alice", "bob", "zoë"):
        bench.issue(f"{name}@laptop")
    bench.revoke(1)
    bench.disable("bob", "zoë@laptop", why="on leave")
    bench.enable("bob")
    sign_crl(bench, 1)
    return bench


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> StoreLocation:
    """Where there is no store yet."""
    if request.param == "sqlite":
        return StoreLocation(path=tmp_path / "target" / "authority.db")
    return parse_location(postgres.url(postgres.make_database()))


def test_out_of_either_into_either_and_on(lived: Bench, vault: Vault, target: StoreLocation) -> None:
    before, saved = rows_of(lived.session), vault.back_up(lived.session.location)
    _change, result = vault.restore(saved["path"], target)
    assert (result["store_before"], result["notices"]) == ("absent", [])
    with opened_at(target) as restored:
        assert rows_of(restored) == before
        assert [*restored.integrity_problems(), *audit.verify_chain(restored).problems] == []
    assert vault.restore(saved["path"], target)[0].steps == ()
    with bench_at(target, first_serial=70) as anew:
        anew.revoke(anew.issue("dora@laptop"))
        sign_crl(anew, 2)
        assert audit.verify_chain(anew.session).problems == ()
        again = vault.back_up(target)
    assert again["manifest"]["facts"]["crl_numbers"] == {"ca": 2}
    assert again["manifest"]["facts"]["certificates"] == 4


def test_a_backup_while_others_write_is_whole(vault: Vault, location: StoreLocation, target: StoreLocation) -> None:
    set_up(location)
    with opened_at(location) as session:
        busy = worker(location, first=1000, rounds=10_000)
        assert busy.stdout is not None
        for _line in range(2):
            busy.stdout.readline()
        saved = [vault.back_up(location) for _time in range(3)]
        busy.kill()
        busy.communicate()
        assert audit.verify_chain(session).problems == ()
    sizes = [found["manifest"]["facts"]["certificates"] for found in saved]
    assert 0 < sizes[0] < sizes[1] < sizes[2], "the other one went on writing"
    vault.restore(saved[1]["path"], target)
    with opened_at(target) as restored:
        assert backup.store_facts(restored)["certificates"] == sizes[1]


def test_a_store_in_a_database_is_never_replaced(vault: Vault, postgres: PostgresServer) -> None:
    location = parse_location(postgres.url(postgres.make_database()))
    set_up(location)
    saved = vault.back_up(location)["path"]
    with bench_at(location) as bench:
        bench.issue()
        for force in (False, True):
            with pytest.raises(StateError, match=r"holds a store already.*empty database"):
                vault.restore(saved, location, force=force)
        assert bench.states() == {1: "valid"}


def test_a_database_that_refuses_stays_empty(vault: Vault, postgres: PostgresServer, tmp_path: Path) -> None:
    location = StoreLocation(path=tmp_path / "source" / "authority.db")
    set_up(location)
    saved = vault.back_up(location)["path"]
    target = parse_location(postgres.url(postgres.make_database(), account="reader"))
    with pytest.raises(StoreError, match="does not let this account write"):
        vault.restore(saved, target)


def test_what_breaks_off_in_a_database_is_completed(
    vault: Vault, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = StoreLocation(path=tmp_path / "source" / "authority.db")
    set_up(location)
    with bench_at(location) as bench:
        bench.issue()
    saved = vault.back_up(location)["path"]
    name = postgres.make_database()
    target = parse_location(postgres.url(name))
    copied = backup.copy_rows

    def cut_off(*arguments: Any, **options: Any) -> None:
        copied(*arguments, **options)
        postgres.cut_off(name)

    with monkeypatch.context() as patch:
        patch.setattr(backup, "copy_rows", cut_off)
        with pytest.raises(StoreError, match="was lost"):
            vault.restore(saved, target)
    with opened_at(target) as session:
        assert backup.trail_of(session).records == 0
    vault.restore(saved, target)
    with bench_at(target, first_serial=5) as anew:
        assert anew.states() == {1: "valid"}
