# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that findings recommend, as one file that an operator reviews and includes.

Where findings, or gateways, ask for different values of one variable:

- dictionaries are put together, key by key;
- of numbers the larger wins, which serves both; of sizes of packets the smaller, because it has to fit everywhere;
- anything else, such as a list of listeners, is no common value: it stays in the file as a comment for each gateway, to
  be set in its ``host_vars``.

Only what is certain or likely is recommended; what is merely possible stands in the report.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    LIKELY,
    Finding,
)

# The narrowest path has to take them.
_SMALLER_WINS = frozenset({"openvpn_mssfix", "openvpn_max_segment_size", "openvpn_tunnel_mtu"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WIDTH = 120
_HEAD = (
    "What a diagnosis recommends. Read it, take out what you do not want, and include it or copy it into your"
    " variables; it changes nothing by itself. A dictionary replaces yours: add your own keys."
)


@dataclass(frozen=True)
class Recommendation:
    """One variable.

    :param value: What to set; nothing where the gateways need different ones. :param reasons: A sentence each.
    :param by_gateway: The value of each gateway that asks for one.
    """

    value: Any
    reasons: tuple[str, ...]
    by_gateway: Mapping[str, Any]

    @property
    def is_common(self) -> bool:
        """Whether one value serves all."""
        return self.value is not None


@dataclass(frozen=True)
class _Wish:
    gateway: str
    value: Any
    reason: str


def recommend(findings: Iterable[Finding]) -> dict[str, Recommendation]:
    """Variables by name, from the remedies of all findings."""
    wishes: dict[str, list[_Wish]] = {}
    for finding in findings:
        if finding.certainty not in (CERTAIN, LIKELY):
            continue
        for remedy in finding.remedies:
            if remedy.variable and remedy.value is not None:
                where = f" ({finding.gateway})" if finding.gateway else ""
                reason = f"{finding.title}{where}. {remedy.text}"
                wishes.setdefault(remedy.variable, []).append(_Wish(finding.gateway, remedy.value, reason))
    return {name: _join(name, wishes[name]) for name in sorted(wishes)}


def _join(name: str, wishes: Sequence[_Wish]) -> Recommendation:
    by_gateway: dict[str, Any] = {}
    for one in wishes:
        known = one.gateway in by_gateway
        merged = _merge(name, [by_gateway[one.gateway], one.value]) if known else one.value
        # Of one gateway the first, which is the most certain, stands.
        by_gateway[one.gateway] = merged if merged is not None else by_gateway[one.gateway]
    reasons = tuple(dict.fromkeys(one.reason for one in wishes))
    return Recommendation(_merge(name, list(by_gateway.values())), reasons, by_gateway)


def _merge(name: str, values: Sequence[Any]) -> Any:
    """One value for all, or nothing."""
    if all(value == values[0] and type(value) is type(values[0]) for value in values):
        return values[0]
    if all(isinstance(value, Mapping) for value in values):
        return _merge_mappings(values)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return min(values) if name in _SMALLER_WINS else max(values)
    return None


def _merge_mappings(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for value in values:
        for key, item in value.items():
            # The findings come by certainty: the first stands.
            merged.setdefault(str(key), item)
    return dict(sorted(merged.items()))


def render_variables(recommendations: Mapping[str, Recommendation]) -> str:
    """The file, YAML: each variable below the reason for it."""
    parts = ["---", *_comment(_HEAD)]
    if not recommendations:
        parts.append("# There is nothing to recommend.")
    for name, one in sorted(recommendations.items()):
        if not _NAME.fullmatch(name):
            continue
        parts += ["", *(line for reason in one.reasons for line in _comment(reason))]
        if one.is_common:
            parts += _assignment(name, one.value)
            continue
        parts += _comment("The gateways need different values; set each in the host_vars of its gateway:")
        for gateway, value in sorted(one.by_gateway.items()):
            parts += _comment(f"{gateway}:")
            parts += [f"#   {line}" for line in _assignment(name, value)]
    return "\n".join(parts) + "\n"


def _assignment(name: str, value: Any) -> list[str]:
    if isinstance(value, (list, tuple)) and value:
        return [f"{name}:", *(f"  - {_scalar(item)}" for item in value)]
    if isinstance(value, Mapping) and value:
        return [f"{name}:", *(f"  {_scalar(str(key))}: {_scalar(item)}" for key, item in sorted(value.items()))]
    return [f"{name}: {_scalar(value)}"]


def _scalar(value: Any) -> str:
    # What JSON writes YAML reads as the same, once nothing beyond ASCII is in it.
    return json.dumps(value, sort_keys=True)


def _comment(text: str) -> list[str]:
    """A text as comment lines; nothing in it ends a line."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return textwrap.wrap(plain, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
