# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of all gateways as lines for a terminal: what is wrong comes first, and columns stand below each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

DAY_SECONDS = 86400
HOUR_SECONDS = 3600
MOST_EXPIRIES = 20
_TITLES = ("user", "device", "gateway", "listener", "address", "from", "since (UTC)", "", "in", "out")
_RIGHT = frozenset({7, 8, 9})
_ENDS = {"certificate": "{}", "gateway": "certificate of {}", "crl": "CRL on {}", "web": "HTTPS certificate of {}"}


def render_status_report(document: Mapping[str, Any]) -> list[str]:
    """The lines.

    :param document: From :func:`~.status_document.build_status`.
    """
    now = document["generated_at"]
    lines: list[str] = [*_authority(document.get("authority"))]
    for block in document["gateways"]:
        lines += [*_gateway(block, now=now), ""]
    if document["users"]:
        lines += [*_table([_TITLES, *(_user(one, now=now) for one in document["users"])], right=_RIGHT), ""]
    return [*lines, _totals(document["totals"]), *_expiring(document["expiring"], now=now)]


def _authority(block: Mapping[str, Any] | None) -> Iterator[str]:
    """What keeps the CRL fresh; gateways that have an older one are named once more, together."""
    if block is None:
        return
    yield f"authority  {block['health'].upper()}"
    for problem in block["problems"]:
        yield f"  ! {problem}"
    for one in block["crls"]:
        if one["number"] is not None:
            left = f"good for {one['days_left']:.0f} days" if one["days_left"] > 0 else "EXPIRED"
            yield f"  CRL {one['number']} of {one['key_label']}, {left}"
    if block["endpoint"]:
        yield f"  published at {block['endpoint']}"
    if block["gateways_behind"]:
        yield f"  older CRL on {', '.join(block['gateways_behind'])}"
    yield ""


def _gateway(block: Mapping[str, Any], *, now: float) -> Iterator[str]:
    yield f"{block['name']}  {block['health'].upper()}"
    for problem in block["problems"]:
        yield f"  ! {problem}"
    for line in _table([_listener(one, now=now) for one in block["listeners"]], right=frozenset({2})):
        yield f"  {line}"
    if block["crl"]:
        crl = block["crl"]
        age, left = _span(now - crl["this_update"]), crl["next_update"] - now
        first = f" ({crl['expires_first']})" if len(crl.get("issuers", ())) > 1 else ""
        good = f"good for {_span(left)}{first}" if left > 0 else "EXPIRED"
        yield f"  CRL {crl['number']}, {age} old, {good}{_following(block.get('revocation') or {}, now=now)}"
    if block["certificate_not_after"] is not None:
        left = block["certificate_not_after"] - now
        yield f"  certificate good for {_span(left)}" if left > 0 else "  certificate EXPIRED"
    if block["announcement"]:
        name = block["announcement"]
        addresses = ", ".join(name["addresses"]) or "no address"
        yield f"  name {name['name']}: {addresses}, checked {_span(now - name['checked_at'])} ago"
    if block["web_certificate"]:
        yield f"  {_web(block['web_certificate'], now=now)}"


def _following(revocation: Mapping[str, Any], *, now: float) -> str:
    serials = ", by serial numbers" if revocation.get("mode") == "serials" else ""
    agent = revocation.get("agent")
    return f"{serials}, checked {_span(now - agent['checked_at'])} ago" if agent else serials


def _web(certificate: Mapping[str, Any], *, now: float) -> str:
    checked = f"checked {_span(now - certificate['checked_at'])} ago"
    later = certificate["retry_at"] - now
    if certificate["revoked"]:
        done = "not revoked yet" if certificate["problem"] else "revoked"
        return f"HTTPS certificate {done}; the playbook site has another one"
    if certificate["problem"] and later > 0:
        checked = f"tried again in {_span(later)}"
    if not certificate["fingerprint"]:
        return f"no HTTPS certificate, {checked}"
    left = certificate["not_after"] - now
    good = f"good for {_span(left)}" if left > 0 else "EXPIRED"
    return f"HTTPS certificate of {certificate['issuer']} {good}, {checked}"


def _listener(one: Mapping[str, Any], *, now: float) -> tuple[str, ...]:
    if one["state"] != "answered":
        return one["name"], "HANGS" if one["state"] == "silent" else "DOWN", "", "", ""
    since = one["connected_since"] or one["started_at"]
    up = "up" if since is None else f"up {_span(now - since)}"
    dco = f"DCO {one['dco']}" + ("" if one["dco"] == "active" else f" ({one['dco_reason']})")
    return one["name"], up, _count(one["sessions"], "session"), f"OpenVPN {one['version']}", dco


def _user(one: Mapping[str, Any], *, now: float) -> tuple[str, ...]:
    since = one["connected_since"]
    return (
        one["user"],
        one["device"],
        one["gateway"],
        one["listener"],
        one["address"] or one["address6"] or "none yet",
        one["from"],
        f"{datetime.fromtimestamp(since, timezone.utc):%Y-%m-%d %H:%M}",
        _span(now - since),
        _amount(one["bytes_received"]),
        _amount(one["bytes_sent"]),
    )


def _totals(totals: Mapping[str, int]) -> str:
    ill = [f"{totals[f'gateways_{health}']} {health}" for health in ("problem", "warning")]
    health = ", ".join(text for text in ill if not text.startswith("0 ")) or "all ok"
    return (
        f"{_count(totals['gateways'], 'gateway')} ({health}), "
        f"{totals['listeners_up']} of {_count(totals['listeners'], 'listener')} up, "
        f"{_count(totals['sessions'], 'session')} of {_count(totals['devices'], 'device')}, "
        f"{_amount(totals['bytes_received'])} in, {_amount(totals['bytes_sent'])} out"
    )


def _expiring(expiring: Sequence[Mapping[str, Any]], *, now: float) -> Iterator[str]:
    for index, one in enumerate(expiring[:MOST_EXPIRIES]):
        left = one["not_after"] - now
        end = f"in {_span(left)}" if left > 0 else "HAS EXPIRED"
        yield f"{'expires next' if index == 0 else '            '}  {_ENDS[one['kind']].format(one['name'])}  {end}"
    if len(expiring) > MOST_EXPIRIES:
        yield f"              and {len(expiring) - MOST_EXPIRIES} more within 30 days"


def _table(rows: Sequence[Sequence[str]], *, right: frozenset[int]) -> list[str]:
    """Rows whose columns stand below each other; numbers stand at the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _span(seconds: float) -> str:
    """A span of time in the unit that a person would choose.

    >>> _span(7300)
    '2 h'
    """
    if abs(seconds) >= 2 * DAY_SECONDS:
        return f"{seconds / DAY_SECONDS:.0f} days"
    if abs(seconds) >= 2 * HOUR_SECONDS:
        return f"{seconds / HOUR_SECONDS:.0f} h"
    return f"{seconds / 60:.0f} min" if abs(seconds) >= 120 else f"{seconds:.0f} s"


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
