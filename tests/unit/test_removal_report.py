"""The timeline of a removal, from what each gateway answered."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.access_heading import access_heading
from ansible_collections.privatespace.gateway.plugins.filter.removal_report import removal_report
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_orders import Orders
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import (
    build_removal_report,
    clock_shift,
    render_access_heading,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_text import (
    render_commands,
    render_hint,
    render_removal_report,
)

CUT = {"common_name": "alice@laptop", "listener": "udp"}


def answer(start: float, *, cut: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "asked_at": start - 0.5,
        "answered_at": start + 1.0,
        "timeline": {
            "snapshot_at": start,
            "crl_installed_at": start + 0.1,
            "cut_at": start + 0.2 if cut else None,
            "verified_at": start + 0.3,
        },
        "sessions_cut": [CUT] if cut else [],
        **more,
    }


def report(**gateways: dict[str, Any]) -> Any:
    return build_removal_report(started=100.0, signed_at=101.0, crl_number=7, authority="authority", gateways=gateways)


def test_moments_are_in_order_of_time_over_all_hosts() -> None:
    moments = report(gateway1=answer(102.0), gateway2=answer(101.9, cut=False)).moments
    assert [(round(m.seconds, 2), m.host) for m in moments] == [
        (1.0, "authority"),
        (2.0, "gateway2"),
        (2.1, "gateway1"),
        (2.2, "gateway1"),
        (2.2, "gateway2"),
        (2.3, "gateway1"),
    ]


def test_durations_run_to_the_last_session_cut() -> None:
    result = report(gateway1=answer(102.0), gateway2=answer(103.0))
    assert result.start_to_cut == pytest.approx(3.2)
    assert result.signed_to_cut == pytest.approx(2.2)


def test_no_session_cut_means_no_duration() -> None:
    result = report(gateway1=answer(102.0, cut=False))
    assert result.start_to_cut is None
    assert result.signed_to_cut is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "not asked"),
        ({"unreachable": True, "msg": "Task failed: Connection refused"}, "could not be reached: Connection refused"),
        ({"unreachable": True, "msg": "Connection refused\nmore"}, "could not be reached: Connection refused"),
        ({"failed": True, "msg": "alice@laptop is still connected."}, "still connected"),
        ({"timeline": {"verified_at": None}}, "no proof"),
        ({"failed": True, "timedout": 60, "msg": "Timed out after 60 second(s)."}, "it did not answer within 60 s"),
        ({"failed": True, "timedout": 0, "msg": "alice@laptop is still connected."}, "still connected"),
    ],
)
def test_a_gateway_without_proof_is_named(given: dict[str, Any], reason: str) -> None:
    result = report(gateway1=answer(102.0), gateway2=given)
    assert [name for name, _reason in result.missing] == ["gateway2"]
    assert reason in result.missing[0][1]
    assert any(
        line.startswith("NOT PROVED on gateway2") for line in render_removal_report(result, revoked=["alice@laptop"])
    )


def test_a_wrong_clock_is_corrected_and_named() -> None:
    result = report(gateway1={**answer(5000.0), "asked_at": 101.5, "answered_at": 102.5})
    assert all(0 < moment.seconds < 3 for moment in result.moments)
    assert "gateway1" in result.remarks[0]


def test_a_believable_clock_is_not_touched() -> None:
    assert clock_shift(10.0, 11.0, asked=9.0, answered=12.0) == 0.0
    assert clock_shift(20.0, 21.0, asked=9.0, answered=12.0) == pytest.approx(-10.0)


DEVICES = [
    {"common_name": "alice@laptop", "user": "alice", "device": "laptop", "disabled": False},
    {"common_name": "alice@phone", "user": "alice", "device": "phone", "disabled": True},
    {"common_name": "alice@tablet", "user": "alice", "device": "tablet", "disabled": True},
    {"common_name": "al@laptop", "user": "al", "device": "laptop", "disabled": True},
]


@pytest.mark.parametrize(
    ("user", "device", "line"),
    [
        ("alice", "", "Disabled: alice@phone, alice@tablet; Enabled: alice@laptop"),
        ("alice", "phone", "Disabled: alice@phone"),
        ("al", "", "Disabled: al@laptop"),
        ("zoe", "", "zoe has no device whose certificate can be used."),
    ],
)
def test_a_heading_tells_who_may_connect(user: str, device: str, line: str) -> None:
    assert render_access_heading(DEVICES, user=user, device=device) == line
    assert access_heading(DEVICES, user=user, device=device) == line


def test_a_report_about_access_has_a_heading_and_no_crl() -> None:
    told = removal_report({"gateway1": answer(102.0)}, started=100.0, authority="authority", heading="Disabled: alice")
    assert told["lines"][0] == "Disabled: alice"
    assert not any("signed" in line for line in told["lines"])
    assert told["start_to_cut"] == pytest.approx(2.2)
    with pytest.raises(AnsibleFilterError, match="neither a CRL nor a heading"):
        removal_report({}, started=100.0, authority="authority")


DOWN = {"unreachable": True, "msg": "Connection timed out", "asked_at": 1.0, "answered_at": 2.0}
BROKEN = {"failed": True, "msg": "This gateway refuses by the CRL only.", "asked_at": 1.0, "answered_at": 2.0}
ALICE = {"users": ["alice"], "common_names": [], "subjects": ["alice"], "reason": ""}
SIGNED = Orders(is_recorded=True, is_signed=True, common_names=("alice@laptop",), removed=("alice@laptop",))
RECORDED = Orders(
    is_recorded=True,
    problem="the token is away",
    common_names=("alice@laptop",),
    removed=("alice@laptop",),
    deny_users=("alice",),
)
CRL = {"changed": True, "number": 7, "signed_at": 101.5}


def denial(start: float, *, cut: bool = True) -> dict[str, Any]:
    return {
        "asked_at": start - 0.2,
        "answered_at": start + 0.5,
        "timeline": {
            "snapshot_at": start,
            "denied_at": start + 0.01,
            "cut_at": start + 0.02 if cut else None,
            "verified_at": start + 0.05,
        },
        "sessions_cut": [CUT] if cut else [],
    }


def removal(orders: Orders, *, removed: Any = None, denied: Any = None, **more: Any) -> dict[str, Any]:
    revoked = orders.common_names
    options = {"crl": CRL if orders.is_signed else {"failed": True}, "wishes": ALICE, "revoked": revoked, **more}
    return removal_report(
        removed or {}, started=100.0, authority="authority1", orders=orders.as_dict(), denials=denied or {}, **options
    )


def test_the_timeline_shows_all_three_layers_in_order() -> None:
    told = removal(
        SIGNED,
        removed={"gateway1": {**answer(102.0, cut=False), "refused": {"7": True}}},
        denied={"gateway1": denial(100.6)},
        inventory=["inventory.yml"],
    )
    assert told["lines"] == [
        "Removed: alice@laptop",
        "  +  0.61 s  gateway1    denied by name",
        "  +  0.62 s  gateway1    1 session cut (alice@laptop on udp)",
        "  +  0.65 s  gateway1    not connected, and denied by name",
        "  +  1.50 s  authority1  CRL 7 signed",
        "  +  2.10 s  gateway1    CRL in place",
        "  +  2.30 s  gateway1    verified: not connected, and would be refused",
        "First task to last session cut: 0.62 s",
        "First task to last proof: 2.30 s",
    ]
    assert (told["missing"], told["owed"], told["commands"], told["failure"]) == ([], [], [], "")
    assert told["signed_to_cut"] is None, "nothing was cut after the signature"


def test_a_serial_that_is_not_refused_is_not_called_refused() -> None:
    told = removal(SIGNED, removed={"gateway1": {**answer(102.0), "refused": {"7": True, "8": False}}})
    assert any(line.endswith("verified: not connected") for line in told["lines"])


@pytest.mark.parametrize(
    ("removed", "denied", "missing", "words"),
    [
        pytest.param(answer(102.0), BROKEN, [], "", id="the CRL does it where names cannot"),
        pytest.param(DOWN, DOWN, ["gateway2"], "NOT PROVED on gateway2: it could not be reached", id="down"),
        pytest.param(
            DOWN, denial(101.0), ["gateway2"], "DENIED by name on gateway2 meanwhile: alice", id="lost in between"
        ),
        pytest.param({}, {}, ["gateway2"], "NOT PROVED on gateway2: it was not asked", id="left out"),
    ],
)
def test_with_a_crl_every_gateway_has_to_prove_it(
    removed: dict[str, Any], denied: dict[str, Any], missing: list[str], words: str
) -> None:
    told = removal(
        SIGNED,
        removed={"gateway1": answer(102.0), "gateway2": removed},
        denied={"gateway1": denial(100.5), "gateway2": denied},
    )
    assert told["missing"] == missing
    assert any(words in line for line in told["lines"])
    assert bool(told["commands"]) is bool(missing)
    assert ("TO FINISH: " in str(told["lines"])) is bool(missing)


def test_with_the_token_away_the_report_says_what_holds_and_what_is_owed() -> None:
    told = removal(
        RECORDED,
        removed={"gateway1": {}, "gateway2": {}},
        denied={"gateway1": denial(100.5), "gateway2": DOWN},
        inventory=["/srv/my vpn/inventory.yml"],
    )
    assert told["missing"] == ["gateway2"]
    assert told["denying"] == ["gateway1"]
    assert told["lines"][0] == "Revoked, and in no CRL yet: alice@laptop"
    assert told["start_to_proof"] is None, "names alone are not the proof"
    state = "The certificates are revoked in its store, but no CRL that lists them is signed"
    assert told["owed"] == [
        f"OWED by authority1: {state}: the token is away",
        "DENIED by name on gateway1 meanwhile: alice",
    ]
    command = "ansible-playbook privatespace.gateway.user_remove -i '/srv/my vpn/inventory.yml' -e user_names=alice"
    assert told["lines"][-4:] == [
        "NOT PROVED on gateway2: it could not be reached: Connection timed out",
        *told["owed"],
        f"TO FINISH: {command}",
    ]
    assert told["commands"] == [command]
    assert told["failure"].startswith("Not proved on gateway2. OWED by authority1: ")
    assert told["failure"].endswith(f"DENIED by name on gateway1 meanwhile: alice. Once that is mended, run: {command}")


@pytest.mark.parametrize(
    ("early", "late", "missing"),
    [
        (denial(100.5), denial(102.0, cut=False), []),
        (denial(100.5), DOWN, []),
        (denial(100.5), BROKEN, ["gateway1"]),
        (BROKEN, denial(102.0), []),
        ({}, DOWN, ["gateway1"]),
        ({}, denial(102.0), []),
    ],
)
def test_of_two_denials_the_later_counts_if_it_was_asked(early: Any, late: Any, missing: list[str]) -> None:
    told = removal(RECORDED, removed={"gateway1": {}}, denied={"gateway1": early}, kept={"gateway1": late})
    assert told["missing"] == missing
    assert told["denying"] == ([] if missing else ["gateway1"])


@pytest.mark.parametrize("survivor", ["early", "late"])
def test_without_a_crl_both_the_denial_and_the_cut_are_needed(survivor: str) -> None:
    early, late = (BROKEN, answer(102.0)) if survivor == "early" else (denial(100.5), BROKEN)
    told = removal(RECORDED, removed={"gateway1": late}, denied={"gateway1": early})
    assert told["missing"] == ["gateway1"]
    assert "NOT PROVED on gateway1: This gateway refuses by the CRL only." in told["lines"]


def test_with_the_authority_down_names_alone_hold() -> None:
    orders = Orders(problem="it could not be reached: Connection timed out")
    denials = {"gateway1": denial(100.5), "gateway2": denial(100.6, cut=False)}
    told = removal(orders, removed={name: {} for name in denials}, denied=denials)
    assert told["lines"][0] == "To be removed, and not revoked yet: alice"
    assert told["missing"] == []
    assert told["owed"] == [
        f"OWED by authority1: No certificate is revoked, and no CRL is signed: {orders.problem}",
        "DENIED by name on gateway1, gateway2 meanwhile: alice",
    ]
    assert told["commands"]


def test_who_was_never_known_is_named_and_no_command_would_help() -> None:
    orders = Orders(is_recorded=True, is_signed=True, unknown=("alice",))
    told = removal(orders, removed={"gateway1": answer(102.0, cut=False)})
    assert told["owed"] == ["UNKNOWN to authority1: alice. There never was such a certificate; look at the spelling."]
    assert told["commands"] == []
    assert told["failure"] == told["owed"][0]


def test_a_replaced_certificate_that_no_crl_lists_is_still_accepted() -> None:
    orders = Orders(is_recorded=True, common_names=("erin@laptop",), replaced=("erin@laptop",), problem="no token")
    told = removal(orders, removed={"gateway1": answer(102.0)}, wishes=None)
    assert "STILL ACCEPTED, with sessions cut: the certificates that were replaced of erin@laptop" in told["owed"]
    assert not any(line.startswith("DENIED") for line in told["owed"])
    assert told["commands"] == [
        "ansible-playbook privatespace.gateway.user_add -e user_name=erin -e user_device=laptop"
    ]


@pytest.mark.parametrize(
    ("orders", "commands"),
    [
        (Orders(), ["crl_refresh -i inventory.yml"]),
        (Orders(removed=("a@x", "b@y")), ["user_remove -i inventory.yml -e user_names=a@x,b@y"]),
        (
            Orders(removed=("a@x",), replaced=("c@z",)),
            [
                "user_remove -i inventory.yml -e user_names=a@x",
                "user_add -i inventory.yml -e user_name=c -e user_device=z",
            ],
        ),
    ],
)
def test_the_command_fits_what_was_done(orders: Orders, commands: list[str]) -> None:
    found = render_commands(orders.as_dict(), inventory=["inventory.yml"])
    assert found == [f"ansible-playbook privatespace.gateway.{command}" for command in commands]


def test_a_gateway_that_is_away_while_a_name_is_issued_again_is_told_to_let_it_in() -> None:
    """After the CRL, and only where somebody is away; another user_add would issue nothing, and lift nothing."""
    back = Orders(is_recorded=True, is_signed=True, admitted=("alice", "alice@laptop"))
    gone = {"gateway1": answer(101.0), "gateway2": {"unreachable": True, "msg": "No route"}}
    told = removal_report(gone, started=100.0, authority="ca", orders=back.as_dict(), inventory=["hosts.yml"])
    first, last = told["commands"]
    assert first == "ansible-playbook privatespace.gateway.crl_refresh -i hosts.yml"
    assert last.startswith("ansible gateway2 -i hosts.yml -b -m privatespace.gateway.openvpn_denial -a ")
    assert last.endswith("""'{"state": "absent", "users": ["alice"], "common_names": ["alice@laptop"]}'""")
    all_there = removal_report({"gateway1": answer(101.0)}, started=100.0, authority="ca", orders=back.as_dict())
    assert all_there["commands"] == []


def test_who_was_never_known_is_left_out_of_the_command() -> None:
    (command,) = render_commands(
        Orders(unknown=("alcie",)).as_dict(), subjects=["alcie", "bob@phone"], reason="keyCompromise"
    )
    assert command.endswith("user_remove -e user_names=bob@phone -e user_reason=keyCompromise")


def test_many_commands_are_cut_short() -> None:
    found = render_commands(Orders(replaced=tuple(f"u{n}@x" for n in range(9))).as_dict())
    assert len(found) == 6
    assert found[-1] == "and 4 more like the last one"


@pytest.mark.parametrize(("gateways", "forks", "lines"), [(2, 5, 0), (5, 5, 0), (6, 5, 1), (6, 0, 0)])
def test_too_few_forks_are_worth_a_hint(gateways: int, forks: int, lines: int) -> None:
    found = render_hint(gateways, forks=forks)
    assert len(found) == lines
    assert all(f"--forks {gateways}" in line for line in found)


@pytest.mark.parametrize("problem", ["the token is away", ""])
def test_a_crl_that_was_only_to_be_refreshed_is_owed(problem: str) -> None:
    told = removal(Orders(problem=problem), removed={"gateway1": {}}, wishes=None)
    assert told["lines"][0] == "Nobody was removed, and no CRL is signed."
    assert told["owed"] == ([f"OWED by authority1: No CRL is signed: {problem}"] if problem else [])
    assert told["commands"] == ["ansible-playbook privatespace.gateway.crl_refresh"]
