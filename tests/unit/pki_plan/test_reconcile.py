"""The plan of a reconcile, case by case: what is known, what is wanted, what is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import (
    Issue,
    Revoke,
    Step,
    plan_certificate,
    plan_users,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import WantedDevice, parse_wanted

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Cert:
    """A certificate that is known, by default one that is valid for 100 days more."""

    serial: int
    common_name: str
    state: str = "valid"
    days_left: float = 100
    public_key_sha256: str = "old key"

    @property
    def name(self) -> str:
        return self.common_name.partition("@")[0]

    @property
    def device(self) -> str:
        return self.common_name.partition("@")[2]

    @property
    def not_after(self) -> datetime:
        return NOW + timedelta(days=self.days_left)


def plan(users: list[dict[str, Any]], known: Sequence[Cert] = (), **options: bool) -> Change[Step]:
    wanted = parse_wanted(users, csr_fingerprint=lambda csr: csr)
    return plan_users(wanted, known, now=NOW, renewal_days=30, **options)


def outcomes(change: Change[Step]) -> list[tuple[str, str]]:
    return [(user["common_name"], user["outcome"]) for user in change.result["users"]]


ALICE: dict[str, Any] = {"name": "alice", "devices": [{"name": "a"}]}
REISSUE: dict[str, Any] = {"name": "alice", "devices": [{"name": "a", "reissue": True}]}
WITH_CSR: dict[str, Any] = {"name": "alice", "devices": [{"name": "a", "csr_content": "new key"}]}
GONE: dict[str, Any] = {"name": "alice", "state": "absent"}
A = "alice@a"


def issue(outcome: str, csr: str | None = None) -> Issue:
    return Issue("alice", "a", A, outcome, csr)


CASES: list[tuple[str, dict[str, Any], list[Cert], str, list[Step]]] = [
    ("missing", ALICE, [], "issued", [issue("issued")]),
    ("valid", ALICE, [Cert(1, A)], "kept", []),
    ("at the edge of the window", ALICE, [Cert(1, A, days_left=30)], "kept", []),
    ("inside the window", ALICE, [Cert(1, A, days_left=29.9)], "renewed", [issue("renewed")]),
    ("expired", ALICE, [Cert(1, A, days_left=-1)], "renewed", [issue("renewed")]),
    ("renewed before", ALICE, [Cert(1, A, "superseded", 5), Cert(2, A)], "kept", []),
    ("revoked", ALICE, [Cert(1, A, "revoked")], "issued", [issue("issued")]),
    ("revoked, renewed", ALICE, [Cert(1, A, "superseded", -9), Cert(2, A, "revoked")], "issued", [issue("issued")]),
    ("in another case", ALICE, [Cert(1, "ALICE@A")], "kept", []),
    ("other device", ALICE, [Cert(1, "alice@b")], "issued", [issue("issued")]),
    ("reissue of one", REISSUE, [Cert(1, A)], "reissued", [Revoke(1, A, "superseded"), issue("reissued")]),
    ("reissue of none", REISSUE, [], "issued", [issue("issued")]),
    ("reissue of a revoked one", REISSUE, [Cert(1, A, "revoked")], "issued", [issue("issued")]),
    ("reissue of an expired one", REISSUE, [Cert(1, A, days_left=-1)], "renewed", [issue("renewed")]),
    (
        "reissue revokes what was renewed, too",
        REISSUE,
        [Cert(1, A, "superseded", 5), Cert(2, A), Cert(3, "alice@b")],
        "reissued",
        [Revoke(1, A, "superseded"), Revoke(2, A, "superseded"), issue("reissued")],
    ),
    ("CSR for nothing", WITH_CSR, [], "issued", [issue("issued", "new key")]),
    ("CSR of the same key", WITH_CSR, [Cert(1, A, public_key_sha256="new key")], "kept", []),
    (
        "CSR of the same key inside the window",
        WITH_CSR,
        [Cert(1, A, days_left=3, public_key_sha256="new key")],
        "renewed",
        [issue("renewed", "new key")],
    ),
    (
        "CSR of another key",
        WITH_CSR,
        [Cert(1, A)],
        "reissued",
        [Revoke(1, A, "superseded"), issue("reissued", "new key")],
    ),
    ("remove", GONE, [Cert(1, A)], "revoked", [Revoke(1, A, "cessationOfOperation")]),
    (
        "remove what was renewed, too",
        GONE,
        [Cert(1, A, "superseded", 5), Cert(2, A)],
        "revoked",
        [Revoke(1, A, "cessationOfOperation"), Revoke(2, A, "cessationOfOperation")],
    ),
    ("remove a removed one", GONE, [Cert(1, A, "revoked")], "already_revoked", []),
    ("remove an expired one", GONE, [Cert(1, A, days_left=-1)], "already_revoked", []),
    (
        "remove one that came back",
        GONE,
        [Cert(1, A, "revoked"), Cert(2, A)],
        "revoked",
        [Revoke(2, A, "cessationOfOperation")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("user", "known", "outcome", "steps"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_device(user: dict[str, Any], known: list[Cert], outcome: str, steps: list[Step]) -> None:
    change = plan([user], known)
    assert outcomes(change) == [(A, outcome)]
    assert list(change.steps) == steps
    assert change.needed == bool(steps) == (change.before != change.after)
    assert change.result["counts"][outcome] == sum(change.result["counts"].values()) == 1
    assert change.result["deliveries"] == []


def test_a_kept_certificate_is_shown_with_serial_and_end() -> None:
    (user,) = plan([ALICE], [Cert(2**159 - 1, A)]).result["users"]
    assert user["serial"] == str(2**159 - 1)
    assert user["not_after"] == "2027-03-02T12:00:00+00:00"


@pytest.mark.parametrize("known", [[], [Cert(1, A, days_left=1)]], ids=["new", "renewal"])
def test_what_is_yet_to_be_issued_has_no_serial(known: list[Cert]) -> None:
    (user,) = plan([ALICE], known).result["users"]
    assert (user["serial"], user["not_after"]) == (None, None)


def test_a_second_removal_tells_the_gateways_again() -> None:
    """A rerun after a gateway was down has to name what must be cut."""
    known = [Cert(1, A, "revoked"), Cert(2, "alice@b", "revoked"), Cert(3, "alice@c", "revoked", days_left=-1)]
    change = plan([GONE], known)
    assert not change.needed
    assert change.result["revoked"] == [{"common_name": A, "serial": "1"}, {"common_name": "alice@b", "serial": "2"}]


def test_a_reissue_names_what_it_revokes() -> None:
    assert plan([REISSUE], [Cert(1, A)]).result["revoked"] == [{"common_name": A, "serial": "1"}]


def test_removing_one_device_leaves_the_others() -> None:
    user = {"name": "alice", "state": "absent", "devices": [{"name": "a"}]}
    change = plan([user], [Cert(1, A), Cert(2, "alice@b")])
    assert change.steps == (Revoke(1, A, "cessationOfOperation"),)
    assert outcomes(change) == [(A, "revoked")]


def test_unknown_users_and_devices_to_remove_are_all_named() -> None:
    users: list[dict[str, Any]] = [
        {"name": "carol", "state": "absent"},
        {"name": "alice", "state": "absent", "devices": [{"name": "z"}]},
    ]
    with pytest.raises(StateError, match=r"for 'carol', 'alice@z'\. .*Nothing was changed"):
        plan(users, [Cert(1, A)])
    assert plan(users, [Cert(1, A)], missing_ok=True).result["users"] == []


def test_a_known_user_beside_an_unknown_one_is_removed_with_missing_ok() -> None:
    change = plan([{"name": "carol", "state": "absent"}, GONE], [Cert(1, A)], missing_ok=True)
    assert outcomes(change) == [(A, "revoked")]


def test_many_unknown_users_are_cut() -> None:
    with pytest.raises(StateError, match="'u19' and 10 more"):
        plan([{"name": f"u{number}", "state": "absent"} for number in range(30)])


def test_without_purge_others_are_not_touched_and_not_shown() -> None:
    assert outcomes(plan([ALICE], [Cert(1, A), Cert(2, "bob@a"), Cert(3, "alice@b")])) == [(A, "kept")]


def test_purge_revokes_what_is_usable_and_not_wanted() -> None:
    known = [
        Cert(1, A), Cert(2, "bob@a"), Cert(3, "alice@b"), Cert(4, "bob@b", days_left=-1), Cert(5, "eve@a", "revoked"),
        Cert(6, "bob@c", "superseded", 3), Cert(7, "bob@c"),
    ]  # fmt: skip
    change = plan([ALICE], known, purge=True)
    assert outcomes(change) == [(A, "kept"), ("alice@b", "revoked"), ("bob@a", "revoked"), ("bob@c", "revoked")]
    assert [step.serial for step in change.steps if isinstance(step, Revoke)] == [3, 2, 6, 7]


def test_purge_with_an_empty_list_removes_everybody() -> None:
    assert outcomes(plan([], [Cert(1, A), Cert(2, "bob@a")], purge=True)) == [(A, "revoked"), ("bob@a", "revoked")]


def test_a_diff_shows_only_what_changes() -> None:
    change = plan([ALICE, {"name": "bob", "devices": [{"name": "a"}]}], [Cert(1, A)])
    assert change.before == {"bob@a": {"state": "absent"}}
    assert change.after == {"bob@a": {"state": "valid", "outcome": "issued"}}


def test_a_gateway_is_planned_like_a_device() -> None:
    wanted = WantedDevice("cambridge", "", "gateway-cambridge", csr="csr", csr_key_sha256="old key")
    assert not plan_certificate(wanted, [Cert(1, "gateway-cambridge")], now=NOW, renewal_days=30).needed
    change = plan_certificate(wanted, [], now=NOW, renewal_days=30)
    assert change.steps == (Issue("cambridge", "", "gateway-cambridge", "issued", "csr"),)


def test_a_plan_grows_with_the_list_and_not_faster() -> None:
    users = [{"name": f"u{number}"} for number in range(5000)]
    known = [Cert(number, f"u{number}@default") for number in range(5000)]
    assert plan(users, known, purge=True).result["counts"]["kept"] == 5000
