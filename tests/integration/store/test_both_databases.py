"""SQLite and PostgreSQL keep the same things, refuse the same things, and lock alike."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from integration.store.places import bench_at, lock_of, run_in, set_up, value_of
from unit.store.store_bench import NOON, YEAR, Bench, Item, OpenStore

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import (
    audit,
    authorities,
    certificates,
    crls,
    issuing,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import RevocationList
from ansible_collections.privatespace.gateway.plugins.module_utils._store.summary import summarise

TESTS = Path(__file__).resolve().parents[2]
WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest
from contextlib import nullcontext
from integration.store.places import bench_at, lock_of
from unit.store.store_bench import Item
from ansible_collections.privatespace.gateway.plugins.module_utils._store import certificates, issuing
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location

location, first, rounds = parse_location(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
with bench_at(location, first_serial=first) as bench:
    print("ready", flush=True)
    for _round in range(rounds):
        with lock_of(location, 30) if sys.argv[5] == "lock" else nullcontext():
            names = [f"u{first}-{number}" for number in range(20)]
            items = [Item(next(bench.serials), f"{name}@d", name, "d", certificate=b"x") for name in names]
            issuing.intend_certificates(bench.session, bench.authority, items)
            issuing.record_certificates(bench.session, items)
            bench.revoke(items[0].serial)
        print(items[-1].serial, flush=True)
"""


def worker(location: StoreLocation, *, first: int, rounds: int, lock: str = "lock") -> subprocess.Popen[bytes]:
    arguments = [str(TESTS), value_of(location), str(first), str(rounds), lock]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE)


def crl_of(number: int) -> RevocationList:
    moment = NOON + timedelta(seconds=number)
    return RevocationList(number, "signed", moment, moment + timedelta(days=30), moment, 0)


def problems(bench: Bench) -> list[str]:
    return [*bench.session.integrity_problems(), *audit.verify_chain(bench.session).problems]


def test_what_goes_in_comes_out(bench: Bench) -> None:
    serial = 2**159 - 1
    item = Item(serial, common_name="zoë@laptop", name="zoë", certificate=bytes(range(256)))
    issuing.intend_certificates(bench.session, bench.authority, [item])
    assert certificates.load_history(bench.session, profile="client", names=["zoë"]) == ()
    issuing.record_certificates(bench.session, [item])
    (found,) = certificates.load_history(bench.session, profile="client", names=["zoë"])
    assert (found.serial, found.state, found.not_after) == (serial, "valid", (NOON + YEAR).replace(microsecond=0))
    assert certificates.load_certificate(bench.session, serial).certificate == bytes(range(256))
    assert certificates.load_current(bench.session, profile="client") == (found,)
    assert certificates.load_all(bench.session, names=["zoë"]) == (found,)
    assert certificates.count_certificates(bench.session, now=NOON) == {"valid": 1}
    assert bench.authority.certificate == b"ca der"


def test_a_name_has_one_valid_certificate(bench: Bench) -> None:
    first, second = bench.issue("alice@laptop"), bench.issue("ALICE@Laptop")
    assert bench.states() == {first: "superseded", second: "valid"}
    table = bench.session.tables.certificates
    with pytest.raises(StoreError, match="valid certificate of that common name"), bench.session.transaction() as to:
        to.execute(sa.update(table).where(table.c.serial == str(first)).values(state="valid"))
    assert bench.states() == {first: "superseded", second: "valid"}


def test_a_batch_is_stored_whole_or_not_at_all(bench: Bench) -> None:
    twins = [Item(5, common_name="bob@a"), Item(6, common_name="BOB@A")]
    issuing.intend_certificates(bench.session, bench.authority, twins)
    with pytest.raises(StoreError):
        issuing.record_certificates(bench.session, twins)
    with pytest.raises(StoreError):
        issuing.intend_certificates(bench.session, bench.authority, [Item(5)])
    assert bench.states() == {5: "intended", 6: "intended"}
    bench.issue()
    assert bench.states() == {1: "valid", 5: "abandoned", 6: "abandoned"}
    assert problems(bench) == []


def test_revocations_are_owed_until_they_were_published(bench: Bench) -> None:
    alice, bob = bench.issue("alice@laptop"), bench.issue("bob@laptop")
    bench.revoke(alice)
    with pytest.raises(StateError, match="cannot be revoked"):
        bench.revoke(alice)
    owed = crls.load_owed(bench.session, bench.authority)
    assert (owed.entries, owed.unpublished) == ((b"entry 1;",), 1)
    crls.intend_crl(bench.session, bench.authority, crl_of(1))
    bench.revoke(bob)
    crls.record_crl(bench.session, bench.authority, crl_of(1), der=b"crl", owed=owed)
    assert crls.count_unpublished(bench.session, bench.authority) == 1
    with pytest.raises(StoreError):
        crls.intend_crl(bench.session, bench.authority, crl_of(1))
    last = crls.last_crl(bench.session, bench.authority)
    assert last is not None
    assert (last.number, last.entries, last.signed_at) == (1, 1, NOON + timedelta(seconds=1))
    assert crls.last_number(bench.session, bench.authority) == last
    assert problems(bench) == []


