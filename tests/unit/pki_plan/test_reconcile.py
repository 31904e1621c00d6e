"""The plan of a reconcile, case by case: what is known, what is wanted, what is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import (
    Issue,
    Revoke,
    Step,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import (
    LOST,
    Policy,
    plan_certificate,
    plan_users,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import (
    Reading,
    WantedDevice,
    parse_wanted,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Cert:
    """A certificate that is known, by default one that is valid for 100 days more."""

    serial: int
    common_name: str
    state: str = "valid"
    days_left: float = 100
    public_key_sha256: str = "old key"
    authority: str = "ca"
    delivered: bool = True

    @property
    def name(self) -> str:
        return self.common_name.partition("@")[0]

    @property
    def device(self) -> str:
        return self.common_name.partition("@")[2]

    @property
    def not_after(self) -> datetime:
        return NOW + timedelta(days=self.days_left)


def plan(
    users: list[dict[str, Any]], known: Sequence[Cert] = (), *, issuer: str = "", now: datetime = NOW, **options: bool
) -> Change[Step]:
    wanted = parse_wanted(users, Reading(lambda csr: csr, now))
    return plan_users(wanted, known, Policy(now, 30, issuer), **options)


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
    policy = Policy(NOW, 30, "ca", deliveries=False)
    assert not plan_certificate(wanted, [Cert(1, "gateway-cambridge")], policy).needed
    change = plan_certificate(wanted, [], policy)
    assert change.steps == (Issue("cambridge", "", "gateway-cambridge", "issued", "csr"),)


def test_a_plan_grows_with_the_list_and_not_faster() -> None:
    users = [{"name": f"u{number}"} for number in range(5000)]
    known = [Cert(number, f"u{number}@default") for number in range(5000)]
    assert plan(users, known, purge=True).result["counts"]["kept"] == 5000


def test_a_gateway_follows_the_authority_that_issues() -> None:
    wanted = WantedDevice("cambridge", "", "gateway-cambridge", csr="csr", csr_key_sha256="old key")
    change = plan_certificate(wanted, [Cert(1, "gateway-cambridge")], Policy(NOW, 30, "ca2", deliveries=False))
    assert change.steps == (Issue("cambridge", "", "gateway-cambridge", "renewed", "csr"),)


def test_the_certificate_of_a_gateway_is_returned_by_every_run_and_never_lost() -> None:
    wanted = WantedDevice("cambridge", "", "gateway-cambridge", csr="csr", csr_key_sha256="old key")
    known = [Cert(1, "gateway-cambridge", delivered=False)]
    assert not plan_certificate(wanted, known, Policy(NOW, 30, "ca", deliveries=False)).needed


# What a run left behind that was killed between storing certificates and returning them.
LOST_CASES: list[tuple[str, dict[str, Any], list[Cert], str, list[Step]]] = [
    (
        "made here",
        ALICE,
        [Cert(1, A, delivered=False)],
        "reissued",
        [Revoke(1, A, "superseded"), issue("reissued")],
    ),
    (
        "the one before it is in use",
        ALICE,
        [Cert(1, A, "superseded", 5), Cert(2, A, delivered=False)],
        "reissued",
        [Revoke(2, A, "superseded"), issue("reissued")],
    ),
    (
        "twice",
        ALICE,
        [Cert(1, A, "superseded", 5, delivered=False), Cert(2, A, delivered=False)],
        "reissued",
        [Revoke(1, A, "superseded"), Revoke(2, A, "superseded"), issue("reissued")],
    ),
    ("and one came after it", ALICE, [Cert(1, A, "superseded", 5, delivered=False), Cert(2, A)], "kept", []),
    (
        "with a CSR of the same key",
        WITH_CSR,
        [Cert(1, A, public_key_sha256="new key", delivered=False)],
        "renewed",
        [issue("renewed", "new key")],
    ),
    ("expired", ALICE, [Cert(1, A, days_left=-1, delivered=False)], "renewed", [issue("renewed")]),
    ("removed", GONE, [Cert(1, A, delivered=False)], "revoked", [Revoke(1, A, "cessationOfOperation")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("user", "known", "outcome", "steps"), [case[1:] for case in LOST_CASES], ids=[case[0] for case in LOST_CASES]
)
def test_what_never_left_the_run_that_signed_it(
    user: dict[str, Any], known: list[Cert], outcome: str, steps: list[Step]
) -> None:
    change = plan([user], known)
    assert outcomes(change) == [(A, outcome)]
    assert list(change.steps) == steps
    assert change.result["users"][0]["note"] == (LOST if outcome == "reissued" else "")


def test_somebody_may_hold_what_seems_lost_so_its_sessions_are_cut() -> None:
    """A run can be killed between the last byte of its result and the note that it was delivered."""
    assert plan([ALICE], [Cert(1, A, delivered=False)]).result["revoked"] == [{"common_name": A, "serial": "1"}]


@pytest.mark.parametrize(
    ("issuer", "authority", "outcome"),
    [("", "ca", "kept"), ("ca", "ca", "kept"), ("ca2", "ca", "renewed"), ("ca2", "ca2", "kept")],
)
def test_certificates_of_a_retiring_authority_are_renewed_where_that_is_asked(
    issuer: str, authority: str, outcome: str
) -> None:
    change = plan([ALICE], [Cert(1, A, authority=authority)], issuer=issuer)
    assert outcomes(change) == [(A, outcome)]
    assert all(isinstance(step, Issue) for step in change.steps), "the old one stays usable"


def test_a_gateway_leaves_nothing_behind_when_it_moves_to_another_authority() -> None:
    """Else the authority before could not retire before the old certificate expires."""
    name = "gateway-cambridge"
    known = [Cert(1, name, "superseded"), Cert(2, name, days_left=-1), Cert(3, name)]
    wanted = WantedDevice(name, "", name, csr="csr", csr_key_sha256="old key")
    policy = Policy(NOW, 30, "ca2", deliveries=False, moves=True)
    steps = plan_certificate(wanted, known, policy).steps
    assert [step.serial for step in steps if isinstance(step, Revoke)] == [1, 3]
    assert isinstance(steps[-1], Issue)
    moved = [*known, Cert(4, name, authority="ca2", days_left=3)]
    assert [type(step) for step in plan_certificate(wanted, moved[3:], policy).steps] == [Issue], (
        "a renewal revokes not"
    )


def test_moving_to_another_authority_does_not_touch_who_is_not_named() -> None:
    change = plan([ALICE], [Cert(1, A, authority="ca2"), Cert(2, "bob@a", authority="ca")], issuer="ca2", purge=False)
    assert not change.needed


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ({"name": "alice", "devices": [{"name": "a", "reissue": True, "reason": "keyCompromise"}]}, "keyCompromise"),
        ({"name": "alice", "state": "absent", "reason": "privilegeWithdrawn"}, "privilegeWithdrawn"),
        (
            {"name": "alice", "state": "absent", "devices": [{"name": "a", "reason": "affiliationChanged"}]},
            "affiliationChanged",
        ),
    ],
    ids=["reissue", "user", "device"],
)
def test_revocations_bear_the_reason_and_the_date_that_were_given(user: dict[str, Any], reason: str) -> None:
    since = "2026-11-20T00:00:00+00:00"
    if "reason" in user:
        user = {**user, "invalidity_date": since}
    else:
        user = {**user, "devices": [{**user["devices"][0], "invalidity_date": since}]}
    steps = plan([user], [Cert(1, A)]).steps
    assert steps[0] == Revoke(1, A, reason, datetime.fromisoformat(since))


def test_a_clock_that_was_set_back_renews_nothing_and_revokes_what_is_asked() -> None:
    """Certificates look younger than they are; nothing is issued or lost by that."""
    past = NOW - timedelta(days=400)
    known = [Cert(1, A, days_left=10), Cert(2, "bob@a", "superseded", -1)]
    assert outcomes(plan([ALICE], known, now=past)) == [(A, "kept")]
    assert plan([GONE], known, now=past).steps == (Revoke(1, A, "cessationOfOperation"),)


def test_a_name_that_was_freed_can_be_used_again_and_again() -> None:
    known = [Cert(1, A, "revoked"), Cert(2, A, "revoked", -3)]
    assert outcomes(plan([ALICE], known)) == [(A, "issued")]
    assert outcomes(plan([GONE], [*known, Cert(3, A)])) == [(A, "revoked")]
    assert outcomes(plan([ALICE], [*known, Cert(3, A, "revoked")])) == [(A, "issued")]
