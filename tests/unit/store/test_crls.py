"""CRLs in the store: numbers that only rise, and entries that are owed until RFC 5280 lets them go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from unit.store.store_bench import NOON, Bench

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities, crls
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Crl:
    number: int
    this_update: datetime = NOON
    next_update: datetime = NOON + 30 * DAY
    signed_at: datetime = NOON


def sign(bench: Bench, number: int, *, at: datetime = NOON) -> bytes:
    """Sign a CRL of everything as far as the store is concerned, and tell what it lists."""
    owed, crl = crls.load_owed(bench.session, bench.authority), Crl(number, at, at + 30 * DAY, at)
    crls.intend_crl(bench.session, bench.authority, crl)
    crls.record_crl(bench.session, bench.authority, crl, der=b"crl %d" % number, owed=owed)
    return b"".join(owed.entries)


def test_before_the_first_there_is_none(bench: Bench) -> None:
    assert crls.last_crl(bench.session, bench.authority) is None
    assert crls.last_number(bench.session, bench.authority) is None
    assert crls.load_owed(bench.session, bench.authority).entries == ()


def test_a_signed_crl_is_remembered_without_its_contents(bench: Bench) -> None:
    bench.revoke(bench.issue())
    sign(bench, 1)
    last = crls.last_crl(bench.session, bench.authority)
    assert last is not None
    assert (last.number, last.entries, last.state, last.signed_at) == (1, 1, "signed", NOON)
    assert last.this_update == NOON.replace(microsecond=0)
    assert len(last.sha256) == 64


def test_a_number_that_was_intended_is_taken(bench: Bench) -> None:
    """Killed between the signature and the store, a run must not lead to two CRLs of one number."""
    sign(bench, 1)
    crls.intend_crl(bench.session, bench.authority, Crl(2))
    latest, last = crls.last_number(bench.session, bench.authority), crls.last_crl(bench.session, bench.authority)
    assert latest is not None
    assert last is not None
    assert (latest.number, last.number) == (2, 1)
    with pytest.raises(StoreError):
        crls.intend_crl(bench.session, bench.authority, Crl(2))


def test_revocations_are_unpublished_until_a_crl_lists_them(bench: Bench) -> None:
    bench.revoke(bench.issue("alice@a"), bench.issue("alice@b"))
    assert crls.count_unpublished(bench.session, bench.authority) == 2
    assert sign(bench, 1) == b"entry 1;entry 2;"
    assert crls.count_unpublished(bench.session, bench.authority) == 0


def test_what_is_revoked_while_a_crl_is_signed_waits_for_the_next(bench: Bench) -> None:
    bench.revoke(bench.issue("alice@a"))
    owed = crls.load_owed(bench.session, bench.authority)
    bench.revoke(bench.issue("alice@b"))
    crls.intend_crl(bench.session, bench.authority, Crl(1))
    crls.record_crl(bench.session, bench.authority, Crl(1), der=b"crl", owed=owed)
    assert crls.count_unpublished(bench.session, bench.authority) == 1


def test_an_intended_crl_publishes_nothing(bench: Bench) -> None:
    bench.revoke(bench.issue())
    crls.intend_crl(bench.session, bench.authority, Crl(1))
    assert crls.count_unpublished(bench.session, bench.authority) == 1
    assert crls.load_owed(bench.session, bench.authority).unpublished == 1


def test_entries_keep_the_order_of_their_revocation(bench: Bench) -> None:
    """The order in which they are encoded once, so that a new one can be appended."""
    serials = [bench.issue(f"alice@{device}") for device in "abc"]
    bench.revoke(serials[2])
    bench.revoke(serials[0], serials[1])
    assert sign(bench, 1) == b"entry 3;entry 1;entry 2;"


def test_an_entry_is_owed_until_it_was_in_a_crl_after_its_certificate_expired(bench: Bench) -> None:
    bench.revoke(bench.issue(not_after=NOON + 10 * DAY))
    entry = b"entry 1;"
    assert sign(bench, 1, at=NOON) == entry
    assert sign(bench, 2, at=NOON + 9 * DAY) == entry
    assert sign(bench, 3, at=NOON + 11 * DAY) == entry, "the first CRL after the expiry still lists it"
    assert sign(bench, 4, at=NOON + 12 * DAY) == b""


def test_an_entry_that_expired_before_any_crl_listed_it_is_listed_once(bench: Bench) -> None:
    sign(bench, 1, at=NOON)
    bench.revoke(bench.issue(not_after=NOON - DAY))
    assert sign(bench, 2, at=NOON + DAY) == b"entry 1;"
    assert sign(bench, 3, at=NOON + 2 * DAY) == b""


def splice(bench: Bench, number: int, *, at: datetime = NOON) -> bytes:
    """Sign a CRL that takes over the entries of the one before, and tell what it lists more."""
    last = crls.last_crl(bench.session, bench.authority)
    assert last is not None
    owed, crl = crls.load_unpublished(bench.session, bench.authority), Crl(number, at, at + 30 * DAY, at)
    crls.intend_crl(bench.session, bench.authority, crl)
    parts = (b"crl ", b"%d" % number)
    crls.record_crl(bench.session, bench.authority, crl, der=parts, owed=owed, spliced=last.entries)
    return b"".join(owed.entries)


def test_only_what_is_new_is_added(bench: Bench) -> None:
    bench.revoke(bench.issue("alice@a"), bench.issue("alice@b"))
    sign(bench, 1)
    bench.revoke(bench.issue("alice@c"))
    assert splice(bench, 2) == b"entry 3;"
    last = crls.last_crl(bench.session, bench.authority)
    assert last is not None
    assert (last.entries, last.omitted, last.sha256) == (3, 0, hashlib.sha256(b"crl 2").hexdigest())
    assert splice(bench, 3) == b""
    assert sign(bench, 4) == b"entry 1;entry 2;entry 3;"


def test_what_expired_leaves_when_everything_is_built_anew(bench: Bench) -> None:
    """Not in between; and how many have left is remembered, so that a loss in the store is noticed."""
    bench.revoke(bench.issue("alice@a", not_after=NOON + DAY), bench.issue("alice@b"))
    sign(bench, 1)
    bench.revoke(bench.issue("alice@c"))
    splice(bench, 2, at=NOON + 2 * DAY)
    assert sign(bench, 3, at=NOON + 3 * DAY) == b"entry 2;entry 3;"
    last = crls.last_crl(bench.session, bench.authority)
    assert last is not None
    assert (last.entries, last.omitted) == (2, 1)
    assert crls.count_revocations(bench.session, bench.authority) == last.entries + last.omitted
    bench.revoke(bench.issue("alice@d"))
    splice(bench, 4, at=NOON + 4 * DAY)
    last = crls.last_crl(bench.session, bench.authority)
    assert last is not None
    assert (last.entries, last.omitted) == (3, 1)


def test_an_expired_certificate_is_in_a_crl_after_its_end_however_that_was_made(bench: Bench) -> None:
    """Section 3.3 of RFC 5280: a list that was added to counts, since it holds all that the one before held."""
    bench.revoke(bench.issue("alice@a", not_after=NOON + DAY))
    sign(bench, 1, at=NOON)
    bench.revoke(bench.issue("alice@b", not_after=NOON + 5 * DAY))
    assert splice(bench, 2, at=NOON + 2 * DAY) == b"entry 2;", "the first one is in it with the entries of the CRL 1"
    assert sign(bench, 3, at=NOON + 3 * DAY) == b"entry 2;"


def test_the_revocations_of_another_authority_do_not_count(bench: Bench) -> None:
    bench.revoke(bench.issue("alice@a"))
    authorities.intend_authority(
        bench.session, label="ca2", common_name="Next authority", algorithm="ec-p256", crl_validity_days=30
    )
    other = authorities.find_authority(bench.session, "ca2")
    assert other is not None
    assert crls.count_revocations(bench.session, bench.authority) == 1
    assert crls.count_revocations(bench.session, other) == 0
    assert crls.load_owed(bench.session, other).count == crls.load_unpublished(bench.session, other).count == 0


def test_what_was_not_read_is_not_marked_as_published(bench: Bench) -> None:
    """A row that was added or taken away behind the back of the run: nothing is stored of the CRL."""
    serials = [bench.issue(f"alice@{device}") for device in "ab"]
    bench.revoke(*serials)
    owed = crls.load_owed(bench.session, bench.authority)
    crls.intend_crl(bench.session, bench.authority, Crl(1))
    table = bench.session.tables.revocations
    with bench.session.transaction() as connection:
        connection.execute(table.delete().where(table.c.id == 1))
    with pytest.raises(StateError, match="2 revocations were new when the CRL 1 was signed, and there are 1 now"):
        crls.record_crl(bench.session, bench.authority, Crl(1), der=b"crl", owed=owed)
    assert crls.last_crl(bench.session, bench.authority) is None
    assert crls.count_unpublished(bench.session, bench.authority) == 1


def test_many_rows_are_read_in_their_order(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crls, "ROWS_AT_ONCE", 3)
    bench.revoke(*[bench.issue(f"alice@{number}") for number in range(7)])
    owed = crls.load_owed(bench.session, bench.authority)
    assert b"".join(owed.entries) == b"".join(b"entry %d;" % number for number in range(1, 8))
    assert (owed.count, owed.unpublished, owed.through, len(owed.entries)) == (7, 7, 7, 3)
