# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway tells everybody of its state: whether people can connect, and which CRL is in force.

Nothing of who is connected, nor how many, nor what exactly is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

OK, WARNING, PROBLEM, UNKNOWN = "ok", "warning", "problem", "unknown"
_CRL_KEYS = ("number", "this_update", "next_update", "sha256")


def render_public_status(state: Mapping[str, Any] | None, *, now: float) -> str:
    """The whole file.

    :param state: The return values of ``openvpn_session_info``, or ``None`` where they could not be had.
    :param now: Seconds since 1970-01-01 UTC.
    """
    crl = (state or {}).get("crl")
    document = {
        "status": judge_state(state, now=now),
        "checked_at": int(now),
        "crl": {key: crl[key] for key in _CRL_KEYS} if crl else None,
    }
    return json.dumps(document) + "\n"


def judge_state(state: Mapping[str, Any] | None, *, now: float) -> str:
    """Whether people can connect: by every listener, by some, or not at all."""
    if state is None:
        return UNKNOWN
    revocation = state.get("revocation") or {}
    ends = [(state.get("crl") or {}).get("next_update"), state.get("certificate_not_after")]
    # With a folder of serial numbers people can connect when the CRL has expired, unless that is denied.
    is_lenient = revocation.get("mode") == "serials" and not revocation.get("denied_since_expiry")
    if any(end is None or end <= now for end in (ends[1:] if is_lenient and ends[0] else ends)):
        return PROBLEM
    found = {one["state"] for one in state["listeners"]}
    if found == {"answered"}:
        return WARNING if is_lenient and ends[0] and ends[0] <= now else OK
    if "answered" in found:
        return WARNING
    # Its management socket serves one at a time: who does not answer there may carry everybody's data.
    return UNKNOWN if "silent" in found else PROBLEM
