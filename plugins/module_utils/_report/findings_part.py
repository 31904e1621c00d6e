# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings in plain words: how sure, what it means, what to do, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    CERTAINTY_WORDS,
    DIRECTION_WORDS,
    WEIGHT_WORDS,
    variable_line,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup, element, join

# Classes of the style; anything else is shown as what is not known.
_TONES = frozenset({"fault", "hint", "unknown", "ok"})


def tone(weight: str) -> str:
    """The class that colours it."""
    return weight if weight in _TONES else "unknown"


def findings_list(findings: Sequence[Mapping[str, Any]]) -> Markup:
    """One card each, in their order."""
    return element("div", *(_card(finding) for finding in findings), class_="findings")


def _card(finding: Mapping[str, Any]) -> Markup:
    parts = [
        element("div", *_tags(finding), class_="tags"),
        element("h4", finding["title"]),
        element("p", finding["explanation"]),
    ]
    if finding["remedies"]:
        remedies = element("ul", *(_remedy(remedy) for remedy in finding["remedies"]))
        parts.append(element("div", element("p", "What to do"), remedies, class_="todo"))
    if finding["evidence"]:
        items = element("ul", *(_evidence(evidence) for evidence in finding["evidence"]), class_="evidence")
        parts.append(element("details", element("summary", "What shows it"), items))
    return element("article", *parts, class_=f"finding {tone(finding['weight'])}")


def _tags(finding: Mapping[str, Any]) -> list[Markup]:
    weight = finding["weight"]
    tags = [element("span", WEIGHT_WORDS.get(weight, weight), class_="badge")]
    if weight != "unknown":
        word, meaning = CERTAINTY_WORDS.get(finding["certainty"], (finding["certainty"], ""))
        told = f": {meaning}" if meaning else ""
        tags.append(element("span", element("strong", word), told))
    where = ", ".join(filter(None, (finding["probe"], DIRECTION_WORDS.get(finding["direction"], ""))))
    if where:
        tags.append(element("span", where, class_="muted"))
    return tags


def _remedy(remedy: Mapping[str, Any]) -> Markup:
    parts = [element("p", remedy["text"])]
    if remedy["variable"]:
        parts.append(element("pre", variable_line(remedy["variable"], remedy["value"]), class_="copy"))
    if remedy["command"]:
        parts.append(element("pre", remedy["command"], class_="copy"))
    return element("li", *parts)


def _evidence(evidence: Mapping[str, Any]) -> Markup:
    source = element("span", f" ({evidence['source']})", class_="source") if evidence["source"] else Markup("")
    lines = element("pre", "\n".join(evidence["lines"])) if evidence["lines"] else Markup("")
    return element("li", join(evidence["text"], source), lines)
