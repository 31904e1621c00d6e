# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a certificate, as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any


def render_report(result: Mapping[str, Any]) -> list[str]:
    """The lines.

    :param result: What the program prints: :func:`~.state.show`.
    """
    lines = []
    if result["fingerprint"]:
        kind = "test certificate, which no browser trusts, of" if result["staging"] else "certificate of"
        lines.append(
            f"{', '.join(result['names'])}: {kind} {result['issuer']}, good until {_moment(result['not_after'])}"
        )
    else:
        lines.append("There is no certificate yet, and nothing is served over HTTPS.")
    if result["problem"]:
        lines.append(result["problem"])
        why = ", as the CA said" if result["ca_said"] else ""
        if result["retry_at"]:
            lines.append(f"The gateway tries again at {_moment(result['retry_at'])}{why}; now: privatespace-acme --now")
    return [*lines, *result["notes"]]


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC"
