"""Who is disabled and who is enabled, case by case: what is known, what is wanted, what gateways are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from unit.pki_plan.test_reconcile import NOW, Cert

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Device, Suspended
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.access import AccessPlan, plan_access
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import Policy, decide_users
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import Reading, parse_wanted

ALICE, BOB = Cert(1, "alice@laptop"), Cert(2, "bob@phone")


@dataclass(frozen=True)
class Stopped:
    """A suspension as the store keeps it."""

    subject: str
    reason: str = "on leave"
    lifted_at: Any = None

    @property
    def suspended(self) -> Suspended:
        user, _at, device = self.subject.partition("@")
        return Suspended(user, device)


def reading(**more: Any) -> Reading:
    return Reading(lambda csr: csr, NOW, **more)


def plan(
    *users: dict[str, Any],
    known: Sequence[Cert] = (ALICE, BOB),
    stopped: Sequence[Stopped] = (),
    only: bool = False,
    purge: bool = False,
    missing_ok: bool = False,
) -> AccessPlan:
    wanted = parse_wanted(users, reading(access_only=only))
    decisions = decide_users(wanted, known, Policy(NOW, 30), purge=purge, missing_ok=missing_ok)
    usable = [
        Device(each.common_name, each.name, each.device)
        for each in known
        if each.state != "revoked" and each.not_after > NOW
    ]
    return plan_access(
        wanted, decisions, known=known, suspensions=stopped, usable=usable, missing_ok=missing_ok
    )  # fmt: skip


def steps(made: AccessPlan) -> list[tuple[str, bool, str]]:
    return [(step.suspended.subject, step.disabled, step.why) for step in made.steps]


def user(name: str, access: str | None = None, *devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, **({"access": access} if access else {}), "devices": list(devices), **more}


@pytest.mark.parametrize("only", [True, False])
def test_a_user_is_disabled_and_told_to_gateways(only: bool) -> None:
    made = plan(user("alice", "disabled", {"name": "laptop"}, access_reason="gone fishing"), only=only)
    assert steps(made) == [("alice", True, "gone fishing")]
    assert made.before == {"access": {"alice": "enabled"}}
    assert made.after == {"access": {"alice": "disabled: gone fishing"}}
    assert made.result == {
        "devices": [
            {"common_name": "alice@laptop", "user": "alice", "device": "laptop", "disabled": True},
            {"common_name": "bob@phone", "user": "bob", "device": "phone", "disabled": False},
        ],
        "disabled": ["alice@laptop"],
        "once_disabled": True,
    }


def test_who_is_as_wanted_is_left_alone() -> None:
    for wish, stopped in (("disabled", [Stopped("alice")]), ("enabled", []), (None, [Stopped("alice")])):
        made = plan(user("alice", wish, {"name": "laptop"}), stopped=stopped)
        assert (made.steps, made.before, made.after) == ((), {}, {})


def test_another_reason_is_a_change_and_none_is_not() -> None:
    assert steps(plan(user("alice", "disabled", access_reason="ill"), stopped=[Stopped("alice")], only=True)) == [
        ("alice", True, "ill")
    ]
    assert not plan(user("alice", "disabled"), stopped=[Stopped("alice", "ill")], only=True).steps


def test_a_user_and_a_device_are_apart() -> None:
    laptop = {"name": "laptop", "access": "disabled"}
    assert steps(plan(user("alice", "enabled", laptop), only=True, stopped=[Stopped("alice")])) == [
        ("alice", False, ""),
        ("alice@laptop", True, ""),
    ]
    made = plan(user("alice", "enabled"), only=True, stopped=[Stopped("alice"), Stopped("alice@laptop")])
    assert made.result["disabled"] == ["alice@laptop"], "what was disabled by itself stays so"
    made = plan(user("alice", None, {"name": "laptop", "access": "enabled"}), only=True, stopped=[Stopped("alice")])
    assert (made.steps, made.result["disabled"]) == ((), ["alice@laptop"])


def test_what_is_issued_later_for_a_disabled_user_is_disabled() -> None:
    made = plan(user("alice", None, {"name": "phone"}), stopped=[Stopped("alice")])
    assert (made.steps, made.result["disabled"]) == ((), ["alice@laptop", "alice@phone"])


def test_a_new_user_may_begin_disabled() -> None:
    made = plan(user("carol", "disabled"), known=[])
    assert (steps(made), made.result["disabled"]) == ([("carol", True, "")], ["carol@default"])


GONE = {"name": "alice", "state": "absent"}
STOPPED = [Stopped("alice"), Stopped("alice@laptop"), Stopped("bob")]


@pytest.mark.parametrize(
    ("wish", "purge", "lifted"),
    [
        (GONE, False, ["alice", "alice@laptop"]),
        ({**GONE, "devices": [{"name": "laptop"}]}, False, ["alice", "alice@laptop"]),
        (user("carol"), True, ["alice", "alice@laptop", "bob"]),
        (user("bob", None, {"name": "phone"}), True, ["alice", "alice@laptop"]),
    ],
    ids=["user", "last device", "purge", "purge of others"],
)
def test_a_removal_ends_it(wish: dict[str, Any], purge: bool, lifted: list[str]) -> None:
    made = plan(wish, purge=purge, stopped=STOPPED)
    assert steps(made) == [(subject, False, "removed") for subject in lifted]
    assert "alice@laptop" not in [device["common_name"] for device in made.result["devices"]]


def test_the_removal_of_one_device_leaves_the_user_disabled() -> None:
    known = [ALICE, Cert(3, "alice@phone")]
    made = plan({**GONE, "devices": [{"name": "laptop"}]}, known=known, stopped=STOPPED)
    assert steps(made) == [("alice@laptop", False, "removed")]
    assert made.result["disabled"] == ["alice@phone"]


@pytest.mark.parametrize("days_left", [100, -1])
def test_a_removal_that_is_run_again_finishes_the_job(days_left: float) -> None:
    """Also where nothing was left to be revoked."""
    state = "revoked" if days_left > 0 else "valid"
    made = plan(GONE, known=[Cert(1, "alice@laptop", state, days_left)], stopped=[Stopped("alice")])
    assert steps(made) == [("alice", False, "removed")]


def test_gateways_may_still_hold_a_file_about_who_was_disabled_once() -> None:
    lifted = Stopped("alice@old", lifted_at=NOW - timedelta(days=9))
    assert plan(user("alice"), stopped=[lifted]).result["once_disabled"] is True
    assert plan(user("bob"), stopped=[lifted]).result["once_disabled"] is False


@pytest.mark.parametrize("certificate", [None, Cert(1, "zoe@laptop", "revoked")])
def test_who_has_no_certificate_is_refused_by_name(certificate: Cert | None) -> None:
    known = [ALICE, *([certificate] if certificate else [])]
    wishes = (user("zoe", "disabled"), user("alice", None, {"name": "old", "access": "disabled"}))
    with pytest.raises(StateError, match=r"'zoe', 'alice@old'.*Nothing was changed"):
        plan(*wishes, known=known, only=True)
    assert plan(*wishes, known=known, only=True, missing_ok=True).steps == ()


def test_who_has_an_expired_certificate_may_be_disabled() -> None:
    made = plan(user("alice", "disabled"), known=[Cert(1, "alice@laptop", days_left=-1)], only=True)
    assert (steps(made), made.result["devices"]) == ([("alice", True, "")], [])


@pytest.mark.parametrize(
    ("entry", "only", "words"),
    [
        ({**GONE, "access": "disabled"}, False, "is to be removed, and cannot be disabled"),
        ({**GONE, "devices": [{"name": "a", "access": "enabled"}]}, False, "'alice@a' is to be removed"),
        (GONE, True, "nobody is with 'access_only'"),
        (user("alice"), True, "neither disabled nor enabled"),
        (user("alice", None, {"name": "a"}), True, "neither disabled nor enabled"),
        (user("alice", "disabled", {"name": "a", "reissue": True}), True, "nobody does with 'access_only'"),
        (user("alice", "disabled", {"name": "a", "csr_content": "x"}), True, "nobody does with 'access_only'"),
        (user("alice", "enabled", access_reason="why"), True, "is not to be"),
        (user("alice", None, access_reason="why"), False, "is not to be"),
        (user("alice", "disabled", access_reason="a\nb"), True, "control character"),
        (user("alice", "disabled", access_reason="a" * 256), True, "256 characters"),
        (user("alice", "disabled", {"name": "a b"}), True, "holds the character ' '"),
    ],
)
def test_contradictions_are_refused(entry: dict[str, Any], only: bool, words: str) -> None:
    with pytest.raises(InputError, match="Nothing was changed") as caught:
        parse_wanted([entry], reading(access_only=only))
    assert words in str(caught.value)


def test_only_access_asks_for_no_certificate() -> None:
    wanted = parse_wanted([user("alice", "disabled")], reading(access_only=True))
    assert (wanted.devices, wanted.absent_users, wanted.users) == ((), (), {"alice"})
