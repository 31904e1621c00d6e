"""What gateways are told, from what the authority answered."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.removal_orders import removal_orders

CRL = {"number": 7, "changed": True, "crl": "PEM"}
BROKEN = {"failed": True, "msg": "There is no token 'vpn'.\nTraceback"}
DOWN = {"unreachable": True, "msg": "Connection timed out"}
ALICE = {"users": ["alice"], "common_names": []}


def device(name: str, outcome: str) -> dict[str, str]:
    user, _at, short = name.partition("@")
    return {"name": user, "device": short, "common_name": name, "outcome": outcome}


def users(*outcomes: tuple[str, str], usable: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """What ``pki_users`` returns: what lost a certificate lost the one with the number of its place."""
    kept = ("issued", "kept", "renewed")
    revoked = [(number, name) for number, (name, outcome) in enumerate(outcomes, 1) if outcome not in kept]
    return {
        "users": [device(*one) for one in outcomes],
        "revoked": [{"common_name": name, "serial": str(serial)} for serial, name in revoked],
        "devices": [{"common_name": name} for name in usable],
        **more,
    }


def test_a_signed_crl_keeps_out_and_names_are_denied_no_more() -> None:
    told = removal_orders(users(("alice@laptop", "revoked"), ("alice@phone", "already_revoked")), CRL, wishes=ALICE)
    assert told["common_names"] == ["alice@laptop", "alice@phone"]
    assert told["serials"] == ["1", "2"]
    assert (told["is_recorded"], told["is_signed"], told["problem"]) == (True, True, "")
    assert told["deny_serials"] == {}
    assert (told["lift_users"], told["lift_names"]) == (["alice"], ["alice@laptop", "alice@phone"])
    assert told["removed"] == ["alice@laptop", "alice@phone"]


@pytest.mark.parametrize(
    ("crl", "problem"),
    [
        (BROKEN, "There is no token 'vpn'."),
        (DOWN, "it could not be reached: Connection timed out"),
        ({"skipped": True}, ""),
        (None, ""),
    ],
)
def test_without_a_crl_who_was_removed_is_denied_with_serials(crl: Any, problem: str) -> None:
    told = removal_orders(users(("bob@laptop", "revoked"), ("erin@laptop", "reissued"), usable=("erin@laptop",)), crl)
    assert (told["is_recorded"], told["is_signed"], told["problem"]) == (True, False, problem)
    assert told["deny_serials"] == {"bob@laptop": ["1"]}, "erin has a new certificate and comes in with it"
    assert (told["deny_users"], told["deny_names"]) == ([], ["bob@laptop"])
    assert told["replaced"] == ["erin@laptop"]
    assert (told["lift_users"], told["lift_names"]) == ([], [])


def test_who_was_named_waits_for_every_certificate_under_that_name() -> None:
    wishes = {"users": ["alice"], "common_names": ["bob@phone"]}
    names = ("alice@laptop", "alice@phone", "bob@phone", "bob@laptop", "alices@laptop")
    told = removal_orders(users(*((name, "revoked") for name in names)), BROKEN, wishes=wishes)
    assert told["deny_serials"] == {
        "alice": ["1", "2"],
        "bob@phone": ["3"],
        "bob@laptop": ["4"],
        "alices@laptop": ["5"],
    }
    assert told["deny_users"] == ["alice"]


def test_who_has_no_certificate_that_could_be_used_is_denied_no_more() -> None:
    answer = {**users(), "users": [device("alice@laptop", "already_revoked")]}
    told = removal_orders(answer, BROKEN, wishes=ALICE)
    assert (told["deny_users"], told["lift_users"], told["unknown"]) == ([], ["alice"], [])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "it was not asked (is it left out by --limit?)"),
        ({}, "it was not asked (is it left out by --limit?)"),
        (DOWN, "it could not be reached: Connection timed out"),
        (BROKEN, "There is no token 'vpn'."),
    ],
)
def test_an_authority_that_did_nothing_lifts_nothing(answer: Any, problem: str) -> None:
    told = removal_orders(answer, {"skipped": True}, wishes=ALICE)
    assert (told["is_recorded"], told["is_signed"], told["problem"]) == (False, False, problem)
    assert (told["deny_serials"], told["lift_users"], told["unknown"]) == ({}, [], [])


@pytest.mark.parametrize("answer", [None, {}, DOWN, {"failed": True, "msg": "The store is locked."}])
def test_a_crl_that_another_playbook_signed_proves_nothing_about_a_removal_that_failed(answer: Any) -> None:
    told = removal_orders(answer, CRL, wishes=ALICE)
    assert (told["is_recorded"], told["is_signed"]) == (False, False)
    assert (told["lift_users"], told["lift_names"], told["deny_serials"]) == ([], [], {})
    assert told["problem"] != ""


def test_a_removal_that_stopped_halfway_is_not_taken_for_a_signed_one() -> None:
    answer = users(("alice@laptop", "revoked"), failed=True, msg="The disk is full.")
    told = removal_orders(answer, CRL, wishes=ALICE)
    assert (told["is_recorded"], told["is_signed"], told["problem"]) == (True, False, "The disk is full.")
    assert (told["deny_serials"], told["lift_users"]) == ({"alice": ["1"]}, [])


def test_a_token_that_failed_on_the_way_denies_who_got_no_new_certificate() -> None:
    answer = users(("erin@laptop", "failed"), failed=True, msg="The token is gone.")
    told = removal_orders(answer, BROKEN)
    assert told["is_recorded"]
    assert told["deny_serials"] == {"erin@laptop": ["1"]}
    assert removal_orders(answer, CRL)["problem"] == "", "whoever issues says it"


@pytest.mark.parametrize("crl", [CRL, BROKEN])
def test_who_was_never_known_is_denied_no_more_and_named(crl: Any) -> None:
    wishes = {"users": ["alice", "alcie"], "common_names": ["bob@phnoe"]}
    told = removal_orders(users(("alice@laptop", "revoked")), crl, wishes=wishes)
    assert told["unknown"] == ["alcie", "bob@phnoe"]
    assert set(told["lift_users"]) >= {"alcie"}
    assert set(told["lift_names"]) >= {"bob@phnoe"}
    assert ("alice" in told["lift_users"]) is (crl is CRL)


@pytest.mark.parametrize(
    ("outcomes", "usable", "lift_users", "lift_names"),
    [
        ([("dave@laptop", "issued")], ["dave@laptop"], ["dave"], ["dave@laptop"]),
        ([("dave@laptop", "reissued")], ["dave@laptop"], ["dave"], ["dave@laptop"]),
        ([("dave@laptop", "issued")], ["dave@laptop", "dave@phone"], [], ["dave@laptop"]),
        ([("dave@laptop", "issued")], ["dave@laptop", "daves@phone"], ["dave"], ["dave@laptop"]),
        ([("dave@laptop", "kept")], ["dave@laptop"], [], []),
        ([("dave@laptop", "renewed")], ["dave@laptop"], [], []),
    ],
)
def test_a_name_that_is_issued_again_works_at_once_and_nothing_old_hides_behind_it(
    outcomes: Any, usable: Any, lift_users: list[str], lift_names: list[str]
) -> None:
    told = removal_orders(users(*outcomes, usable=tuple(usable)), CRL)
    assert (told["lift_users"], told["lift_names"]) == (lift_users, lift_names)


def test_who_was_removed_once_and_is_issued_again_is_named() -> None:
    issued = users(("dave@laptop", "issued"), ("erin@laptop", "issued"), usable=("dave@laptop", "erin@laptop"))
    told = removal_orders({**issued, "once_revoked": ["dave", "mo"]}, CRL)
    assert told["admitted"] == ["dave", "dave@laptop"]
    assert removal_orders({**issued, "once_revoked": ["dave"]}, BROKEN)["admitted"] == []
    kept = users(("dave@laptop", "kept"), usable=("dave@laptop",), once_revoked=["dave"])
    assert removal_orders(kept, CRL)["admitted"] == []


def test_check_mode_asks_for_no_serial_and_denies_nobody() -> None:
    answer = users(("alice@laptop", "revoked"), usable=("alice@laptop",))
    told = removal_orders(answer, {"number": 8, "crl": "", "changed": True}, wishes=ALICE, check_mode=True)
    assert told["common_names"] == ["alice@laptop"]
    assert (told["serials"], told["deny_serials"], told["is_recorded"]) == ([], {}, False)


def test_a_refreshed_crl_alone_orders_nothing_else() -> None:
    told = removal_orders(None, CRL)
    assert told["is_signed"]
    assert (told["common_names"], told["lift_users"], told["problem"]) == ([], [], "")


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="removal_orders: these are not the results"):
        removal_orders({"revoked": [{"serial": "1"}]}, CRL)


@pytest.mark.parametrize("crl", [None, {}])
def test_an_authority_that_was_asked_for_nothing_says_so(crl: Any) -> None:
    told = removal_orders(None, crl)
    assert (told["is_signed"], told["problem"]) == (False, "it was not asked (is it left out by --limit?)")
