"""CRLs in the store: numbers that only rise, and entries that are owed until RFC 5280 lets them go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from unit.store.store_bench import NOON, Bench

from ansible_collections.privatespace.gateway.plugins.module_utils._store import crls
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Crl:
    number: int
    this_update: datetime = NOON
    next_update: datetime = NOON + 30 * DAY
    signed_at: datetime = NOON


def sign(bench: Bench, number: int, *, at: datetime = NOON) -> tuple[bytes, ...]:
    """Sign a CRL as far as the store is concerned, and tell what it lists."""
    owed, crl = crls.load_owed(bench.session, bench.authority), Crl(number, at, at + 30 * DAY, at)
    crls.intend_crl(bench.session, bench.authority, crl)
    crls.record_crl(bench.session, bench.authority, crl, der=b"crl %d" % number, owed=owed)
    return owed.entries


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
    assert sign(bench, 1) == (b"entry 1;", b"entry 2;")
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
    assert sign(bench, 1) == (b"entry 3;", b"entry 1;", b"entry 2;")


def test_an_entry_is_owed_until_it_was_in_a_crl_after_its_certificate_expired(bench: Bench) -> None:
    bench.revoke(bench.issue(not_after=NOON + 10 * DAY))
    entry = (b"entry 1;",)
    assert sign(bench, 1, at=NOON) == entry
    assert sign(bench, 2, at=NOON + 9 * DAY) == entry
    assert sign(bench, 3, at=NOON + 11 * DAY) == entry, "the first CRL after the expiry still lists it"
    assert sign(bench, 4, at=NOON + 12 * DAY) == ()


def test_an_entry_that_expired_before_any_crl_listed_it_is_listed_once(bench: Bench) -> None:
    sign(bench, 1, at=NOON)
    bench.revoke(bench.issue(not_after=NOON - DAY))
    assert sign(bench, 2, at=NOON + DAY) == (b"entry 1;",)
    assert sign(bench, 3, at=NOON + 2 * DAY) == ()
