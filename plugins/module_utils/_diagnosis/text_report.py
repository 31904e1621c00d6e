# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a terminal: findings first, remedies as lines to copy, at most 100 columns, no colours."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    CERTAINTY_WORDS,
    DIRECTION_WORDS,
    PLACE_WORDS,
    WEIGHT_WORDS,
    harmless,
    moment_text,
    rate_text,
    share_text,
    time_text,
    traffic_text,
    variable_line,
)

COLUMNS = 100
_LABEL = 44
_MOST_LINES = 3


def render_text(report: Mapping[str, Any]) -> list[str]:
    """The lines of the summary. Only lines that are to be copied may be longer than 100 columns."""
    lines = [f"Diagnosis of {moment_text(report['made'])}"]
    for gateway in report["gateways"]:
        lines += ["", *_gateway(gateway)]
    return [harmless(line).replace("\n", " ") for line in lines]


def _gateway(gateway: Mapping[str, Any]) -> list[str]:
    lines = _wrapped(f"{gateway['name']}: {gateway['headline']}", "", "  ")
    for finding in gateway["findings"]:
        lines += ["", *_finding(finding)]
    if gateway["changes"]:
        lines += ["", "  Compared with before"]
        lines += [line for text in gateway["changes"] for line in _wrapped(text, "    ")]
    lines += _numbers(gateway["numbers"])
    lines += ["", "  What was looked at"]
    lines += [line for text in gateway["scope"] for line in _wrapped(text, "    ")]
    return lines


def _finding(finding: Mapping[str, Any]) -> list[str]:
    weight = WEIGHT_WORDS.get(finding["weight"], finding["weight"])
    certainty = CERTAINTY_WORDS.get(finding["certainty"], (finding["certainty"], ""))[0].lower()
    where = ", ".join(filter(None, (finding["probe"], DIRECTION_WORDS.get(finding["direction"], ""))))
    label = weight if finding["weight"] == "unknown" else f"{weight}, {certainty}"
    title = f"[{label}] {finding['title']}" + (f" ({where})" if where else "")
    lines = _wrapped(title, "  ", "    ")
    lines += _wrapped(finding["explanation"], "    ")
    for evidence in finding["evidence"]:
        lines += _wrapped(f"- {evidence['text']}", "    ", "      ")
        lines += [_cut(f"      | {line}") for line in evidence["lines"][:_MOST_LINES]]
    for remedy in finding["remedies"]:
        lines += _wrapped(f"> {remedy['text']}", "    ", "      ")
        lines += _to_copy(remedy)
    return lines


def _to_copy(remedy: Mapping[str, Any]) -> list[str]:
    lines = []
    if remedy["variable"]:
        lines.append(f"        {variable_line(remedy['variable'], remedy['value'])}")
    if remedy["command"]:
        lines.append(f"        $ {remedy['command']}")
    return lines


def _numbers(numbers: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for probe in dict.fromkeys(row["probe"] for row in (*numbers["rates"], *numbers["latencies"])):
        rates = [rate for rate in numbers["rates"] if rate["probe"] == probe]
        latencies = [latency for latency in numbers["latencies"] if latency["probe"] == probe]
        lines += ["", _cut(f"  Measured from {probe}")]
        lines += [*_rates(rates), *_latencies(latencies)]
    if numbers["cpu"]:
        lines += ["", _row("CPU of the gateway, of one core", "mean", "peak")]
        for cpu in numbers["cpu"]:
            name = f"listener {cpu['listener']}" if cpu["listener"] else "busiest core"
            lines.append(_row(f"  {name}", share_text(cpu["mean"]), share_text(cpu["peak"])))
    return lines


def _rates(rates: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [_row("  Rate, median of the rounds", *DIRECTION_WORDS.values())]
    for place, protocol, port in dict.fromkeys((one["place"], one["protocol"], one["port"]) for one in rates):
        by_direction = {
            one["direction"]: rate_text(one["median"])
            for one in rates
            if (one["place"], one["protocol"], one["port"]) == (place, protocol, port)
        }
        name = traffic_text(place, protocol) + (f", port {port}" if port else "")
        lines.append(_row(f"    {name}", *(by_direction.get(direction, "") for direction in DIRECTION_WORDS)))
    return lines if rates else []


def _latencies(latencies: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [_row("  Time until an answer came, median", "idle", "under load", "lost")]
    for place in dict.fromkeys(one["place"] for one in latencies):
        by_load = {bool(one["loaded"]): one for one in latencies if one["place"] == place}
        times = [_time(by_load.get(loaded)) for loaded in (False, True)]
        sent = sum(one["sent"] for one in by_load.values())
        lost = sum(one["sent"] * one["lost"] for one in by_load.values())
        lines.append(_row(f"    {PLACE_WORDS.get(place, place)}", *times, share_text(lost / sent) if sent else ""))
    return lines if latencies else []


def _time(latency: Mapping[str, Any] | None) -> str:
    if latency is None:
        return ""
    return "no answer" if latency["median"] is None else time_text(latency["median"])


def _row(label: str, *cells: str) -> str:
    return _cut(f"  {label:<{_LABEL}}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()


def _wrapped(text: str, first: str, further: str | None = None) -> list[str]:
    flat = " ".join(harmless(text).split())
    indent = first if further is None else further
    return textwrap.wrap(flat, COLUMNS, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def _cut(text: str, most: int = COLUMNS) -> str:
    flat = harmless(text).replace("\n", " ").replace("\t", " ")
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"
