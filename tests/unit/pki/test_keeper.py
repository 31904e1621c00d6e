# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the authority's own program is content, what it says and what it notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_metrics import render_metrics
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_settings import (
    KeeperSettings,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_state import (
    KeeperState,
    conclude,
    is_refused,
    is_unproven,
    judge_end,
    news,
    parse_state,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"
ISSUER = {
    "key_label": "ca",
    "number": 7,
    "this_update": (NOW - DAY).isoformat(),
    "next_update": (NOW + 20 * DAY).isoformat(),
    "revoked_count": 3,
}


def end(days: float) -> dict[str, Any]:
    return {"issuer": "CN=Example CA", "next_update": (NOW + days * DAY).isoformat()}


@pytest.mark.parametrize(
    ("first_end", "words"),
    [
        (None, ""),
        (end(10), ""),
        (end(9.9), "'CN=Example CA' expires in 9 days, at 2026-12-03 09:36 UTC"),
        (end(0), "expired at 2026-11-23 12:00 UTC: gateways refuse everybody"),
        (end(-1), "expired at 2026-11-22 12:00 UTC"),
    ],
)
def test_a_crl_that_should_have_been_signed_again_is_a_problem(first_end: dict[str, Any] | None, words: str) -> None:
    told = judge_end(first_end, now=NOW.timestamp(), warning_days=10)
    assert words in told
    assert bool(words) == bool(told)


def test_a_problem_keeps_the_time_at_which_it_began() -> None:
    now = NOW.timestamp()
    first = conclude(KeeperState(), KeeperState(problem="The token is away."), now=now, warning_days=10)
    assert (first.problem, first.problem_since, first.checked_at) == ("The token is away.", now, now)
    second = conclude(first, KeeperState(problem="The PIN is wrong."), now=now + 60, warning_days=10)
    assert (second.problem_since, second.checked_at) == (now, now + 60)
    right = conclude(second, KeeperState(first_end=end(20)), now=now + 120, warning_days=10)
    assert (right.problem, right.problem_since) == ("", 0.0)


def test_what_stopped_a_run_and_the_age_of_the_crl_are_both_told() -> None:
    state = KeeperState(problem="The token is away.", first_end=end(3))
    problem = conclude(KeeperState(), state, now=NOW.timestamp(), warning_days=10).problem
    assert problem.startswith("The token is away. The CRL of 'CN=Example CA' expires in 3 days")


def test_a_line_for_each_change() -> None:
    quiet = KeeperState(issuers=(ISSUER,), signed_at=1.0)
    assert news(quiet, quiet) == []
    assert news(KeeperState(), quiet) == [f"ca: CRL 7, 3 revoked, good until {ISSUER['next_update']}"]
    worried = KeeperState(issuers=(ISSUER,), signed_at=1.0, warnings=("The root's CRL ends.",), problem="No token.")
    assert news(quiet, worried) == ["The root's CRL ends.", "No token."]
    assert news(worried, worried) == ["No token."], "every failed run says why"
    assert news(worried, quiet) == ["The CRL is as it should be again."]


def test_a_pin_is_refused_once_and_another_is_tried() -> None:
    last = KeeperState(refused_pin="12-34")
    assert is_refused(last, "12-34")
    assert not is_refused(last, "12-35")
    assert not is_refused(last, ""), "nobody can tell one that comes from the environment"
    assert not is_refused(KeeperState(), "12-34")


def test_a_new_pin_is_proven_at_once() -> None:
    assert is_unproven(KeeperState(), "12-34")
    assert is_unproven(KeeperState(proven_pin="12-33"), "12-34")
    assert not is_unproven(KeeperState(proven_pin="12-34"), "12-34")
    assert not is_unproven(KeeperState(), "")


def test_a_state_survives_the_disk() -> None:
    state = KeeperState(1.5, "No token.", 1.0, ("Soon.",), 0.5, (ISSUER,), end(3), "12-34", "12-35")
    assert parse_state(json.loads(json.dumps(state.as_dict()))) == state


@pytest.mark.parametrize("raw", [None, [], {"checked_at": "yesterday"}, {"issuers": 3}, {"first_end": 7}])
def test_a_damaged_state_is_none(raw: Any) -> None:
    assert parse_state(raw) == KeeperState()


def test_the_defaults_are_those_of_the_role() -> None:
    settings = parse_settings({"hsm_module": LIBRARY})
    assert settings == KeeperSettings(hsm_module=LIBRARY)
    assert settings.published_path == settings.crl_path
    assert parse_settings({"hsm_module": LIBRARY, "public_folder": "/srv/p"}).published_path == "/srv/p/crl.pem"


BAD_SETTINGS = {
    "no library": ({"hsm_module": ""}, "hsm_module"),
    "a word nobody knows": ({"renewal": 3}, "no setting 'renewal'"),
    "a relative path": ({"crl_path": "crl.pem"}, "'crl_path' is 'crl.pem'"),
    "no path at all": ({"crl_der_path": ""}, "'crl_der_path'"),
    "two lines": ({"hsm_token": "a\nb"}, "control character"),
    "no number": ({"warning_days": "soon"}, "'warning_days' is 'soon'"),
    "no days": ({"warning_days": 0}, "from 1 to"),
    "warned of every CRL": ({"warning_days": 16, "renewal_days": 15}, "smaller than pki_crl_renewal_days"),
    "a wait below nothing": ({"lock_wait": -1}, "'lock_wait'"),
    "another scheme": ({"endpoint": "ftp://host/crl.pem"}, "http://"),
}


@pytest.mark.parametrize(("raw", "words"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_bad_settings_are_refused(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_settings({"hsm_module": LIBRARY, **raw})
    assert words in str(refused.value)


def test_the_settings_of_a_play_are_numbers_as_text() -> None:
    raw = {"hsm_module": LIBRARY, "renewal_days": "15", "warning_days": "10", "timer_hours": "6"}
    settings = parse_settings(raw)
    assert (settings.renewal_days, settings.warning_days, settings.timer_hours) == (15, 10, 6)


def test_metrics() -> None:
    text = render_metrics(KeeperState(checked_at=5.5, issuers=(ISSUER,), first_end=end(20), warnings=("Soon.",)))
    lines = text.splitlines()
    assert "privatespace_authority_crl_run_success 1" in lines
    assert "privatespace_authority_crl_run_timestamp_seconds 5.5" in lines
    assert 'privatespace_authority_crl_number{key_label="ca"} 7' in lines
    assert f"privatespace_authority_crl_first_end_timestamp_seconds {(NOW + 20 * DAY).timestamp()!r}" in lines
    assert len([line for line in lines if line.startswith("# TYPE")]) == len(set(lines)) // 3


def test_metrics_of_an_authority_without_a_crl() -> None:
    text = render_metrics(KeeperState(problem="No token.", issuers=({**ISSUER, "number": None},)))
    assert "privatespace_authority_crl_run_success 0" in text
    assert "crl_number" not in text


def test_labels_are_escaped() -> None:
    text = render_metrics(KeeperState(issuers=({**ISSUER, "key_label": 'a"b\\c'},)))
    assert 'key_label="a\\"b\\\\c"' in text
