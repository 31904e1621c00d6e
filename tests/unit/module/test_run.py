"""How every module ends: changed, check mode, diff, failure. On the real AnsibleModule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    PartialError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import report, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NEEDED: Change[str] = Change(before={"key": None}, after={"key": "made"}, steps=("make",), result={"label": "ca"})
NOT_NEEDED: Change[str] = Change(before={"key": "made"}, after={"key": "made"}, result={"label": "ca"})


class Ended:
    """What a module printed as it ended."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status = status
        self.answer = answer


@pytest.fixture
def end(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Call a function with a real AnsibleModule and return how the module ended."""

    def call(body: Callable[[AnsibleModule], None], *, check_mode: bool = False) -> Ended:
        with patch_module_args({"_ansible_check_mode": check_mode}), pytest.raises(SystemExit) as caught:
            body(AnsibleModule(argument_spec={}, supports_check_mode=True))
        code = caught.value.code
        return Ended(code if isinstance(code, int) else 1, json.loads(capsys.readouterr().out))

    return call


def test_a_needed_change_is_applied_and_reported(end: Callable[..., Ended]) -> None:
    applied: list[Change[Any]] = []

    def apply(change: Change[Any]) -> Mapping[str, Any]:
        applied.append(change)
        return {"public_key": "PEM"}

    ended = end(lambda module: run(module, lambda: NEEDED, apply))
    assert applied == [NEEDED]
    assert ended.status == 0
    assert ended.answer["changed"] is True
    assert (ended.answer["label"], ended.answer["public_key"]) == ("ca", "PEM")


def test_check_mode_reports_the_change_and_applies_nothing(end: Callable[..., Ended]) -> None:
    ended = end(lambda module: run(module, lambda: NEEDED, _must_not_be_called), check_mode=True)
    assert ended.answer["changed"] is True
    assert ended.answer["label"] == "ca"
    assert json.loads(ended.answer["diff"]["after"]) == {"key": "made"}


def test_what_is_not_needed_is_not_applied_and_shows_no_diff(end: Callable[..., Ended]) -> None:
    ended = end(lambda module: run(module, lambda: NOT_NEEDED, _must_not_be_called))
    assert ended.answer["changed"] is False
    assert "diff" not in ended.answer


def test_a_diff_shows_both_states_one_fact_a_line(end: Callable[..., Ended]) -> None:
    ended = end(lambda module: run(module, lambda: NEEDED, lambda _change: {}))
    assert ended.answer["diff"] == {"before": '{\n  "key": null\n}\n', "after": '{\n  "key": "made"\n}\n'}


def test_what_apply_returns_wins_over_what_was_planned(end: Callable[..., Ended]) -> None:
    ended = end(lambda module: run(module, lambda: NEEDED, lambda _change: {"label": "measured"}))
    assert ended.answer["label"] == "measured"


@pytest.mark.parametrize("where", ["decide", "apply"])
def test_an_error_of_ours_fails_the_module_with_cause_and_remedy(end: Callable[..., Ended], where: str) -> None:
    def fail(*_anything: object) -> Any:
        raise StateError("The token is not there.", remedy="Plug it in.")

    ended = end(lambda module: run(module, fail if where == "decide" else lambda: NEEDED, fail))
    assert ended.status == 1
    assert ended.answer["failed"] is True
    assert ended.answer["msg"] == "The token is not there. Plug it in."


def test_a_failure_in_the_middle_reports_what_is_done(end: Callable[..., Ended]) -> None:
    def fail(_change: Change[Any]) -> Mapping[str, Any]:
        raise PartialError("The token is gone.", remedy="Run again.", results={"done": 3})

    ended = end(lambda module: run(module, lambda: NEEDED, fail))
    assert ended.status == 1
    expected = {"failed": True, "changed": True, "msg": "The token is gone. Run again.", "label": "ca", "done": 3}
    assert {name: ended.answer[name] for name in expected} == expected


@pytest.mark.parametrize("fails", [False, True])
def test_only_the_value_that_holds_secrets_is_kept_whole(end: Callable[..., Ended], *, fails: bool) -> None:
    """Four digits that a PIN and a key have in common do not damage the key."""
    results = {"deliveries": [{"private_key": "MIIB1234AAAA"}], "users": ["user 1234"]}

    def apply(_change: Change[Any]) -> Mapping[str, Any]:
        if fails:
            raise PartialError("The token 1234 is gone.", results=results)
        return results

    def body(module: AnsibleModule) -> None:
        module.no_log_values.add("1234")
        run(module, lambda: NEEDED, apply, kept_whole="deliveries")

    answer = dict(end(body).answer)
    assert answer.pop("deliveries") == [{"private_key": "MIIB1234AAAA"}]
    assert "1234" not in json.dumps(answer)


def test_a_defect_is_not_dressed_up_as_an_error_of_ours() -> None:
    def defect() -> Change[Any]:
        raise ZeroDivisionError

    with patch_module_args({}), pytest.raises(ZeroDivisionError):
        run(AnsibleModule(argument_spec={}), defect, _must_not_be_called)


def test_a_report_never_changes_anything(end: Callable[..., Ended]) -> None:
    ended = end(lambda module: report(module, lambda: {"sessions": []}))
    assert (ended.status, ended.answer["changed"], ended.answer["sessions"]) == (0, False, [])


def test_a_report_that_cannot_be_made_fails_the_module(end: Callable[..., Ended]) -> None:
    def fail() -> Mapping[str, Any]:
        raise CollectionError("No answer.")

    ended = end(lambda module: report(module, fail))
    assert (ended.status, ended.answer["msg"]) == (1, "No answer.")


def _must_not_be_called(_change: Change[Any]) -> Mapping[str, Any]:
    pytest.fail("a step was applied")


@pytest.mark.parametrize("fails", [False, True])
def test_what_comes_after_the_report_comes_once_it_is_out(capsys: pytest.CaptureFixture[str], *, fails: bool) -> None:
    out: list[dict[str, Any]] = []

    def apply(_change: Change[str]) -> dict[str, Any]:
        if fails:
            raise PartialError("Half of it.", results={})
        return {}

    def told() -> None:
        out.append(json.loads(capsys.readouterr().out))
        raise StateError("The disk is full now.")

    with patch_module_args({}), pytest.raises(SystemExit) as caught:
        run(AnsibleModule(argument_spec={}), lambda: NEEDED, apply, told=told)
    assert (caught.value.code, len(out), bool(out[0].get("failed"))) == (int(fails), 1, fails)
    assert capsys.readouterr().out == "", "one report is all that Ansible can read"