def test_the_audit_trail_notices_an_alteration(bench: Bench) -> None:
    bench.issue()
    assert problems(bench) == []
    with bench.session.transaction() as connection:
        connection.execute(sa.text("UPDATE audit SET actor = 'nobody' WHERE sequence = 3"))
    assert "Record 3 of the audit trail was altered" in problems(bench)[0]


def test_the_summary_tells_it_all(bench: Bench) -> None:
    bench.issue()
    facts = summarise(bench.session, label="ca", now=NOON)
    assert (facts["counts"]["valid"], facts["audit"]["valid"], facts["certificates"][0]["serial"]) == (1, True, "1")


def test_an_empty_place_is_no_store(location: StoreLocation, opened: OpenStore) -> None:
    with pytest.raises(StoreMissingError), opened():
        pass
    with run_in(location, dry_run=True) as session:
        assert session is None
    with opened(create=True) as session:
        assert authorities.load_authorities(session) == ()
    with run_in(location, dry_run=True) as session:
        assert session is not None


def test_a_look_sees_one_moment_and_changes_nothing(bench: Bench, location: StoreLocation) -> None:
    with run_in(location, dry_run=True) as session:
        assert session is not None
        before = audit.verify_chain(session).records
        bench.issue()
        assert audit.verify_chain(session).records == before
        with pytest.raises(StoreError), session.transaction():
            pytest.fail("a look began to write")
    assert audit.verify_chain(bench.session).records == before + 2


def test_a_run_keeps_others_out_until_it_ends(bench: Bench, location: StoreLocation) -> None:
    says = r"in use by another run, and was still in use after 0\.1 s"
    with lock_of(location):
        for second in (lock_of(location, 0.1), run_in(location, wait_seconds=0.1)):
            with pytest.raises(BusyError, match=says), second:
                pytest.fail("two runs had the lock")
    with run_in(location):
        with pytest.raises(BusyError, match=says), lock_of(location, 0.1):
            pytest.fail("two runs had the lock")
        with run_in(location, dry_run=True) as session:
            assert session is not None, "who only looks does not wait"
    with lock_of(location):
        pass


def test_a_second_run_waits_for_the_first(bench: Bench, location: StoreLocation) -> None:
    order: list[str] = []
    holding = threading.Event()

    def first() -> None:
        with lock_of(location):
            holding.set()
            threading.Event().wait(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert holding.wait(10)
    with run_in(location, wait_seconds=10):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("lock", ["lock", "none"])
def test_two_processes_at_once_lose_nothing(bench: Bench, location: StoreLocation, lock: str) -> None:
    """With the lock of a run, and without it, each transaction is one."""
    rounds = 10 if lock == "lock" else 1
    workers = [worker(location, first=first, rounds=rounds, lock=lock) for first in (100_000, 200_000)]
    told = [process.communicate(timeout=60)[0].split()[1:] for process in workers]
    if lock == "none":
        # Whoever comes second may find its intention abandoned, and then stores nothing of it.
        assert any(told)
    else:
        assert [process.returncode for process in workers] == [0, 0]
        assert sum(state == "valid" for state in bench.states().values()) == 2 * 19
        assert len(bench.states()) == 2 * rounds * 20
    assert problems(bench) == []


@pytest.mark.parametrize("attempt", range(3))
def test_kill_9_in_the_middle(location: StoreLocation, attempt: int) -> None:
    set_up(location)
    process = worker(location, first=100_000 * (attempt + 1), rounds=10_000)
    assert process.stdout is not None
    for _line in range(2):
        process.stdout.readline()
    time.sleep(random.uniform(0, 0.1))  # noqa: S311 - no secret hangs on it
    process.send_signal(signal.SIGKILL)
    told = [int(line) for line in process.communicate()[0].split()]
    with run_in(location, wait_seconds=10), bench_at(location) as bench:
        assert problems(bench) == []
        states = bench.states()
        assert all(states[serial] in ("valid", "superseded") for serial in told), "what was told was stored before"
        issuing.intend_certificates(bench.session, bench.authority, [Item(7_000_000)])
        assert [serial for serial, state in bench.states().items() if state == "intended"] == [7_000_000]


def test_an_exception_in_a_transaction_leaves_nothing(bench: Bench) -> None:
    def fail() -> None:
        with bench.session.transaction():
            certificates_before = bench.states()
            assert certificates_before == {}
            audit.append_events(bench.session, [audit.Event("test", "x", {})])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert audit.verify_chain(bench.session).records == 2
    bench.revoke(bench.issue())
    assert problems(bench) == []
