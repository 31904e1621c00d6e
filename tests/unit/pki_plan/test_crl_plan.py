"""When CRLs are signed and how, when only their files are mended, and which number and dates they get."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import (
    REMOVE,
    SIGN,
    WRITE,
    FoundCopy,
    FoundFile,
    FoundIssuer,
    Published,
    Step,
    check_renewal,
    crl_result,
    plan_crls,
    plan_dates,
    require_newest,
    run_result,
    why_not_to_splice,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
PEM, DER, SECOND_DER = "/crl.pem", "/crl.der", "/crl-next.der"


@dataclass(frozen=True)
class Crl:
    number: int = 7
    this_update: datetime = NOW - DAY
    next_update: datetime = NOW + 29 * DAY
    signed_at: datetime = NOW - DAY
    entries: int = 3
    sha256: str = "ab" * 32
    omitted: int = 0


def pem(is_current: bool | None = True, *, mode: int | None = 0o644) -> FoundFile:
    return FoundFile(PEM, is_current, mode)


def der(is_current: bool = True, *, mode: int | None = 0o644) -> FoundFile:
    return FoundFile(DER, is_current, mode)


def found(**more: Any) -> FoundIssuer:
    values: dict[str, Any] = {"label": "ca", "last": Crl(), "unpublished": 0, "is_held": True, "renewal_days": 15}
    return FoundIssuer(**{**values, "file": der(), **more})


def plan(*issuers: FoundIssuer, bundle: FoundFile | None = None, **more: Any) -> Any:
    values: dict[str, Any] = {"leftovers": [], "now": NOW, "mode": 0o644, **more}
    return plan_crls(issuers, bundle=bundle or pem(), **values)


NOTHING: tuple[Step, ...] = ()
FULL = (Step(SIGN, "ca"), Step(WRITE, DER), Step(WRITE, PEM))
SPLICE = (Step(SIGN, "ca", is_splice=True), Step(WRITE, DER), Step(WRITE, PEM))
LOST = {"is_held": False, "file": der(is_current=False, mode=None)}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[Step, ...]]] = {
    "nothing to do": ({}, {}, NOTHING),
    "the first": ({"last": None, **LOST}, {}, FULL),
    "something revoked": ({"unpublished": 1}, {}, SPLICE),
    "revoked, and the DER is only in the PEM": ({"unpublished": 1, "file": der(is_current=False)}, {}, SPLICE),
    "revoked and due": ({"unpublished": 1, "renewal_days": 30}, {}, FULL),
    "revoked and asked for": ({"unpublished": 1}, {"force": True}, FULL),
    "revoked and lost": ({"unpublished": 1, **LOST}, {}, FULL),
    "due": ({"renewal_days": 30}, {}, FULL),
    "not due": ({"renewal_days": 29}, {}, NOTHING),
    "expired": ({"last": Crl(next_update=NOW - DAY), "renewal_days": 0}, {}, FULL),
    "forced": ({}, {"force": True}, FULL),
    "no file holds it": (LOST, {}, FULL),
    "PEM lost": ({}, {"bundle": pem(is_current=False, mode=None)}, (Step(WRITE, PEM),)),
    "PEM altered": ({}, {"bundle": pem(is_current=False)}, (Step(WRITE, PEM),)),
    "DER altered": ({"file": der(is_current=False)}, {}, (Step(WRITE, DER),)),
    "PEM unreadable for the daemon": ({}, {"bundle": pem(mode=0o600)}, (Step(WRITE, PEM),)),
    "an issuer has retired": ({}, {"leftovers": ["/crl-old.der"]}, (Step(REMOVE, "/crl-old.der"),)),
}


@pytest.mark.parametrize(("issuer", "rest", "steps"), CASES.values(), ids=CASES.keys())
def test_what_is_done(issuer: dict[str, Any], rest: dict[str, Any], steps: tuple[Step, ...]) -> None:
    change = plan(found(**issuer), **rest)
    assert change.steps == steps
    assert change.needed == (change.before != change.after)


def test_each_issuer_is_decided_by_itself() -> None:
    """One is due, the other has a new revocation: both sign, and the file that holds both is written once."""
    other = found(label="next", unpublished=2, file=FoundFile(SECOND_DER, True, 0o644))
    quiet = found(label="old", file=FoundFile("/crl-old.der", True, 0o644))
    change = plan(found(renewal_days=30), other, quiet, bundle=pem(None))
    assert change.steps == (
        Step(SIGN, "ca"),
        Step(SIGN, "next", is_splice=True),
        Step(WRITE, DER),
        Step(WRITE, SECOND_DER),
        Step(WRITE, PEM),
    )
    assert change.before["issuers"]["old"] == change.after["issuers"]["old"]


CA_COPY, DER_COPY, PEM_COPY = "/public/ca.pem", "/public/crl.der", "/public/crl.pem"


def copies(**altered: Any) -> list[FoundCopy]:
    """The files for everybody, all right but one."""
    files = {CA_COPY: "", DER_COPY: DER, PEM_COPY: PEM}
    values = {"is_current": True, "mode": 0o644, **altered}
    wrong = values.pop("path", "")
    right = FoundFile("", True, 0o644)
    return [
        FoundCopy(FoundFile(path, **values) if path == wrong else replace(right, path=path), source)
        for path, source in files.items()
    ]


COPY_CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "all is right": ({}, {}, []),
    "something revoked": ({"unpublished": 1}, {}, [DER, PEM, DER_COPY, PEM_COPY]),
    "the folder is empty": ({}, {"is_current": False, "mode": None, "path": CA_COPY}, [CA_COPY]),
    "the copy is altered": ({}, {"is_current": False, "path": PEM_COPY}, [PEM_COPY]),
    "the web server could not read it": ({}, {"mode": 0o600, "path": DER_COPY}, [DER_COPY]),
    "its source is put right": ({"file": der(is_current=False)}, {}, [DER, DER_COPY]),
}


@pytest.mark.parametrize(("issuer", "altered", "written"), COPY_CASES.values(), ids=COPY_CASES.keys())
def test_copies_follow_their_files(issuer: dict[str, Any], altered: dict[str, Any], written: list[str]) -> None:
    change = plan(found(**issuer), copies=copies(**altered))
    assert [step.subject for step in change.steps if step.action == WRITE] == written
    assert change.needed == (change.before != change.after)


def test_copies_are_shown() -> None:
    change = plan(found(), copies=copies(is_current=False, mode=None, path=PEM_COPY))
    assert (change.before["files"][PEM_COPY], change.after["files"][PEM_COPY]) == ("absent", "current, mode 0644")


def test_the_reasons_are_shown() -> None:
    change = plan(found(last=Crl(next_update=NOW), unpublished=2, renewal_days=1, **LOST), force=True)
    shown = change.after["issuers"]["ca"]
    assert shown["reasons"] == ["2 revoked since", "due", "no file holds the last one", "asked for"]
    assert shown["entries"] == "everything from the store"
    assert "revoked since" in plan(found(unpublished=1)).after["issuers"]["ca"]["entries"]


def test_a_file_that_goes_is_shown() -> None:
    change = plan(found(), leftovers=["/crl-old.der"])
    assert change.after["files"]["/crl-old.der"] == "absent"
    assert change.before["files"]["/crl-old.der"] == "of no issuer any more"


GOOD: dict[str, Any] = {"number": 7, "has_entries": True, "new": (2, 2), "revocations": 5}
BAD_SPLICES = {
    "another number": ({"number": 6}, "is not the CRL 7 with 3 entries"),
    "no entries": ({"has_entries": False}, "is not the CRL 7 with 3 entries"),
    "an entry that cannot be read": ({"new": (1, 2)}, "2 entries are new, and 1 can be read"),
    "a revocation is lost": ({"revocations": 4}, "it would list 5 certificates, and the store has 4"),
    "a revocation too many": ({"revocations": 6}, "it would list 5 certificates, and the store has 6"),
}


@pytest.mark.parametrize(("wrong", "complaint"), BAD_SPLICES.values(), ids=BAD_SPLICES.keys())
def test_what_does_not_add_up_is_not_taken_over(wrong: dict[str, Any], complaint: str) -> None:
    assert complaint in why_not_to_splice(Crl(), **{**GOOD, **wrong})


def test_what_adds_up_is_taken_over() -> None:
    assert why_not_to_splice(Crl(), **GOOD) == ""
    assert why_not_to_splice(Crl(omitted=4), **{**GOOD, "revocations": 9}) == "", "four had expired before"


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


def test_the_active_issuer_speaks_for_itself_and_the_earliest_end_for_all() -> None:
    """A gateway refuses people from the moment on at which the first CRL in its file ends."""
    active = Published("CN=active", NOW + 20 * DAY, {"key_label": "ca", **crl_result(Crl(), entries=3)})
    other = replace(active, issuer="CN=next", facts={"key_label": "next", **crl_result(Crl(number=2), entries=1)})
    root = Published("CN=root", NOW + 3 * DAY)
    result = run_result([active, other, root])
    assert (result["number"], result["revoked_count"]) == (7, 3)
    assert result["next_update"] == (NOW + 3 * DAY).isoformat()
    assert result["expires_first"] == {"issuer": "CN=root", "next_update": (NOW + 3 * DAY).isoformat()}
    assert [(issuer["key_label"], issuer["number"]) for issuer in result["issuers"]] == [("ca", 7), ("next", 2)]


def test_nothing_is_told_of_no_issuer() -> None:
    result = run_result([])
    assert (result["number"], result["next_update"], result["expires_first"], result["issuers"]) == (
        None,
        None,
        None,
        [],
    )
