# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of all gateways as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DAY_SECONDS = 86400
HOUR_SECONDS = 3600


def render_status_report(gateways: Mapping[str, Mapping[str, Any]], *, now: float) -> list[str]:
    """Two lines and more a gateway: its health, then its sessions.

    :param gateways: Per gateway the return values of ``openvpn_session_info``; empty for one that was not asked.
    :param now: Seconds since 1970-01-01 UTC.
    """
    lines: list[str] = []
    for name, answer in gateways.items():
        lines += _gateway(name, answer, now=now)
    return lines


def _gateway(name: str, answer: Mapping[str, Any], *, now: float) -> Iterator[str]:
    if "listeners" not in answer:
        yield f"{name}  NO ANSWER: {str(answer.get('msg') or 'it was not asked').splitlines()[0]}"
        return
    listeners = ", ".join(_listener(listener) for listener in answer["listeners"]) or "no listener"
    yield f"{name}  {listeners}  {_crl(answer, now=now)}  {_certificate(answer, now=now)}"
    for session in sorted(answer["sessions"], key=lambda one: (one["common_name"], one["listener"])):
        yield f"{name}    {_session(session, now=now)}"


def _listener(listener: Mapping[str, Any]) -> str:
    state = "up" if listener["state"] == "answered" else "DOWN"
    return f"{listener['name']} {state}" + (" (RESTART DUE)" if listener["stale"] else "")


def _crl(answer: Mapping[str, Any], *, now: float) -> str:
    crl = answer.get("crl")
    if not crl:
        return f"NO VALID CRL: {answer.get('crl_problem') or 'there is none'}"
    left, several = crl["next_update"] - now, len(crl.get("issuers", ())) > 1
    if left <= 0:
        who = f"nobody with a certificate of {crl['expires_first']}" if several else "nobody"
        return f"CRL {crl['number']} HAS EXPIRED: {who} can connect"
    first = f" ({crl['expires_first']})" if several else ""
    return f"CRL {crl['number']}, {_span(now - crl['this_update'])} old, good for {_span(left)}{first}"


def _certificate(answer: Mapping[str, Any], *, now: float) -> str:
    not_after = answer.get("certificate_not_after")
    if not_after is None:
        return "NO CERTIFICATE"
    return f"certificate good for {_span(not_after - now)}" if not_after > now else "CERTIFICATE HAS EXPIRED"


def _session(session: Mapping[str, Any], *, now: float) -> str:
    address = session["virtual_address"] or "no address yet"
    amount = f"{_amount(session['bytes_received'])} in, {_amount(session['bytes_sent'])} out"
    since = _span(now - session["connected_since"])
    return f"{session['common_name']}  {session['listener']}  {address}  {session['real_address']}  {since}  {amount}"


def _span(seconds: float) -> str:
    """A span of time in the unit that a person would choose.

    >>> _span(7300)
    '2 h'
    """
    if abs(seconds) >= 2 * DAY_SECONDS:
        return f"{seconds / DAY_SECONDS:.0f} days"
    if abs(seconds) >= 2 * HOUR_SECONDS:
        return f"{seconds / HOUR_SECONDS:.0f} h"
    return f"{seconds / 60:.0f} min"


def _amount(count: int) -> str:
    """A number of bytes in the unit that a person would choose.

    >>> _amount(2_500_000)
    '2.5 MB'
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
