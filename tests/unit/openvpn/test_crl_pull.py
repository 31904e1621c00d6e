# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway makes of what it fetched, and when it warns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter import openvpn_crl_pull
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import (
    Answer,
    Offer,
    Pull,
    State,
    clean_etag,
    conclude,
    describe,
    is_expiry_denied,
    known_etag,
    news,
    parse_record,
    parse_state,
    read_answer,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull_settings import (
    PullSettings,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import Crl, CrlFile

URL = "http://authority.example.net/crl.pem"
PEM = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
DAY = 86400
NOW = 1_790_000_000.0
SETTINGS = PullSettings(urls=(URL,))
SERIALS = replace(SETTINGS, revocation="serials")
LAST = State(
    checked_at=NOW - 60, answered_at=NOW - 60, url=URL, etag='"a"', sha256="old", fetched_at=NOW - 600,
    trust_sha256="cas", enforced_sha256="old",
)  # fmt: skip


def crls(*, left: float = 20 * DAY, age: float = 10 * DAY, number: int = 7) -> CrlFile:
    return CrlFile((Crl("CN = Test", number, int(NOW - age), int(NOW + left), PEM),), PEM)


def concluded(last: State = LAST, pull: Pull | None = None, **options: Any) -> State:
    given: dict[str, Any] = {
        "crls": crls(), "sha256": "old", "problems": (), "enforced": True, "settings": SETTINGS, "now": NOW, **options,
    }  # fmt: skip
    return conclude(last, pull or Pull(URL, '"a"'), **given)


def test_what_is_whole_is_offered() -> None:
    assert read_answer(Answer(200, '"a"', PEM), is_known=False) == Offer(content=PEM.decode())
    assert read_answer(Answer(200, "", b"Subject: x\n" + PEM), is_known=True).content is not None


def test_nothing_has_changed_only_for_who_asked_so() -> None:
    assert read_answer(Answer(304), is_known=True) == Offer(unchanged=True)
    offer = read_answer(Answer(304), is_known=False)
    assert (offer.unchanged, offer.content, offer.passing) == (False, None, False)
    assert "304" in offer.problem


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200), "empty"),
        (Answer(200, "", b" \r\n\n"), "empty"),
        (Answer(200, "", b"\x30\x82\x01\x00" + b"x" * 256), "DER"),
        (Answer(200, "", b"<!doctype html><h1>Log in</h1>"), "a page that is no CRL"),
        (Answer(200, "", b"\n  <html>"), "a page that is no CRL"),
        (Answer(200, "", b"nothing here"), "something that is no CRL"),
        (Answer(200, "", b"\xff" + PEM), "no text"),
        (Answer(301), "redirects elsewhere (301)"),
        (Answer(302), "name that address instead"),
        (Answer(404), "status 404"),
        (Answer(403), "status 403"),
        (Answer(206, "", PEM), "status 206"),
    ],
)
def test_what_is_no_crl_is_refused_and_told_at_once(answer: Answer, words: str) -> None:
    offer = read_answer(answer, is_known=True)
    assert words in offer.problem
    assert (offer.content, offer.unchanged, offer.passing) == (None, False, False)


@pytest.mark.parametrize("answer", [Answer(error="no answer (Connection refused)"), Answer(502), Answer(503)])
def test_what_may_pass_is_not_alarmed_at_once(answer: Answer) -> None:
    assert read_answer(answer, is_known=True).passing


def test_the_mark_is_sent_only_for_what_is_in_place_and_came_from_there() -> None:
    def mark(last: State = LAST, url: str = URL, **changes: Any) -> str:
        given: dict[str, Any] = {"in_place_sha256": "old", "trust_sha256": "cas", "now": NOW, **changes}
        return known_etag(last, url, **given)

    assert mark() == '"a"'
    assert mark(in_place_sha256="a playbook's") == ""
    assert mark(url=URL + "2") == ""
    assert mark(State(), in_place_sha256="") == ""
    # A CA that has come needs its CRL, which what is in place may lack.
    assert mark(trust_sha256="another CA") == ""
    assert mark(now=NOW + 6 * 3600) == ""
    assert mark(replace(LAST, fetched_at=NOW + 60)) == ""


def test_a_mark_is_as_old_as_what_was_sent_with_it() -> None:
    asked = concluded(pull=Pull(URL, '"a"'))
    assert (asked.fetched_at, asked.trust_sha256) == (LAST.fetched_at, "cas")
    sent = concluded(pull=Pull(URL, '"b"', is_fetched=True, trust_sha256="new"))
    assert (sent.fetched_at, sent.trust_sha256) == (NOW, "new")


@pytest.mark.parametrize("etag", ['"x"\r\nHost: evil', '"\x7f"', '"ä"', '"' + "x" * 300 + '"'])
def test_a_strange_mark_is_not_sent_back(etag: str) -> None:
    assert clean_etag(etag) == ""
    assert concluded(pull=Pull(URL, etag)).etag == ""


