"""A lockdown as it is asked for, and as it is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.lockdown_report import lockdown_report
from ansible_collections.privatespace.gateway.plugins.filter.lockdown_wishes import lockdown_wishes

GROUPS = ["staff", "sales"]


def wishes(groups: Any = "", **more: Any) -> dict[str, Any]:
    return lockdown_wishes(groups, known_groups=GROUPS, **more)


def test_everybody_but_those_who_break_glass() -> None:
    found = wishes(everybody="true", spared="carol, dave@desk")
    assert found["state"] == "present"
    assert found["steps"] == [{"lockdown": "everybody", "groups": []}]
    assert found["spared"] == ["carol", "dave@desk"]
    assert found["arguments"] == "-e lockdown_everybody=true -e lockdown_except=carol,dave@desk"


def test_really_everybody_has_to_be_said() -> None:
    found = wishes(everybody=True, spared="none")
    assert found["spared"] == [], "who was spared before is not any more"
    assert "lockdown_except=none" in found["arguments"]


def test_who_says_nothing_of_those_who_are_spared_leaves_them() -> None:
    assert wishes("sales")["spared"] is None
    assert wishes("sales", spared="none")["spared"] == []


@pytest.mark.parametrize("groups", ["sales,staff", ["sales", "staff"], ["sales staff", ""]])
def test_groups_are_written_in_many_ways(groups: Any) -> None:
    found = wishes(groups)
    assert found["steps"] == [{"lockdown": "groups", "groups": ["sales", "staff"]}]
    assert found["whom"] == "the groups sales, staff"


@pytest.mark.parametrize(
    ("groups", "more", "steps"),
    [
        ("", {}, [("everybody", []), ("groups", [])]),
        ("sales", {}, [("groups", ["sales"])]),
        ("", {"everybody": True}, [("everybody", [])]),
    ],
)
def test_lifting_ends_what_is_named_or_everything(groups: str, more: dict[str, Any], steps: Any) -> None:
    found = wishes(groups, state="lifted", **more)
    assert found["state"] == "absent"
    assert [(step["lockdown"], step["groups"]) for step in found["steps"]] == steps


@pytest.mark.parametrize(
    ("groups", "more", "complaint"),
    [
        ("", {}, "Nobody is named"),
        ("", {"everybody": "no"}, "Nobody is named"),
        ("", {"everybody": True}, "lockdown_except=none"),
        ("", {"everybody": "perhaps", "spared": "carol"}, "neither true nor false"),
        ("sales", {"everybody": True, "spared": "carol"}, "for everybody or for groups"),
        ("slaes", {}, "No gateway has a group 'slaes'"),
        ("slaes", {"known": []}, "There are no groups"),
        ("Sales", {}, "Sales"),
        ("sales", {"spared": "Carol"}, "Carol"),
        ("sales", {"spared": "carol@desk@x"}, "carol@desk@x"),
        ("sales", {"state": "over"}, "lockdown_state is 'over'"),
    ],
)
def test_what_would_do_harm_or_nothing_is_refused(groups: str, more: dict[str, Any], complaint: str) -> None:
    known = more.pop("known", GROUPS)
    with pytest.raises(AnsibleFilterError, match="Nothing was changed") as caught:
        lockdown_wishes(groups, known_groups=known, **more)
    assert complaint in str(caught.value)


def answer(start: float, *, cut: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "asked_at": start - 0.5,
        "answered_at": start + 0.5,
        "timeline": {
            "denied_at": start,
            "snapshot_at": start + 0.01,
            "cut_at": start + 0.02 if cut else None,
            "verified_at": start + 0.1,
        },
        "sessions_cut": [{"common_name": name, "listener": "udp"} for name in cut],
        "denials": [{"entry": "lockdown/everybody"}, {"entry": "lockdown/except/carol"}, {"entry": "users/alice"}],
        **more,
    }


def test_the_report_tells_who_was_cut_who_stays_and_how_it_ends() -> None:
    asked = wishes(everybody=True, spared="carol")
    session = {"common_name": "carol@desk", "listener": "tcp"}
    told = lockdown_report(
        {
            "gateway1": answer(101.0, cut=("bob@laptop",), connected=[session]),
            "gateway2": {"unreachable": True, "msg": "No route"},
        },
        wishes=asked,
        started=100.0,
        inventory=["inventory.yml"],
    )
    command = "ansible-playbook privatespace.gateway.lockdown -i inventory.yml"
    assert told["lines"] == [
        "Lockdown of everybody",
        "  +  1.00 s  gateway1  in force",
        "  +  1.02 s  gateway1  1 session cut (bob@laptop on udp)",
        "  +  1.10 s  gateway1  verified: nobody else is connected",
        "Spared: carol",
        "Connected to gateway1 now: carol@desk on tcp",
        "NOT PROVED on gateway2: it could not be reached: No route",
        f"TO FINISH: {command} -e lockdown_everybody=true -e lockdown_except=carol",
        f"TO END IT: {command} -e lockdown_state=lifted",
    ]
    assert told["missing"] == ["gateway2"]
    assert told["failure"].startswith("Not proved on gateway2.")


def test_a_lockdown_that_is_over_says_so() -> None:
    over = answer(101.0, connected=None)
    over["timeline"]["denied_at"] = None
    told = lockdown_report({"gateway1": over}, wishes=wishes(state="lifted"), started=100.0)
    assert told["lines"] == ["Lockdown lifted", "  +  1.10 s  gateway1  lifted"]
    assert told["failure"] == ""


def test_answers_that_are_none_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="lockdown_report: the answers"):
        lockdown_report({"gateway1": answer(1.0)}, wishes={}, started=0.0)
