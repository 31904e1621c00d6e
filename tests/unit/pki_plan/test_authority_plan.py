"""What has to be done to set up an authority, and when nothing may be done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.authority_plan import (
    CRL_VALIDITY,
    ESTABLISH,
    SERVER_KEY,
    SERVER_KEY_MODE,
    WantedAuthority,
    plan_authority,
    require_algorithm,
    require_key_may_be_used,
)


@dataclass(frozen=True)
class Known:
    label: str = "ca"
    common_name: str = "Example"
    algorithm: str = "ec-p256"
    state: str = "active"
    crl_validity_days: int = 30
    not_after: datetime | None = datetime(2036, 1, 1, tzinfo=UTC)


WANTED = WantedAuthority("ca", "Example", "ec-p256", 3650, 30, server_key=True)
CASES: dict[str, tuple[Known | None, int | None, tuple[str, ...]]] = {
    "fresh host": (None, None, (ESTABLISH, SERVER_KEY)),
    "server key is there": (None, 0o600, (ESTABLISH,)),
    "broke off": (Known(state="intended", common_name="Other"), 0o600, (ESTABLISH,)),
    "as wanted": (Known(), 0o600, ()),
    "server key lost": (Known(), None, (SERVER_KEY,)),
    "server key open to others": (Known(), 0o644, (SERVER_KEY_MODE,)),
    "other CRL validity": (Known(crl_validity_days=7), 0o600, (CRL_VALIDITY,)),
}


@pytest.mark.parametrize(("known", "mode", "steps"), CASES.values(), ids=CASES.keys())
def test_what_is_done(known: Known | None, mode: int | None, steps: tuple[str, ...]) -> None:
    change = plan_authority(WANTED, known, server_key_mode=mode)
    assert change.steps == steps
    assert change.needed == (change.before != change.after)


def test_no_server_key_is_made_where_none_is_wanted() -> None:
    change = plan_authority(replace(WANTED, server_key=False), Known(), server_key_mode=None)
    assert not change.needed
    assert "tls_crypt_v2_server_key" not in change.after


@pytest.mark.parametrize(("field", "value"), [("common_name", "Other"), ("algorithm", "ed25519")])
def test_an_authority_keeps_its_name_and_algorithm(field: str, value: str) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(StateError, match=f"has the {field} "):
        plan_authority(replace(WANTED, **changed), Known(), server_key_mode=0o600)


def test_a_store_belongs_to_one_authority() -> None:
    with pytest.raises(StateError, match="already belongs to the authority with the key label 'old'"):
        plan_authority(WANTED, None, server_key_mode=None, others=("old",))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"common_name": ""}, "common_name"),
        ({"common_name": "   "}, "common_name"),
        ({"common_name": "a" * 65}, "65 characters|must have 1 to 64"),
        ({"common_name": "a\nb"}, "control character"),
        ({"validity_days": 0}, "validity_days"),
        ({"crl_validity_days": 0}, "crl_validity_days"),
    ],
)
def test_what_no_certificate_can_hold_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(WANTED, **changed).check()


def test_a_common_name_of_64_characters_fits() -> None:
    replace(WANTED, common_name="a" * 64).check()


@pytest.mark.parametrize(
    ("in_token", "intended", "adopt"),
    [(False, False, False), (True, True, False), (True, False, True), (False, True, False)],
)
def test_keys_that_may_be_used(in_token: bool, intended: bool, adopt: bool) -> None:
    require_key_may_be_used("ca", in_token=in_token, intended=intended, adopt=adopt)


def test_a_key_without_a_store_means_that_the_store_was_lost() -> None:
    with pytest.raises(StateError, match="restore it from its backup"):
        require_key_may_be_used("ca", in_token=True, intended=False, adopt=False)


def test_a_key_of_another_kind_is_not_adopted() -> None:
    require_algorithm(WANTED, found="ec-p256")
    with pytest.raises(StateError, match="of the kind rsa-2048, not ec-p256"):
        require_algorithm(WANTED, found="rsa-2048")
