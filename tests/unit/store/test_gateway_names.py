"""Names of gateways: kept, remembered after their release, told to the audit trail, and an alteration is noticed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from unit.store.backup_bench import Vault
from unit.store.store_bench import NOON, Bench, Naming, OpenStore, path_of

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, gateway_names
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.gateway_names import GatewayNameBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.summary import summarise


def told(bench: Bench) -> list[tuple[str, str, Any]]:
    table = bench.session.tables.audit
    statement = sa.select(table).where(table.c.action.startswith("gateway_name.")).order_by(table.c.sequence)
    return [(row.action, row.subject, json.loads(row.detail)) for row in bench.session.read(statement)]


def problems(bench: Bench) -> tuple[str, ...]:
    return audit.verify_chain(bench.session).problems


def test_a_name_stays_and_is_remembered_after_its_release(bench: Bench) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    bench.clock.now = NOON + timedelta(days=1)
    bench.release(gw1="cambridge")
    assert bench.names() == {"gw2": "oxford"}
    released = gateway_names.load_names(bench.session)[0]
    assert (released.gateway, released.label, released.since) == ("gw1", "cambridge", NOON.replace(microsecond=0))
    assert released.released_at == bench.clock.now.replace(microsecond=0)
    assert told(bench) == [
        ("gateway_name.allocated", "cambridge", {"gateway": "gw1"}),
        ("gateway_name.allocated", "oxford", {"gateway": "gw2"}),
        ("gateway_name.released", "cambridge", {"gateway": "gw1"}),
    ]
    assert problems(bench) == ()


def test_an_own_name_is_told_apart(bench: Bench) -> None:
    gateway_names.change_names(bench.session, [Naming("gw1", "hq", own=True)])
    assert told(bench) == [("gateway_name.chosen", "hq", {"gateway": "gw1"})]


def test_what_was_released_may_be_given_again_also_in_the_same_change(bench: Bench) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    swap = [Naming("gw1", "oxford"), Naming("gw2", "cambridge")]
    gone = [Naming("gw1", "cambridge", released=True), Naming("gw2", "oxford", released=True)]
    gateway_names.change_names(bench.session, [*swap, *gone])
    assert bench.names() == {"gw1": "oxford", "gw2": "cambridge"}
    assert [action for action, _label, _detail in told(bench)][2:] == [
        "gateway_name.released", "gateway_name.released", "gateway_name.allocated", "gateway_name.allocated"
    ]  # fmt: skip
    assert problems(bench) == ()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (Naming("gw2", "cambridge"), StateError, "belongs to another gateway"),
        (Naming("gw1", "york"), StoreError, "given that name, or that gateway a name, already"),
        (Naming("gw2", "cambridge", released=True), StateError, "not that of the gateway 'gw2'"),
        (Naming("gw1", "york", released=True), StateError, "not that of the gateway 'gw1'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_of_it_is_kept(
    bench: Bench, change: Naming, error: type[Exception], message: str
) -> None:
    bench.name(gw1="cambridge")
    with pytest.raises(error, match=message):
        gateway_names.change_names(bench.session, [Naming("gw9", "ripon"), change])
    assert bench.names() == {"gw1": "cambridge"}
    assert problems(bench) == ()


def test_nothing_to_change_writes_nothing_and_no_store_holds_nothing(bench: Bench) -> None:
    before = audit.verify_chain(bench.session).records
    GatewayNameBook(bench.session).change_names([])
    assert audit.verify_chain(bench.session).records == before
    assert GatewayNameBook(None).names() == ()
    with pytest.raises(StateError, match="no store"):
        GatewayNameBook(None).change_names([Naming("gw1", "york")])


@pytest.mark.parametrize(
    ("statement", "label"),
    [
        ("DELETE FROM gateway_names WHERE label = 'cambridge'", "cambridge"),
        ("DELETE FROM gateway_names WHERE label = 'oxford'", "oxford"),
        ("UPDATE gateway_names SET gateway = 'gw3' WHERE label = 'cambridge'", "cambridge"),
        ("UPDATE gateway_names SET released_at = 1 WHERE label = 'cambridge'", "cambridge"),
        ("UPDATE gateway_names SET released_at = NULL WHERE label = 'oxford'", "oxford"),
        ("INSERT INTO gateway_names VALUES ('york', 'gw3', 1, NULL)", "york"),
    ],
)
def test_who_alters_it_in_the_database_is_found_out(bench: Bench, statement: str, label: str) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    bench.release(gw2="oxford")
    with closing(sqlite3.connect(path_of(bench.session.location))) as file:
        file.execute(statement)
        file.commit()
    (problem,) = problems(bench)
    assert f"disagree on which gateway has or had the name '{label}'" in problem


def test_the_summary_tells_the_names_that_gateways_have(bench: Bench) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    bench.release(gw2="oxford")
    facts = summarise(bench.session, label="ca", now=NOON)
    assert facts["gateway_names"] == {"gw1": {"label": "cambridge", "since": "2026-11-22T12:00:00+00:00"}}
    assert summarise(None, label="ca", now=NOON)["gateway_names"] == {}


def test_a_backup_carries_them(bench: Bench, opened: OpenStore, location: StoreLocation, tmp_path: Path) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    bench.release(gw2="oxford")
    vault, before = Vault(tmp_path / "vault"), gateway_names.load_names(bench.session)
    saved = vault.back_up(location)
    assert saved["manifest"]["facts"]["gateway_names"] == 2
    bench.release(gw1="cambridge")
    vault.restore(saved["path"], location, force=True)
    with opened() as restored:
        assert gateway_names.load_names(restored) == before
        assert audit.verify_chain(restored).problems == ()
