# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the diagnosis brought on all gateways: results for the report, and what is missing, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Answer = Mapping[str, Any]


def build_outcome(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Results, plans and complaints.

    :param answers: By gateway: ``opened`` and ``decided``, what the modules returned; ``measured``, the same for each
        probe, its name as ``item``; ``problem``, why the run ended early. An empty mapping for one never asked.
    :returns: ``results`` for the report; ``plan``, what would be sent, for check mode; ``missing``, a sentence each;
        ``failure``, a text that ends the run, empty where every gateway and every probe answered.
    """
    results: list[dict[str, Any]] = []
    missing: list[str] = []
    plan: list[str] = []
    for gateway, answer in answers.items():
        decided = answer.get("decided") or {}
        if "observations" in decided:
            results.append({"observations": decided["observations"], "findings": decided.get("findings") or []})
        plan += _plan(gateway, answer)
        missing += _missing(gateway, answer)
    return {"results": results, "plan": plan, "missing": missing, "failure": _failure(missing)}


def _plan(gateway: str, answer: Answer) -> Iterator[str]:
    for sentence in (answer.get("opened") or {}).get("messages") or ():
        yield f"{gateway}: {sentence}"
    for probe in answer.get("measured") or ():
        for sentence in probe.get("plan") or ():
            yield f"{gateway}: {sentence}"


def _missing(gateway: str, answer: Answer) -> Iterator[str]:
    if not answer:
        yield f"{gateway} was not reached, or failed before it was asked."
        return
    if answer.get("problem"):
        yield f"{gateway}: {_sentence(answer['problem'])}"
    for step in ("opened", "decided"):
        complaint = _complaint(answer.get(step) or {})
        if complaint and complaint != answer.get("problem"):
            yield f"{gateway}: {_sentence(complaint)}"
    for probe in answer.get("measured") or ():
        complaint = _complaint(probe)
        if complaint:
            yield f"{gateway}, measured from {probe.get('item', 'a probe')}: {_sentence(complaint)}"


def _complaint(result: Answer) -> str:
    """Why a module has no result: `failed_when: false` hides that it failed, not what it said."""
    if result.get("unreachable"):
        return str(result.get("msg") or "The host cannot be reached.")
    silent = not {"path", "plan", "observations", "messages"} & set(result)
    return str(result["msg"]) if silent and result.get("msg") else ""


def _sentence(text: object) -> str:
    words = " ".join(str(text).split())
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _failure(missing: list[str]) -> str:
    if not missing:
        return ""
    return "The diagnosis is not complete. " + " ".join(missing)
