# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the authority's CRL in Prometheus' text exposition format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_state import KeeperState

PREFIX = "privatespace_authority_"


def render_metrics(state: KeeperState) -> str:
    """The whole file."""
    lines = [
        *_plain("crl_run_success", "Whether nothing was wrong with the CRL at the last run.", int(not state.problem)),
        *_plain("crl_run_timestamp_seconds", "When the CRL was last looked after.", state.checked_at),
        *_plain("crl_warnings", "How many things have to be done some day.", len(state.warnings)),
    ]
    if state.first_end:
        end = _moment(state.first_end["next_update"])
        lines += _plain("crl_first_end_timestamp_seconds", "When the first CRL expires that gateways need.", end)
    signed = [one for one in state.issuers if one.get("number") is not None]
    numbers = {one["key_label"]: one["number"] for one in signed}
    lines += _labelled("crl_number", "The number of the newest CRL.", numbers)
    lines += _labelled("crl_this_update_timestamp_seconds", "When it begins.", _moments(signed, "this_update"))
    lines += _labelled("crl_next_update_timestamp_seconds", "When it expires.", _moments(signed, "next_update"))
    counts = {one["key_label"]: one["revoked_count"] for one in signed}
    lines += _labelled("crl_revoked", "How many certificates it lists.", counts)
    return "".join(f"{line}\n" for line in lines)


def _moments(issuers: list[Mapping[str, Any]], name: str) -> dict[str, float]:
    return {one["key_label"]: _moment(one[name]) for one in issuers}


def _moment(text: Any) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


def _plain(name: str, meaning: str, value: float) -> list[str]:
    return [*_head(name, meaning), f"{PREFIX}{name} {value!r}"]


def _labelled(name: str, meaning: str, values: Mapping[str, float]) -> list[str]:
    samples = [f'{PREFIX}{name}{{key_label="{_escape(label)}"}} {value!r}' for label, value in values.items()]
    return [*_head(name, meaning), *samples] if samples else []


def _head(name: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {meaning}"
    yield f"# TYPE {PREFIX}{name} gauge"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
