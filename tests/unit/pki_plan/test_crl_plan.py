"""When a CRL is signed, when only its files are mended, and which number and dates it gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import (
    SIGN,
    WRITE,
    FoundFile,
    check_renewal,
    crl_result,
    plan_crl,
    plan_dates,
    require_newest,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


@dataclass(frozen=True)
class Crl:
    number: int = 7
    this_update: datetime = NOW - DAY
    next_update: datetime = NOW + 29 * DAY
    signed_at: datetime = NOW - DAY
    entries: int = 3


def pem(*, current: bool = True, mode: int | None = 0o644) -> FoundFile:
    return FoundFile("pem", current, mode)


def der(*, current: bool = True, mode: int | None = 0o644) -> FoundFile:
    return FoundFile("der", current, mode)


GOOD = (pem(), der())
LOST = (pem(current=False, mode=None), der(current=False, mode=None))
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing to do": ({}, ()),
    "the first": ({"last": None, "files": LOST}, (SIGN,)),
    "something revoked": ({"unpublished": 1}, (SIGN,)),
    "due": ({"renewal_days": 30}, (SIGN,)),
    "not due": ({"renewal_days": 29}, ()),
    "expired": ({"last": Crl(next_update=NOW - DAY), "renewal_days": 0}, (SIGN,)),
    "forced": ({"force": True}, (SIGN,)),
    "both files lost": ({"files": LOST}, (SIGN,)),
    "both files altered": ({"files": (pem(current=False), der(current=False))}, (SIGN,)),
    "PEM lost": ({"files": (pem(current=False, mode=None), der())}, (WRITE,)),
    "PEM altered": ({"files": (pem(current=False), der())}, (WRITE,)),
    "DER altered": ({"files": (pem(), der(current=False))}, (WRITE,)),
    "PEM unreadable for the daemon": ({"files": (pem(mode=0o600), der())}, (WRITE,)),
}


@pytest.mark.parametrize(("found", "steps"), CASES.values(), ids=CASES.keys())
def test_what_is_done(found: dict[str, Any], steps: tuple[str, ...]) -> None:
    arguments = {"last": Crl(), "unpublished": 0, "files": GOOD, "renewal_days": 15, **found}
    change = plan_crl(arguments.pop("last"), now=NOW, mode=0o644, **arguments)
    assert change.steps == steps
    assert change.needed == (change.before != change.after)


def test_the_reasons_are_shown() -> None:
    change = plan_crl(Crl(next_update=NOW), unpublished=2, files=LOST, now=NOW, renewal_days=1, mode=0o644, force=True)
    assert change.after["reasons"] == ["2 revoked since", "due", "no file holds the last one", "asked for"]


def test_the_first_number_is_one() -> None:
    dates = plan_dates(None, now=NOW, validity_days=30)
    assert dates.number == 1
    assert dates.this_update == NOW.replace(microsecond=0) - HOUR
    assert dates.next_update == NOW.replace(microsecond=0) + 30 * DAY
    assert dates.signed_at == NOW


def test_the_number_only_rises() -> None:
    assert plan_dates(Crl(number=41), now=NOW, validity_days=30).number == 42


@pytest.mark.parametrize("ago", [timedelta(0), SECOND, HOUR - SECOND, HOUR])
def test_two_crls_are_a_second_apart_at_least(ago: timedelta) -> None:
    previous = NOW.replace(microsecond=0) - ago
    dates = plan_dates(Crl(this_update=previous - SECOND), now=NOW, validity_days=30)
    assert dates.this_update >= previous


def test_a_clock_that_was_set_back_is_an_error() -> None:
    with pytest.raises(StateError, match="behind the last CRL"):
        plan_dates(Crl(this_update=NOW + DAY), now=NOW, validity_days=30)


@pytest.mark.parametrize(("days", "validity"), [(-1, None), (-1, 30), (30, 30), (31, 30)])
def test_a_window_in_which_every_crl_is_due_is_refused(days: int, validity: int | None) -> None:
    with pytest.raises(InputError, match="renewal_days"):
        check_renewal(days, validity_days=validity)


@pytest.mark.parametrize(("days", "validity"), [(0, 1), (29, 30), (99, None)])
def test_other_windows_are_fine(days: int, validity: int | None) -> None:
    check_renewal(days, validity_days=validity)


def test_a_store_that_is_older_than_its_crl_is_refused() -> None:
    require_newest(Crl(number=7), number=7, path="/crl.pem")
    require_newest(None, number=0, path="/crl.pem")
    with pytest.raises(StateError, match=r"/crl\.pem holds the CRL 8"):
        require_newest(Crl(number=7), number=8, path="/crl.pem")
    with pytest.raises(StateError, match="none after 0"):
        require_newest(None, number=1, path="/crl.pem")


def test_results_have_text_and_numbers_only() -> None:
    assert crl_result(Crl(), entries=3) == {
        "number": 7,
        "this_update": "2026-11-21T12:00:00.500000+00:00",
        "next_update": "2026-12-21T12:00:00.500000+00:00",
        "revoked_count": 3,
        "signed_at": (NOW - DAY).timestamp(),
    }
    assert set(crl_result(None, entries=None).values()) == {None}
