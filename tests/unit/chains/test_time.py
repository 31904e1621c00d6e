"""Chains that are right or wrong because of the time at which they are judged."""

from __future__ import annotations

import pytest
from unit.chains.chain import (
    CRL_EXPIRED,
    CRL_NOT_YET,
    DAY,
    EXPIRED,
    HOUR,
    NOT_YET,
    NOW,
    ROOT,
    SECOND,
    VALID,
    Judge,
    root,
)

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles


def test_a_leaf_in_the_middle_of_its_life(judge: Judge) -> None:
    """Valid: every date lies around the moment.

    root ─┬─ leaf
          └─ CRL (empty)
    """
    ca = root()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()]) == VALID


def test_an_expired_leaf(judge: Judge) -> None:
    """Invalid: the leaf ended a day ago, though its CRL is fresh.

    root ─┬─ leaf (365 days, judged after 366)
          └─ CRL (fresh)
    """
    ca, later = root(), NOW + 366 * DAY
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl(now=later)], at=later) == (EXPIRED, 0)


def test_the_last_seconds_of_a_leaf(judge: Judge) -> None:
    """Valid until a second before its end; notAfter itself is inside by RFC 5280, and outside for OpenSSL.

    root ─┬─ leaf (judged around notAfter)
          └─ CRL (fresh)
    """
    ca = root()
    leaf = ca.issue("alice@laptop")
    last = certificates.not_after(leaf)
    assert judge(leaf, trusted=[ca], crls=[ca.crl(now=last)], at=last - SECOND) == VALID
    assert judge(leaf, trusted=[ca], crls=[ca.crl(now=last)], at=last) == (EXPIRED, 0)


def test_a_leaf_from_the_future(judge: Judge) -> None:
    """Invalid: the leaf begins in two days.

    root ─┬─ leaf (begins later)
          └─ CRL (fresh)
    """
    ca = root()
    assert judge(ca.issue("alice@laptop", now=NOW + 2 * DAY), trusted=[ca], crls=[ca.crl()]) == (NOT_YET, 0)


def test_a_clock_that_is_59_minutes_late(judge: Judge) -> None:
    """Valid: leaf and CRL are backdated by an hour for this.

    root ─┬─ leaf (signed now)
          └─ CRL (signed now)
    """
    ca = root()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()], at=NOW - 59 * HOUR / 60) == VALID


def test_a_clock_that_is_61_minutes_late(judge: Judge) -> None:
    """Invalid: backdating ends at an hour.

    root (a day old) ─┬─ leaf (signed now)
                      └─ CRL (a day old)
    """
    ca = root(now=NOW - DAY)
    crl = ca.crl(now=NOW - DAY)
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[crl], at=NOW - 61 * HOUR / 60) == (NOT_YET, 0)


def test_an_expired_root(judge: Judge) -> None:
    """Invalid at the root: whoever trusts it looks at its dates, too.

    root (30 days, judged after 31) ─┬─ leaf (ends with its root)
                                     └─ CRL (fresh)
    """
    ca, later = root(days=30), NOW + 31 * DAY
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl(now=later)], at=later)[0] == EXPIRED


def test_a_leaf_never_outlives_its_root() -> None:
    """Not made: asked for 365 days under a root of 30, a leaf gets 30; asked for more outright, none is built.

    root (30 days) ── leaf (30 days)
    """
    ca = root(days=30)
    leaf = ca.issue("alice@laptop", days=365)
    assert certificates.not_after(leaf) == certificates.not_after(ca.certificate)
    with pytest.raises(StateError, match="The certificate of the issuer 'Root' is valid from"):
        ca.issue("alice@laptop", now=NOW + 31 * DAY)


def test_an_authority_below_that_is_not_yet_valid(judge: Judge) -> None:
    """Invalid at depth 1: the new authority begins in two days.

    root ─┬─ authority (begins later) ─┬─ leaf
          └─ CRL                       └─ CRL
    """
    top = root(profile=ROOT)
    middle = top.authority("Issuer", now=NOW + 2 * DAY)
    leaf = middle.issue("alice@laptop", now=NOW + 2 * DAY)
    crls = [top.crl(), middle.crl()]
    assert judge(leaf, trusted=[top], below=[middle], crls=crls) == (NOT_YET, 1)


def test_an_expired_crl(judge: Judge) -> None:
    """Invalid, for everybody: the commonest way to lock all users out.

    root ─┬─ leaf
          └─ CRL (7 days, judged after 8)
    """
    ca = root()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()], at=NOW + 8 * DAY) == (CRL_EXPIRED, 0)


def test_a_crl_from_the_future(judge: Judge) -> None:
    """Invalid: a CRL signed by a clock that is two hours fast is not valid yet.

    root ─┬─ leaf
          └─ CRL (signed in two hours)
    """
    ca = root()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl(now=NOW + 2 * HOUR)]) == (CRL_NOT_YET, 0)


def test_a_renewed_leaf_beside_the_old_one(judge: Judge) -> None:
    """Both valid until the old one ends: a renewal revokes nothing.

    root ─┬─ leaf (30 days)
          ├─ leaf (the same name, from day 20)
          └─ CRL
    """
    ca, day = root(), NOW + 25 * DAY
    old, new = ca.issue("alice@laptop", days=30), ca.issue("alice@laptop", now=NOW + 20 * DAY)
    for leaf, at, verdict in ((old, day, VALID), (new, day, VALID), (old, NOW + 31 * DAY, (EXPIRED, 0))):
        assert judge(leaf, trusted=[ca], crls=[ca.crl(now=at)], at=at) == verdict
    assert profiles.profile_of(new) is profiles.CLIENT
