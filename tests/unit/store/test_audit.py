"""The audit trail tells every change, and notices every alteration."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa
from unit.store.store_bench import NOON, Bench, Item, OpenStore

from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, issuing


def records(bench: Bench) -> list[Any]:
    return list(bench.session.read(sa.select(bench.session.tables.audit).order_by(sa.text("sequence"))))


def tamper(bench: Bench, statement: str) -> None:
    with bench.session.transaction() as connection:
        connection.execute(sa.text(statement))


@pytest.fixture
def lived(bench: Bench) -> Bench:
    """A store in which a few things have happened."""
    bench.issue("alice@laptop")
    bench.issue("bob@laptop")
    bench.revoke(1)
    return bench


def test_it_tells_who_when_what_and_from_which_job(lived: Bench) -> None:
    last = records(lived)[-1]
    assert (last.actor, last.job, last.action, last.subject) == ("admin", "job 7", "certificate.revoked", "1")
    assert last.at_us == int(NOON.timestamp()) * 1_000_000 + NOON.microsecond
    assert json.loads(last.detail)["common_name"] == "alice@laptop"


def test_every_change_is_told_once(lived: Bench) -> None:
    assert [record.action for record in records(lived)] == [
        "authority.intended", "authority.activated",
        "certificates.intended", "certificate.issued",
        "certificates.intended", "certificate.issued",
        "certificate.revoked",
    ]  # fmt: skip


def test_the_intention_of_a_batch_names_every_serial(bench: Bench) -> None:
    issuing.intend_certificates(bench.session, bench.authority, [Item(5, "a@a"), Item(6, "b@b")])
    assert json.loads(records(bench)[-1].detail) == {"serials": ["5", "6"]}


def test_superseded_and_abandoned_ones_are_told(bench: Bench) -> None:
    bench.issue()
    issuing.intend_certificates(bench.session, bench.authority, [Item(50)])
    bench.issue()
    actions = {(record.action, record.subject) for record in records(bench)}
    assert {("certificate.abandoned", "50"), ("certificate.superseded", "1")} <= actions


def test_an_untouched_trail_holds(lived: Bench) -> None:
    state = audit.verify_chain(lived.session)
    assert (state.records, state.problems) == (7, ())
    assert state.head == records(lived)[-1].hash


def test_an_empty_trail_holds(opened: OpenStore) -> None:
    with opened(create=True) as session:
        assert audit.verify_chain(session) == audit.ChainState(0, audit.BEGINNING, ())


def test_it_goes_on_where_it_ended_when_the_store_is_opened_again(lived: Bench, opened: OpenStore) -> None:
    with opened() as session:
        audit.append_events(session, [])
        with session.transaction():
            audit.append_events(session, [audit.Event("test", "x", {})])
    state = audit.verify_chain(lived.session)
    assert (state.records, state.problems) == (8, ())


def test_a_change_that_is_rolled_back_leaves_no_record(lived: Bench) -> None:
    def fail() -> None:
        with lived.session.transaction():
            audit.append_events(lived.session, [audit.Event("test", "x", {})])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert audit.verify_chain(lived.session).records == 7


@pytest.mark.parametrize(
    "column", ["actor", "job", "action", "subject", "detail", "at_us", "previous", "hash"]
)  # fmt: skip
def test_no_part_of_a_record_can_be_altered(lived: Bench, column: str) -> None:
    tamper(lived, f"UPDATE audit SET {column} = '7' WHERE sequence = 3")  # noqa: S608 - a test
    problems = audit.verify_chain(lived.session).problems
    assert problems
    assert "Record 3 of the audit trail was altered" in problems[0]


@pytest.mark.parametrize("sequence", [1, 3, 6])
def test_no_record_can_be_removed(lived: Bench, sequence: int) -> None:
    tamper(lived, f"DELETE FROM audit WHERE sequence = {sequence}")  # noqa: S608 - a test
    assert any("does not follow" in problem for problem in audit.verify_chain(lived.session).problems)


def test_a_removed_last_record_contradicts_the_store(lived: Bench) -> None:
    tamper(lived, "DELETE FROM audit WHERE sequence = 7")
    problems = audit.verify_chain(lived.session).problems
    assert problems == ("The store and the audit trail disagree on whether certificate 1 was revoked.",)


def test_a_certificate_that_was_slipped_in_is_found(lived: Bench) -> None:
    issuing.intend_certificates(lived.session, lived.authority, [Item(66)])
    tamper(lived, "UPDATE certificates SET certificate = x'00', state = 'revoked' WHERE serial = '66'")
    problems = audit.verify_chain(lived.session).problems
    assert problems == ("The store and the audit trail disagree on whether certificate 66 was issued.",)


def test_a_certificate_that_was_exchanged_is_found(lived: Bench) -> None:
    tamper(lived, "UPDATE certificates SET certificate = x'00' WHERE serial = '2'")
    problems = audit.verify_chain(lived.session).problems
    assert problems == ("Certificate 2 is not the one that the audit trail tells of.",)


def test_a_revocation_that_was_taken_back_is_found(lived: Bench) -> None:
    tamper(lived, "DELETE FROM revocations")
    tamper(lived, "UPDATE certificates SET state = 'valid' WHERE serial = '1'")
    problems = audit.verify_chain(lived.session).problems
    assert problems == ("The store and the audit trail disagree on whether certificate 1 was revoked.",)


def test_a_state_that_contradicts_the_revocation_is_found(lived: Bench) -> None:
    tamper(lived, "UPDATE certificates SET state = 'valid' WHERE serial = '1'")
    assert audit.verify_chain(lived.session).problems == (
        "Certificate 1 is revoked, and the store says that it is valid.",
    )


def test_problems_are_counted_out_at_some_point(lived: Bench) -> None:
    with lived.session.transaction():
        audit.append_events(lived.session, [audit.Event("test", str(number), {}) for number in range(100)])
    tamper(lived, "UPDATE audit SET actor = 'nobody'")
    assert len(audit.verify_chain(lived.session).problems) == audit.MOST_PROBLEMS


@pytest.mark.parametrize(
    "detail",
    [
        {}, {"b": 1, "a": "x"}, {"serials": ["1", "2"]}, {'quote"': 'a"b\\c', "é": "ü\n\u2028"},
        {"none": None, "true": True, "float": 1.5, "nested": {"z": 1, "a": [1, {"y": 2, "x": 3}]}},
    ],
)  # fmt: skip
def test_the_hash_covers_what_a_json_encoder_writes(bench: Bench, detail: dict[str, Any]) -> None:
    """The form of the first stores, whatever writes it faster today."""
    with bench.session.transaction():
        audit.append_events(bench.session, [audit.Event('act"ion', "sübject", detail)])
    last = dict(records(bench)[-1]._mapping)
    written = json.dumps(detail, sort_keys=True, separators=(",", ":"))
    assert last["detail"] == written
    digest = last.pop("hash")
    text = json.dumps(last, sort_keys=True, separators=(",", ":"))
    assert digest == hashlib.sha256(text.encode()).hexdigest()
