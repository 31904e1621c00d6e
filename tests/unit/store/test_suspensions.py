"""Who is disabled: kept, told to the audit trail, lifted, and noticed when somebody alters it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from unit.store.store_bench import NOON, YEAR, Bench, Revocation, access, path_of

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import (
    Device,
    Suspended,
    describe_access,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, suspensions
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.summary import summarise

ALICE, BOB = Device("alice@laptop", "alice", "laptop"), Device("bob@phone", "bob", "phone")


def in_force(bench: Bench) -> list[str]:
    return [each.suspended.subject for each in suspensions.load_suspensions(bench.session) if each.lifted_at is None]


def told(bench: Bench) -> list[tuple[str, str, Any]]:
    table = bench.session.tables.audit
    rows = bench.session.read(sa.select(table).where(table.c.action.startswith("access.")).order_by(table.c.sequence))
    return [(row.action, row.subject, json.loads(row.detail)) for row in rows]


def test_a_user_and_a_device_are_disabled_apart(bench: Bench) -> None:
    bench.disable("alice", "bob@phone", why="on leave until May")
    assert in_force(bench) == ["alice", "bob@phone"]
    first = suspensions.load_suspensions(bench.session)[0]
    assert (first.reason, first.since) == ("on leave until May", NOON.replace(microsecond=0))
    bench.enable("alice", why="back")
    assert in_force(bench) == ["bob@phone"]
    assert told(bench) == [
        ("access.disabled", "alice", {"why": "on leave until May"}),
        ("access.disabled", "bob@phone", {"why": "on leave until May"}),
        ("access.enabled", "alice", {"why": "back"}),
    ]
    assert audit.verify_chain(bench.session).problems == ()


def test_what_was_lifted_is_remembered_and_comes_into_force_again(bench: Bench) -> None:
    bench.disable("alice", why="first")
    bench.clock.now = NOON + timedelta(days=1)
    bench.enable("alice")
    (lifted,) = suspensions.load_suspensions(bench.session)
    assert lifted.lifted_at == bench.clock.now.replace(microsecond=0)
    bench.disable("alice", why="second")
    (again,) = suspensions.load_suspensions(bench.session)
    assert (again.reason, again.since, again.lifted_at) == ("second", bench.clock.now.replace(microsecond=0), None)


def test_revocations_and_access_are_one_change(bench: Bench) -> None:
    book, serial = AuthorityBook(bench.session, "ca"), bench.issue()
    bench.disable("alice")
    unknown = Revocation(99, NOON, "superseded", b"entry")
    with pytest.raises(StateError, match="99"):
        book.withdraw([unknown], [access("alice", disabled=False)])
    assert in_force(bench) == ["alice"]
    book.withdraw([Revocation(serial, NOON, "superseded", b"entry")], [access("alice", disabled=False, why="removed")])
    assert (in_force(bench), bench.states()) == ([], {serial: "revoked"})
    actions = [row.action for row in bench.session.read(sa.select(bench.session.tables.audit.c.action))]
    assert actions[-2:] == ["certificate.revoked", "access.enabled"]


def test_nothing_to_change_writes_nothing(bench: Bench) -> None:
    before = audit.verify_chain(bench.session).records
    AuthorityBook(bench.session, "ca").withdraw([])
    assert audit.verify_chain(bench.session).records == before


@pytest.mark.parametrize(
    ("statement", "subject"),
    [
        ("DELETE FROM suspensions", "alice"),
        ("UPDATE suspensions SET lifted_at = 1", "alice"),
        ("INSERT INTO suspensions VALUES ('bob', 'phone', 1, '', NULL)", "bob@phone"),
    ],
)
def test_who_alters_it_in_the_database_is_found_out(bench: Bench, statement: str, subject: str) -> None:
    bench.disable("alice")
    with closing(sqlite3.connect(path_of(bench.session.location))) as file:
        file.execute(statement)
        file.commit()
    (problem,) = audit.verify_chain(bench.session).problems
    assert f"disagree on whether '{subject}' is disabled" in problem


def test_devices_that_can_be_used_are_listed_once(bench: Bench) -> None:
    bench.issue("bob@phone")
    bench.issue("alice@laptop")
    bench.issue("alice@laptop")
    bench.issue("carol@old", not_after=NOON + timedelta(days=1))
    bench.revoke(bench.issue("dora@laptop"))
    later = NOON + timedelta(days=2)
    assert sorted(suspensions.load_usable_devices(bench.session, now=later)) == [ALICE, BOB]
    assert suspensions.load_usable_devices(bench.session, now=NOON + 2 * YEAR) == ()


def test_the_summary_tells_who_is_disabled_and_why(bench: Bench) -> None:
    bench.issue("alice@laptop")
    bench.issue("bob@phone")
    bench.disable("alice", "carol", why="on leave")
    bench.enable("carol")
    facts = summarise(bench.session, label="ca", now=NOON)
    assert facts["disabled"] == ["alice@laptop"]
    assert [(each["common_name"], each["disabled"]) for each in facts["devices"]] == [
        ("alice@laptop", True),
        ("bob@phone", False),
    ]
    assert facts["suspensions"] == [
        {"user": "alice", "device": "", "since": "2026-11-22T12:00:00+00:00", "reason": "on leave"}
    ]
    empty = summarise(None, label="ca", now=NOON)
    assert (empty["devices"], empty["disabled"], empty["suspensions"]) == ([], [], [])


@pytest.mark.parametrize(
    ("suspended", "disabled"),
    [
        ([], []),
        ([Suspended("alice")], ["alice@laptop"]),
        ([Suspended("bob", "phone")], ["bob@phone"]),
        ([Suspended("bob", "laptop"), Suspended("al")], []),
    ],
)
def test_a_device_is_disabled_by_itself_or_with_its_user(suspended: list[Suspended], disabled: list[str]) -> None:
    assert describe_access([BOB, ALICE], suspended)["disabled"] == disabled
