"""A store that an earlier version wrote is opened by today's code with everything in it, or left exactly as it was."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from integration.postgresql import PostgresServer
from integration.store.places import bench_at, opened_at, run_in
from unit.store.store_bench import NOON

from ansible_collections.privatespace.gateway.plugins.module_utils._store import (
    audit,
    authorities,
    certificates,
    crls,
    migrations,
    session,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import (
    StoreLocation,
    make_file,
    make_folder,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import SCHEMA_VERSION, tables

# Every layout before today's, with the number of records in the audit trail of its frozen store.
LAYOUTS = {1: 13, 2: 15, 3: 18}
FROZEN = {
    version: Path(__file__).with_name(f"version_{version}.sql").read_text(encoding="utf-8") for version in LAYOUTS
}
TYPES = {"sqlite": ("INTEGER", "INTEGER", "BLOB"), "postgresql": ("BIGSERIAL", "BIGINT", "BYTEA")}


def statements(version: int, kind: str) -> Iterator[str]:
    identifier, reference, content = TYPES[kind]
    literal = r"x'\1'" if kind == "sqlite" else r"decode('\1', 'hex')"
    text = re.sub(r"BYTES'([0-9a-f]*)'", literal, re.sub("^--.*", "", FROZEN[version], flags=re.MULTILINE))
    for name, value in (("ID", identifier), ("REF", reference), ("BYTES", content)):
        text = re.sub(rf"\b{name}\b", value, text)
    return (statement for statement in text.split(";\n") if statement.strip())


@contextmanager
def raw(location: StoreLocation) -> Iterator[Any]:
    """The driver's own connection, without any of our code."""
    if location.path is None:
        with psycopg.connect(re.sub("[+]psycopg", "", location.url)) as connection:
            yield connection
        return
    with closing(sqlite3.connect(location.path)) as file:
        yield file
        file.commit()


def contents(location: StoreLocation, version: int) -> Mapping[str, list[Any]]:
    """Every row of every table of an earlier layout, as its columns show it."""
    found = {}
    for create in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", FROZEN[version], flags=re.DOTALL):
        name, columns = create[0], re.findall(r"^    ([a-z]\w*) ", create[1], flags=re.MULTILINE)
        with raw(location) as connection:
            rows = connection.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1").fetchall()  # noqa: S608
        found[name] = [tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in rows]
    return found


def test_every_earlier_layout_is_frozen() -> None:
    assert sorted(LAYOUTS) == list(range(1, SCHEMA_VERSION))
    assert sorted(migrations.MIGRATIONS) == list(range(2, SCHEMA_VERSION + 1))


@pytest.fixture(params=LAYOUTS)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old(location: StoreLocation, version: int) -> StoreLocation:
    """A store of an earlier layout."""
    make_folder(location)
    make_file(location)
    with raw(location) as connection:
        for statement in statements(version, "sqlite" if location.path else "postgresql"):
            connection.execute(statement)
    return location


def test_everything_is_still_there(old: StoreLocation, version: int) -> None:
    before = dict(contents(old, version))
    assert before.pop("schema_version") == [(version,)]
    with opened_at(old) as store:
        state = audit.verify_chain(store)
        assert (state.records, state.problems, store.integrity_problems()) == (LAYOUTS[version], (), [])
        authority = authorities.active_authority(store, "ca")
        assert (authority.certificate, authority.crl_validity_days) == (b"ca der", 30)
        states = {found.serial: found.state for found in certificates.load_all(store)}
        assert states == {1: "superseded", 2: "revoked", 3: "valid"}
        assert certificates.load_certificate(store, 3).certificate == b"der 3"
        last = crls.last_crl(store, authority)
        assert last is not None
        assert (last.number, last.entries) == (1, 1)
        assert crls.load_owed(store, authority).entries == (b"entry 2;",)
    after = dict(contents(old, version))
    assert after.pop("schema_version") == [(SCHEMA_VERSION,)]
    assert after == before


def test_it_goes_on_where_it_ended(old: StoreLocation, version: int) -> None:
    with bench_at(old, first_serial=20) as bench:
        bench.revoke(3)
        bench.issue("alice@laptop")
        assert bench.states() == {1: "superseded", 2: "revoked", 3: "revoked", 9: "abandoned", 20: "valid"}
        assert audit.verify_chain(bench.session).problems == ()
    with opened_at(old) as store:
        assert audit.verify_chain(store).records == LAYOUTS[version] + 4


def layout(location: StoreLocation) -> dict[str, list[tuple[Any, ...]]]:
    """Tables with their columns, indexes and unique constraints, as the database tells them."""
    with opened_at(location, create=True) as store:
        inspector = sa.inspect(store.connection)
        return {name: _table(inspector, name) for name in inspector.get_table_names()}


def _table(inspector: sa.Inspector, name: str) -> list[tuple[Any, ...]]:
    columns = ((found["name"], str(found["type"]), found["nullable"]) for found in inspector.get_columns(name))
    indexes = ((found["name"], *found["column_names"], found["unique"]) for found in inspector.get_indexes(name))
    uniques = (tuple(found["column_names"]) for found in inspector.get_unique_constraints(name))
    return [*sorted(columns), *sorted(indexes), *sorted(uniques)]


def test_it_is_laid_out_like_a_new_one(old: StoreLocation, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    fresh = StoreLocation(path=tmp_path / "fresh" / "authority.db")
    if old.path is None:
        server: PostgresServer = request.getfixturevalue("postgres")
        fresh = StoreLocation(url=server.url(server.make_database()))
    assert layout(old) == layout(fresh)


def test_who_only_looks_leaves_the_old_layout(old: StoreLocation, version: int) -> None:
    before = contents(old, version)
    with run_in(old, dry_run=True) as store:
        assert store is not None
        assert audit.verify_chain(store).problems == ()
        assert certificates.count_certificates(store, now=NOON) == {
            "valid": 1, "superseded": 1, "revoked": 1, "intended": 1
        }  # fmt: skip
    assert contents(old, version) == before


def test_a_step_that_fails_leaves_the_old_layout(
    old: StoreLocation, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off after the first half of the first step, and after the last one."""
    before = contents(old, version)

    def break_off(connection: sa.Connection) -> None:
        connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))
        connection.execute(sa.text("UPDATE certificates SET state = 'lost'"))
        connection.execute(sa.text("SELECT * FROM nowhere"))

    for number in (version + 1, SCHEMA_VERSION + 1):
        steps = {**migrations.MIGRATIONS, number: break_off}
        take = partial(migrations.bring_up_to_date, migrations=steps, newest=max(steps))
        with monkeypatch.context() as patch:
            patch.setattr(session, "bring_up_to_date", take)
            with pytest.raises(StoreError, match="nowhere"), opened_at(old):
                pytest.fail("the store was opened")
        assert contents(old, version) == before
        with raw(old) as connection, pytest.raises((sqlite3.Error, psycopg.Error), match="half"):
            connection.execute("SELECT * FROM half")
    with opened_at(old) as store:
        assert store.read(sa.select(tables().schema_version)) == [(SCHEMA_VERSION,)]