def test_all_is_well_once_a_good_one_is_in_place_and_enforced() -> None:
    state = concluded(pull=Pull(URL, '"b"'), sha256="new", crls=crls(number=8))
    assert (state.problem, state.problem_since, state.warned) == ("", 0, 0)
    assert (state.url, state.etag, state.sha256, state.enforced_sha256) == (URL, '"b"', "new", "new")
    assert (state.number, state.checked_at, state.answered_at) == (8, NOW, NOW)
    assert state.next_update == int(NOW + 20 * DAY)


def test_the_mark_of_what_was_refused_is_not_kept() -> None:
    state = concluded(pull=Pull(refused=(f"{URL}: it is empty.",)))
    assert (state.etag, state.sha256) == ('"a"', "old")
    assert state.problem == f"{URL}: it is empty."
    assert state.answered_at == LAST.answered_at


def test_the_cut_is_owed_until_it_is_proved() -> None:
    owed = concluded(sha256="new", enforced=False, problems=["Still connected: al."])
    assert owed.enforced_sha256 == "old"
    assert owed.problem == "Still connected: al."
    assert concluded(owed, sha256="new").enforced_sha256 == "new"


def test_one_address_of_two_that_is_good_is_enough() -> None:
    state = concluded(pull=Pull(URL, "", refused=("http://a: no.",), silent=("http://b: no answer.",)))
    assert state.problem == ""
    assert state.notes == ("http://a: no.", "http://b: no answer.")


def test_silence_is_noted_first_and_alarmed_when_it_lasts() -> None:
    silent = Pull(silent=(f"{URL}: no answer (Connection refused).",))
    short = concluded(pull=silent)
    assert (short.problem, short.notes) == ("", silent.silent)
    later = concluded(replace(short, checked_at=NOW), pull=silent, now=LAST.answered_at + 901)
    assert later.problem.startswith("No CRL could be fetched since ")
    assert "Connection refused" in later.problem
    assert concluded(later, now=NOW + 1000).problem == ""


def test_a_gateway_that_never_had_an_answer_waits_as_long() -> None:
    silent = Pull(silent=("x",))
    first = concluded(State(), pull=silent)
    assert (first.problem, first.answered_at) == ("", NOW)
    assert concluded(first, pull=silent, now=NOW + 1000).problem != ""


def test_a_clock_that_was_ahead_once_does_not_hide_silence_for_ever() -> None:
    ahead = replace(LAST, answered_at=NOW + 10**6)
    assert concluded(ahead, pull=Pull(silent=("x",))).answered_at == NOW


@pytest.mark.parametrize(
    ("left", "age", "words"),
    [
        (8 * DAY, 10 * DAY, ""),
        (6.9 * DAY, 20 * DAY, "expires on 2026-"),
        (-1, 30 * DAY, "has expired on 2026-09-21 14:13 UTC: nobody can connect"),
        # One that is signed for three days is fresh with two of them left.
        (2 * DAY, 1 * DAY, ""),
        (0.9 * DAY, 2.1 * DAY, "expires on"),
    ],
)
def test_the_end_of_a_crl_is_told_early(left: float, age: float, words: str) -> None:
    state = concluded(crls=crls(left=left, age=age))
    assert (words in state.problem) if words else state.problem == ""


def test_a_clock_that_is_behind_the_crl_in_place_is_told() -> None:
    ahead = crls(age=-3600)
    assert "valid from 2026-09-21 15:13 UTC on: nobody can connect" in concluded(crls=ahead).problem
    assert concluded(crls=ahead, settings=SERIALS).problem == ""


def test_what_an_expired_crl_means_depends_on_the_policy() -> None:
    old = crls(left=-5, age=30 * DAY)
    keeps = replace(SERIALS, expired_crl="keep_serving")
    assert "who was revoked since is let in" in concluded(crls=old, settings=keeps).problem
    assert "nobody can connect" in concluded(crls=old, settings=SERIALS).problem
    assert is_expiry_denied(SERIALS, int(NOW), now=NOW)
    assert not is_expiry_denied(SERIALS, int(NOW) + 1, now=NOW)
    # OpenVPN itself refuses everybody where it reads the CRL.
    assert not is_expiry_denied(SETTINGS, int(NOW), now=NOW)
    assert not is_expiry_denied(keeps, int(NOW), now=NOW)
    # A CRL that cannot be read is alarmed; it locks nobody out.
    assert not is_expiry_denied(SERIALS, 0, now=NOW)


def test_an_alarm_is_raised_once_and_again_after_a_day() -> None:
    bad = Pull(refused=("x",))
    first = concluded(pull=bad)
    assert (first.problem_since, first.warned) == (NOW, NOW)
    second = concluded(first, pull=bad, now=NOW + 60)
    assert (second.problem_since, second.warned) == (NOW, NOW)
    third = concluded(second, pull=bad, now=NOW + DAY)
    assert (third.problem_since, third.warned) == (NOW, NOW + DAY)
    well = concluded(third, now=NOW + DAY + 60)
    assert (well.problem, well.problem_since, well.warned) == ("", 0, 0)


