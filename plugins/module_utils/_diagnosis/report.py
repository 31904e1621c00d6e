# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: one document in plain JSON types, from which the page, the text and the next comparison are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CAUSES,
    CERTAIN,
    FAULT,
    HINT,
    LIKELY,
    POSSIBLE,
    UNKNOWN,
    Finding,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.history import (
    SCHEMA,
    VERSION,
    Comparison,
    Earlier,
    compare,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_numbers import summarise
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    DIRECTION_WORDS,
    bytes_text,
    count_text,
    figures_text,
    rate_text,
    traffic_text,
)

OK = "ok"
NOTHING_LIMITS = "Nothing was found that limits it."
_WEIGHTS = (FAULT, HINT, UNKNOWN)
# Of a gateway, by what was found there: that something is not known weighs more than that it could be better.
_STATUSES = (FAULT, UNKNOWN, HINT)
_CERTAINTIES = (CERTAIN, LIKELY, POSSIBLE)


def build_report(
    observations_by_gateway: Mapping[str, Observations],
    findings_by_gateway: Mapping[str, Sequence[Finding]],
    history: Sequence[Earlier],
    now: float,
) -> dict[str, Any]:
    """The whole report.

    :param history: Earlier reports, in any order. :param now: Seconds since 1970-01-01 UTC.
    """
    gateways = [
        _gateway(observations, findings_by_gateway.get(name, ()), history, now)
        for name, observations in sorted(observations_by_gateway.items())
    ]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "made": now,
        "headlines": [f"{gateway['name']}: {gateway['headline']}" for gateway in gateways],
        "gateways": gateways,
    }


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """What limits it first, the surest first, then in the order of the causes."""
    return sorted(findings, key=_urgency)


def _urgency(finding: Finding) -> tuple[int, int, int, str, str]:
    ranks = (
        known.index(one) if one in known else len(known)
        for known, one in (
            (_WEIGHTS, finding.weight),
            (_CERTAINTIES, finding.certainty),
            (CAUSES, finding.cause),
        )
    )
    weight, certainty, cause = ranks
    return weight, certainty, cause, finding.probe, finding.direction


def _gateway(
    observations: Observations, findings: Sequence[Finding], history: Sequence[Earlier], now: float
) -> dict[str, Any]:
    name, ordered = observations.gateway.name, sort_findings(findings)
    numbers = summarise(observations)
    comparisons = compare(numbers.rates, name, history, now)
    return {
        "name": name,
        "status": next((one for one in _STATUSES if any(finding.weight == one for finding in ordered)), OK),
        "headline": _headline(ordered),
        "findings": [to_plain(finding) for finding in ordered],
        "scope": _scope(observations),
        "numbers": to_plain(numbers),
        "changes": [comparison.text for comparison in sorted(comparisons, key=_size) if comparison.told],
        "comparisons": [to_plain(comparison) for comparison in comparisons],
        "observations": to_plain(observations),
    }


def _size(comparison: Comparison) -> tuple[bool, float]:
    """What became slower first, the largest change first."""
    return comparison.change > 0, -abs(comparison.change)


def _headline(ordered: Sequence[Finding]) -> str:
    faults, hints, unknown = ([one for one in ordered if one.weight == weight] for weight in _WEIGHTS)
    if faults:
        others = len(faults) - 1
        more = f" And {count_text(others, 'more fault')}." if others else ""
        return _as_sentence(faults[0].title) + more
    if unknown:
        return f"Nothing was found that limits it, but not everything could be told. {_as_sentence(unknown[0].title)}"
    if hints:
        verb = "could be better or needs care" if len(hints) == 1 else "could be better or need care"
        return f"{NOTHING_LIMITS} {count_text(len(hints), 'thing')} {verb}."
    return NOTHING_LIMITS


def _as_sentence(title: str) -> str:
    return title if title.endswith((".", "?", "!")) else f"{title}."


def _scope(observations: Observations) -> list[str]:
    """What was looked at and what was not, a sentence each."""
    sentences = [sentence for path in observations.paths for sentence in _path_scope(path)]
    if not observations.paths:
        sentences.append("No probe measured a path to it: this is judged from the gateway alone.")
    return [*sentences, *(_as_sentence(one) for one in observations.gateway.unknown)]


def _path_scope(path: Path) -> list[str]:
    rounds = len({segment.round for segment in path.segments if not segment.error})
    sent = f"{bytes_text(path.sent_down)} down and {bytes_text(path.sent_up)} up"
    took = f"{figures_text(path.seconds)} s in {count_text(rounds, 'round')}, with {sent}"
    sentences = [f"{path.probe} measured the path to {path.address} for {took}."]
    if path.ceiling > 0:
        sentences.append(f"{path.probe} sent at most {rate_text(path.ceiling)}: what is faster was not looked for.")
    sentences += [f"{path.probe}: {_as_sentence(one)}" for one in path.unmeasured]
    for tunnel in path.tunnels:
        if not tunnel.connected:
            reason = f": {tunnel.error}" if tunnel.error else ""
            sentences.append(
                _as_sentence(f"{path.probe} had no tunnel over {tunnel.transport.upper()} port {tunnel.port}{reason}")
            )
    failed = sorted({(one.place, one.protocol, one.direction, one.error) for one in path.segments if one.error})
    for place, protocol, direction, error in failed:
        what = f"{traffic_text(place, protocol)}, {DIRECTION_WORDS.get(direction, direction)}"
        sentences.append(f"{path.probe}: no figures for {what}: {_as_sentence(error)}")
    return sentences
