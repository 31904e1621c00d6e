"""What is missing at the end of a diagnosis is said, whoever did not answer, and nothing else is."""

from __future__ import annotations

from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.outcome import build_outcome

DECIDED: dict[str, Any] = {"observations": {"now": 1.0}, "findings": [{"cause": "cpu_bound"}], "summary": []}
OPENED: dict[str, Any] = {"messages": ["Ports open."], "changed": False}
MEASURED: dict[str, Any] = {"item": "alice", "path": {"probe": "alice"}, "plan": ["Would send at most 200 MB."]}
WHOLE: dict[str, Any] = {"opened": OPENED, "measured": [MEASURED], "decided": DECIDED, "problem": ""}


def test_a_whole_answer_is_a_result_and_misses_nothing() -> None:
    outcome = build_outcome({"gateway1": WHOLE})
    assert outcome["results"] == [{"observations": {"now": 1.0}, "findings": [{"cause": "cpu_bound"}]}]
    assert outcome["missing"] == []
    assert outcome["failure"] == ""


def test_the_plan_names_the_gateway() -> None:
    assert build_outcome({"gateway1": WHOLE})["plan"] == [
        "gateway1: Ports open.",
        "gateway1: Would send at most 200 MB.",
    ]


def test_a_probe_that_failed_quietly_is_named_with_its_words_and_the_gateway_still_counts() -> None:
    failed = {"item": "bob", "failed": False, "msg": "Another measurement runs"}
    outcome = build_outcome({"gateway1": {**WHOLE, "measured": [MEASURED, failed]}})
    assert len(outcome["results"]) == 1
    assert outcome["missing"] == ["gateway1, measured from bob: Another measurement runs."]


def test_a_probe_out_of_reach_is_named() -> None:
    gone = {"item": "bob", "unreachable": True, "msg": "Failed to connect to the host via ssh:\n no route"}
    assert build_outcome({"gateway1": {**WHOLE, "measured": [gone]}})["missing"] == [
        "gateway1, measured from bob: Failed to connect to the host via ssh: no route."
    ]


def test_a_gateway_that_failed_says_why_once() -> None:
    answer = {"opened": {"failed": True, "msg": "iperf3 is not installed."}, "problem": "iperf3 is not installed."}
    outcome = build_outcome({"gateway1": WHOLE, "gateway2": answer})
    assert outcome["missing"] == ["gateway2: iperf3 is not installed."]
    assert outcome["failure"] == "The diagnosis is not complete. gateway2: iperf3 is not installed."


def test_a_gateway_out_of_reach_and_one_never_asked_are_told_apart() -> None:
    outcome = build_outcome({"gateway1": {"decided": {"unreachable": True, "msg": "no route"}}, "gateway2": {}})
    assert outcome["missing"] == ["gateway1: no route.", "gateway2 was not reached, or failed before it was asked."]


def test_a_skipped_step_is_no_complaint() -> None:
    skipped = {"skipped": True, "changed": False}
    assert build_outcome({"gateway1": {"opened": OPENED, "decided": skipped, "problem": ""}})["missing"] == []