def test_a_state_comes_back_as_it_was_written() -> None:
    state = concluded(pull=Pull(URL, '"b"', silent=("http://b: no.",)))
    assert parse_state(state.as_dict()) == state


@pytest.mark.parametrize("raw", [None, [], "x", {"number": "x"}, {"checked_at": None}, {"checked_at": []}])
def test_a_damaged_state_is_none(raw: Any) -> None:
    assert parse_state(raw) == State()


def test_only_changes_are_told() -> None:
    state = concluded()
    assert news(State(), state) == ["CRL number 7 is in place, good until 2026-10-11 14:13 UTC"]
    assert news(state, replace(state, checked_at=NOW + 60)) == []
    bad = concluded(state, pull=Pull(refused=("x",)))
    assert news(state, bad) == ["x"]
    assert news(bad, bad) == []
    assert news(bad, state) == ["all is well again"]
    silent = concluded(state, pull=Pull(silent=("http://b: no answer.",)))
    assert news(state, silent) == ["note: http://b: no answer."]


def test_people_are_told_what_is_in_place_and_what_is_wrong() -> None:
    text = "\n".join(describe(concluded(pull=Pull(refused=("it is empty.",))), now=NOW + 300))
    for words in (
        "checked 5 min ago",
        "CRL number 7",
        f"from {URL}",
        "PROBLEM since 2026-09-21 14:13 UTC: it is empty.",
    ):
        assert words in text
    assert describe(State(), now=NOW) == ["It has not run yet."]


def test_nobody_is_said_to_be_gone_before_it_is_proved_of_the_crl_in_place() -> None:
    def told(**options: Any) -> str:
        return "\n".join(describe(concluded(**options), now=NOW))

    assert "that it lists: nobody" in told()
    assert "that it lists: nobody" in told(enforced=False)
    # Another one was enforced, and this one is in place.
    assert "that it lists: not known who" in told(enforced=False, sha256="new")
    assert "no record" not in told()
    assert "no record of the certificate: 3 connected" in told(unrecorded=3)


@pytest.mark.parametrize(
    ("content", "serial"),
    [(b"17\n", 17), (str(2**159).encode(), 2**159), (None, None), (b"", None), (b"0x11", None), (b"9" * 61, None)],
)
def test_the_record_of_a_session_is_a_decimal_number_or_none(content: bytes | None, serial: int | None) -> None:
    assert parse_record(content) == serial


def test_settings_are_complete_and_checked() -> None:
    assert parse_settings({"urls": [URL, URL, "https://[fd00::1]:8443/x.pem"]}).urls == (
        URL,
        "https://[fd00::1]:8443/x.pem",
    )
    full = parse_settings(
        {
            "urls": [URL],
            "revocation": "serials",
            "expired_crl": "keep_serving",
            "warning_days": "3",
            "alarm_units": ["a@b.service"],
        }
    )
    assert (full.keeps_serials, full.warning_days, full.alarm_units) == (True, 3, ("a@b.service",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"urls": []}, "openvpn_crl_urls"),
        ({"urls": "http://x/"}, "openvpn_crl_urls"),
        ({"urls": ["ftp://x/crl.pem"]}, "no address such as"),
        ({"urls": ["file:///etc/passwd"]}, "no address such as"),
        ({"urls": ["http://user:secret@x/"]}, "no address such as"),
        ({"urls": ["http://x/\nOther: y"]}, "control character"),
        ({"urls": ["http://x:99999/"]}, "not a port"),
        ({"revocation": "ocsp"}, "openvpn_revocation"),
        ({"expired_crl": "keep_serving"}, "Set openvpn_revocation to 'serials'"),
        ({"warning_days": -1}, "warning_days"),
        ({"silence_seconds": 5}, "silence_seconds"),
        ({"download_seconds": 0}, "download_seconds"),
        ({"download_seconds": 3601}, "download_seconds"),
        ({"folder": "../x"}, "folder"),
        ({"alarm_units": ["--now"]}, "no name of a unit"),
        ({"nonsense": 1}, "Unknown setting: nonsense"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        parse_settings({"urls": [URL], **change})


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(InputError) as found:
        parse_settings({"urls": ["https://gateway:canary@authority.example.net/crl.pem"]})
    assert "canary" not in str(found.value)
    assert "authority.example.net" in str(found.value)


def test_the_filter_refuses_what_the_program_could_not_work_with() -> None:
    good = {"urls": [URL], "revocation": "crl"}
    assert openvpn_crl_pull.openvpn_crl_pull(good) == good
    with pytest.raises(AnsibleFilterError, match="openvpn_crl_urls"):
        openvpn_crl_pull.openvpn_crl_pull({"urls": ["nonsense"]})
