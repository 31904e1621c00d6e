"""Certificates in the store: intended first, one valid one a name, revoked for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from unit.store.store_bench import NOON, YEAR, Bench, Item, OpenStore, Revocation

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import certificates, issuing
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError


@contextmanager
def asked_of(bench: Bench) -> Iterator[list[tuple[str, Any]]]:
    """The statements that the database gets in the block, and their values."""
    statements: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        statements.append((statement, values))

    sa.event.listen(bench.session.connection, "before_cursor_execute", listen)
    try:
        yield statements
    finally:
        sa.event.remove(bench.session.connection, "before_cursor_execute", listen)


def test_an_intention_is_stored_before_anything_is_signed(bench: Bench) -> None:
    issuing.intend_certificates(bench.session, bench.authority, [Item(5)])
    assert bench.states() == {5: "intended"}
    assert certificates.load_history(bench.session, profile="client", names=["alice"]) == ()


def test_a_stored_certificate_comes_back_as_it_was(bench: Bench) -> None:
    serial = 2**159 - 1
    item = Item(serial, certificate=b"its der", public_key_sha256="cd" * 32)
    issuing.intend_certificates(bench.session, bench.authority, [item])
    issuing.record_certificates(bench.session, [item])
    found = certificates.load_certificate(bench.session, serial)
    assert (found.serial, found.certificate, found.state) == (serial, b"its der", "valid")
    assert (found.common_name, found.name, found.device) == ("alice@laptop", "alice", "laptop")
    assert (found.not_before, found.not_after) == (NOON.replace(microsecond=0), (NOON + YEAR).replace(microsecond=0))
    assert found.public_key_sha256 == "cd" * 32


def test_an_unknown_serial_is_an_error(bench: Bench) -> None:
    with pytest.raises(StateError, match="knows no certificate 17"):
        certificates.load_certificate(bench.session, 17)


def test_what_a_broken_run_intended_is_abandoned_and_its_serial_stays_taken(bench: Bench) -> None:
    issuing.intend_certificates(bench.session, bench.authority, [Item(5)])
    issuing.intend_certificates(bench.session, bench.authority, [Item(6)])
    assert bench.states() == {5: "abandoned", 6: "intended"}
    with pytest.raises(StoreError):
        issuing.intend_certificates(bench.session, bench.authority, [Item(5)])
    assert bench.states() == {5: "abandoned", 6: "intended"}


def test_a_batch_is_stored_whole_or_not_at_all(bench: Bench) -> None:
    twins = [Item(5, common_name="bob@a"), Item(6, common_name="BOB@A")]
    issuing.intend_certificates(bench.session, bench.authority, twins)
    with pytest.raises(StoreError, match="valid certificate of that common name already"):
        issuing.record_certificates(bench.session, twins)
    assert bench.states() == {5: "intended", 6: "intended"}


def test_a_name_has_one_valid_certificate_whatever_its_case(bench: Bench) -> None:
    first, second = bench.issue("alice@laptop"), bench.issue("ALICE@Laptop")
    assert bench.states() == {first: "superseded", second: "valid"}


def test_the_database_itself_refuses_a_second_valid_one(bench: Bench) -> None:
    first, _second = bench.issue(), bench.issue()
    table = bench.session.tables.certificates
    with pytest.raises(StoreError), bench.session.transaction() as connection:
        connection.execute(sa.update(table).where(table.c.serial == str(first)).values(state="valid"))


def test_other_devices_are_left_alone(bench: Bench) -> None:
    laptop, phone = bench.issue("alice@laptop"), bench.issue("alice@phone")
    assert bench.states() == {laptop: "valid", phone: "valid"}


def test_a_revoked_certificate_tells_when_and_why(bench: Bench) -> None:
    serial = bench.issue()
    bench.revoke(serial, reason="cessationOfOperation")
    (found,) = certificates.load_history(bench.session, profile="client", names=["alice"])
    assert (found.state, found.revoked_at, found.reason) == (
        "revoked",
        NOON.replace(microsecond=0),
        "cessationOfOperation",
    )
    assert certificates.load_current(bench.session, profile="client") == ()


def test_a_superseded_certificate_can_be_revoked(bench: Bench) -> None:
    first, second = bench.issue(), bench.issue()
    bench.revoke(first)
    assert bench.states() == {first: "revoked", second: "valid"}


def test_a_removed_name_can_be_issued_again_at_once(bench: Bench) -> None:
    first = bench.issue()
    bench.revoke(first)
    second = bench.issue()
    assert bench.states() == {first: "revoked", second: "valid"}


@pytest.mark.parametrize("serials", [[1, 1], [1, 99]], ids=["twice", "unknown"])
def test_a_revocation_that_is_not_possible_stores_nothing(bench: Bench, serials: list[int]) -> None:
    bench.issue()
    items = [Revocation(serial, NOON, "superseded", b"entry") for serial in serials]
    with pytest.raises((StateError, StoreError)):
        certificates.revoke_certificates(bench.session, items)
    assert bench.states() == {1: "valid"}


def test_a_certificate_is_revoked_once(bench: Bench) -> None:
    serial = bench.issue()
    bench.revoke(serial)
    with pytest.raises(StateError, match="cannot be revoked"):
        bench.revoke(serial)


def test_revoking_nothing_writes_nothing(bench: Bench) -> None:
    records = bench.session.read(sa.select(sa.func.count()).select_from(bench.session.tables.audit))
    certificates.revoke_certificates(bench.session, [])
    assert bench.session.read(sa.select(sa.func.count()).select_from(bench.session.tables.audit)) == records


def test_history_is_found_for_more_names_than_a_query_takes(bench: Bench) -> None:
    items = [Item(serial, f"user{serial}@a", f"user{serial}", "a") for serial in range(1, 1202)]
    issuing.intend_certificates(bench.session, bench.authority, items)
    issuing.record_certificates(bench.session, items)
    found = certificates.load_history(bench.session, profile="client", names=[item.name for item in items])
    assert {certificate.serial for certificate in found} == set(range(1, 1202))


def test_states_are_counted_and_expired_ones_apart(bench: Bench) -> None:
    bench.issue("alice@old", not_after=NOON + timedelta(days=1))
    bench.issue("alice@laptop")
    bench.issue("alice@laptop")
    bench.revoke(bench.issue("bob@a"))
    issuing.intend_certificates(bench.session, bench.authority, [Item(99)])
    counts = certificates.count_certificates(bench.session, now=NOON + timedelta(days=2))
    assert counts == {"valid": 1, "superseded": 1, "expired": 1, "revoked": 1, "intended": 1}


def test_all_are_listed_by_name_and_by_expiry(bench: Bench) -> None:
    old = bench.issue("alice@old", not_after=NOON + timedelta(days=1))
    new, bob = bench.issue("alice@laptop"), bench.issue("bob@a")
    issuing.intend_certificates(bench.session, bench.authority, [Item(99)])

    def listed(**wanted: object) -> list[int]:
        return [item.serial for item in certificates.load_all(bench.session, **wanted)]  # type: ignore[arg-type]

    assert listed() == [old, new, bob]
    assert listed(names=["alice"]) == [old, new]
    assert listed(expiring_after=NOON + timedelta(days=2)) == [new, bob]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("profile = 'client' AND name IN ('a', 'b')", "certificates_by_name "),
        ("profile IN ('client', 'server') AND state = 'intended'", "certificates_by_state "),
    ],
    ids=["history", "intended"],
)
def test_what_is_asked_in_every_run_does_not_read_the_whole_table(bench: Bench, condition: str, index: str) -> None:
    plan = bench.session.read(sa.text(f"EXPLAIN QUERY PLAN SELECT serial FROM certificates WHERE {condition}"))  # noqa: S608 - a test
    assert all(f"USING INDEX {index}" in row[3] for row in plan)


def test_what_a_batch_replaces_is_found_by_its_names(bench: Bench) -> None:
    with asked_of(bench) as statements, issuing.recording_certificates(bench.session):
        (asked,) = (statement for statement in statements if "JOIN" in statement[0])
    plan = [row[3] for row in bench.session.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}", asked[1])]
    assert len(plan) == 2
    assert "new USING INDEX certificates_by_state " in plan[0]
    assert "old USING INDEX one_valid_per_name (name_key=?)" in plan[1]


def test_a_batch_is_found_by_the_numbers_of_its_rows(bench: Bench) -> None:
    items = [Item(serial, f"user{serial}@a") for serial in range(1, 20)]
    with asked_of(bench) as statements:
        issuing.intend_certificates(bench.session, bench.authority, items)
        issuing.record_certificates(bench.session, items)
        issuing.deliver_certificates(bench.session, [item.serial for item in items if item.serial != 7])
    changes = [statement for statement in statements if statement[0].startswith("UPDATE certificates")]
    assert len(changes) == 2
    for text, values in changes:
        first = values[0] if isinstance(values, list) else values
        plan = [row[3] for row in bench.session.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", first)]
        assert all("USING INTEGER PRIMARY KEY" in line for line in plan)
    assert len(changes[1][1]) == 2  # One range before the certificate that is left out, and one after it.
    found = certificates.load_history(bench.session, profile="client", names=["alice"])
    assert {each.serial for each in found if not each.delivered} == {7}


def test_another_session_may_store_what_one_intended(bench: Bench, opened: OpenStore) -> None:
    items = [Item(5), Item(6, "bob@a")]
    issuing.intend_certificates(bench.session, bench.authority, items)
    bench.session.connection.rollback()
    with opened() as other:
        issuing.record_certificates(other, items)
    bench.session.row_ids = {}
    issuing.deliver_certificates(bench.session, [5, 6])
    found = certificates.load_history(bench.session, profile="client", names=["alice"])
    assert [(each.serial, each.state, each.delivered) for each in found] == [(5, "valid", True), (6, "valid", True)]


@pytest.mark.parametrize("serials", [[99], [5, 99]])
def test_what_was_not_stored_is_not_delivered(bench: Bench, serials: list[int]) -> None:
    issuing.intend_certificates(bench.session, bench.authority, [Item(5)])
    issuing.record_certificates(bench.session, [Item(5)])
    with pytest.raises(StateError, match="nothing leaves this process"):
        issuing.deliver_certificates(bench.session, serials)
    assert [each.delivered for each in certificates.load_current(bench.session, profile="client")] == [False]


def test_a_part_replaces_only_what_was_signed(bench: Bench) -> None:
    """The token failed after the first of two: the certificate that the second had before stays."""
    first, second = bench.issue("alice@a"), bench.issue("alice@b")
    items = [Item(next(bench.serials), name) for name in ("Alice@a", "alice@b")]
    issuing.intend_certificates(bench.session, bench.authority, items)
    issuing.record_certificates(bench.session, items[:1])
    assert bench.states() == {
        first: "superseded", second: "valid", items[0].serial: "valid", items[1].serial: "intended"
    }  # fmt: skip


def test_what_was_not_intended_is_not_stored(bench: Bench) -> None:
    issuing.intend_certificates(bench.session, bench.authority, [Item(5)])
    with pytest.raises(StateError, match="not what was intended"):
        issuing.record_certificates(bench.session, [Item(5), Item(6, "bob@a")])
    assert bench.states() == {5: "intended"}


def test_parts_are_stored_together_or_not_at_all(bench: Bench) -> None:
    items = [Item(5), Item(6, "bob@a")]
    issuing.intend_certificates(bench.session, bench.authority, items)

    def fail() -> None:
        with issuing.recording_certificates(bench.session) as record:
            record(items[:1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert bench.states() == {5: "intended", 6: "intended"}
    with issuing.recording_certificates(bench.session) as record:
        record(items[:1])
        record(items[1:])
    assert bench.states() == {5: "valid", 6: "valid"}


def test_a_certificate_is_delivered_once_that_was_told(bench: Bench) -> None:
    first, second = bench.issue("alice@a"), bench.issue("alice@b")
    issuing.deliver_certificates(bench.session, [first])
    found = certificates.load_history(bench.session, profile="client", names=["alice"])
    assert {each.serial: each.delivered for each in found} == {first: True, second: False}
