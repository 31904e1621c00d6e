# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of all gateways as one document of plain types, for programs and for the report that people read.

Its keys are an interface: ``schema`` is raised when one of them changes its meaning or goes away. Moments are seconds
since 1970-01-01 UTC.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status_revocation import (
    OK,
    PROBLEM,
    WARNING,
    describe_authority,
    expected_numbers,
    judge_denials,
    judge_number,
)

SCHEMA = 1
HEALTH = (PROBLEM, WARNING, OK)
DAY_SECONDS = 86400
EXPIRY_NOTICE_DAYS = 30
CRL_WARNING_DAYS = 2
CERTIFICATE_WARNING_DAYS = 14
# The longest interval at which a gateway may be told to look at its name is an hour.
NAME_WARNING_SECONDS = 2 * 3600
# The gateway looks every six hours.
WEB_WARNING_SECONDS = 2 * DAY_SECONDS
# The gateway looks every minute, and is told otherwise only by somebody who wants it so.
AGENT_WARNING_SECONDS = 3600
# A certificate for six days is renewed with three of them left.
WEB_WARNING_SHARE = 1 / 5
_LISTENER_KEYS = (
    "name", "state", "sessions", "pid", "version", "connected_since", "started_at", "stale", "dco", "dco_reason",
    "bytes_received", "bytes_sent", "problems",
)  # fmt: skip
_SESSION_KEYS = ("listener", "common_name", "connected_since", "bytes_received", "bytes_sent")


def build_status(
    gateways: Mapping[str, Mapping[str, Any]],
    *,
    authority: Mapping[str, Any] | None,
    now: float,
    freshness: Mapping[str, Any] | None = None,
    problem: str = "",
) -> dict[str, Any]:
    """The whole document.

    :param gateways: Per gateway the return values of ``openvpn_session_info``; empty for one that was not asked.
    :param authority: The return values of ``pki_info``, if they could be had.
    :param freshness: How fresh the CRL is on the authority, likewise.
    :param problem: Why the authority gave no answer.
    """
    numbers = expected_numbers(authority or {}, now=now)
    blocks = [_gateway(name, answer, numbers, now=now) for name, answer in gateways.items()]
    blocks.sort(key=lambda block: HEALTH.index(block["health"]))
    users = [_user(name, one) for name, answer in gateways.items() for one in answer.get("sessions", ())]
    users.sort(key=lambda one: (one["user"], one["device"], one["gateway"], one["listener"]))
    return {
        "schema": SCHEMA,
        "generated_at": int(now),
        "authority": describe_authority(freshness, problem=problem, blocks=blocks, numbers=numbers),
        "gateways": blocks,
        "users": users,
        "totals": _totals(blocks, users),
        "expiring": _expiring(blocks, authority or {}, now=now),
    }


def _gateway(name: str, answer: Mapping[str, Any], numbers: Sequence[int], *, now: float) -> dict[str, Any]:
    answered = "listeners" in answer
    error = "" if answered else str(answer.get("msg") or "it was not asked").splitlines()[0]
    listeners = [{key: one[key] for key in _LISTENER_KEYS} for one in answer.get("listeners", ())]
    block: dict[str, Any] = {
        "name": name,
        "answered": answered,
        "listeners": listeners,
        "crl": answer.get("crl"),
        "certificate_not_after": answer.get("certificate_not_after"),
        "foreign_configs": list(answer.get("foreign_configs", ())),
        "announcement": answer.get("announcement"),
        "web_certificate": answer.get("web_certificate"),
        "revocation": answer.get("revocation"),
        "denials": list(answer.get("denials", ())),
    }
    found = (
        [*_findings(block, answer, now=now), *judge_number(block["crl"], numbers)]
        if answered
        else [(PROBLEM, f"No answer: {error}")]
    )
    block["health"] = min((level for level, _text in found), key=HEALTH.index, default=OK)
    block["problems"] = [text for _level, text in sorted(found, key=lambda one: HEALTH.index(one[0]))]
    return block


def _findings(block: Mapping[str, Any], answer: Mapping[str, Any], *, now: float) -> Iterator[tuple[str, str]]:
    if not block["listeners"]:
        yield PROBLEM, "There is no listener."
    for one in block["listeners"]:
        level = WARNING if one["state"] == "answered" else PROBLEM
        for problem in one["problems"]:
            yield level, problem
    yield from _crl(answer, now=now)
    yield from _following(answer.get("revocation") or {}, now=now)
    yield from judge_denials(block["denials"], now=now)
    yield from _certificate(block["certificate_not_after"], now=now)
    for path in block["foreign_configs"]:
        yield WARNING, f"Nobody manages the configuration {path}."
    yield from _name(block["announcement"], now=now)
    yield from _web(block["web_certificate"], now=now)


def _name(announcement: Mapping[str, Any] | None, *, now: float) -> Iterator[tuple[str, str]]:
    """Clients that come by a name which points elsewhere find nobody; those that are connected stay."""
    if not announcement:
        return
    if announcement.get("problem"):
        yield WARNING, f"The name {announcement['name']}: {announcement['problem']}"
    elif now - announcement["checked_at"] > NAME_WARNING_SECONDS:
        yield (
            WARNING,
            f"The name {announcement['name']} was last checked {_hours(now - announcement['checked_at'])} ago.",
        )


def _web(certificate: Mapping[str, Any] | None, *, now: float) -> Iterator[tuple[str, str]]:
    """Tunnels do without it: it is for browsers."""
    if not certificate:
        return
    if certificate["revoked"]:
        if certificate["problem"]:
            yield PROBLEM, f"The HTTPS certificate is to be revoked: {certificate['problem']}"
        return
    left = certificate["not_after"] - now
    problem = f": {certificate['problem']}" if certificate["problem"] else "."
    if not certificate["fingerprint"]:
        yield WARNING, f"There is no HTTPS certificate{problem}"
    elif left <= 0:
        yield PROBLEM, f"The HTTPS certificate has expired{problem}"
    elif certificate["problem"] or left < WEB_WARNING_SHARE * (certificate["not_after"] - certificate["not_before"]):
        yield WARNING, f"The HTTPS certificate, good for {_hours(left)}, is not renewed{problem}"
    elif now - certificate["checked_at"] > WEB_WARNING_SECONDS:
        yield WARNING, f"The HTTPS certificate was last checked {_hours(now - certificate['checked_at'])} ago."
    if certificate["fingerprint"] and certificate["staging"]:
        yield WARNING, "The HTTPS certificate is one for tests, which no browser trusts (acme_staging)."


def _crl(answer: Mapping[str, Any], *, now: float) -> Iterator[tuple[str, str]]:
    crl = answer.get("crl")
    if not crl:
        yield PROBLEM, f"There is no valid CRL: {answer.get('crl_problem') or 'there is none'}."
        return
    several = len(crl.get("issuers", ())) > 1
    who = f"nobody with a certificate of {crl['expires_first']}" if several else "nobody"
    effect = f"{who} can connect"
    if (answer.get("revocation") or {}).get("mode") == "serials":
        effect = "nobody can connect (openvpn_expired_crl)"
        if crl["next_update"] <= now and not answer["revocation"]["denied_since_expiry"]:
            effect = "who is removed from now on is let in"
    if crl["next_update"] <= now:
        yield PROBLEM, f"The CRL has expired: {effect}."
    elif crl["next_update"] - now < CRL_WARNING_DAYS * DAY_SECONDS:
        yield WARNING, f"The CRL expires in {_hours(crl['next_update'] - now)}: then {effect}."


def _following(revocation: Mapping[str, Any], *, now: float) -> Iterator[tuple[str, str]]:
    """Whether the gateway learns by itself who is revoked."""
    for folder in revocation.get("missing_folders", ()):
        yield PROBLEM, f"There is no {folder}, where OpenVPN looks for revoked certificates: it lets everybody in."
    barrier = revocation.get("barred_by")
    if barrier:
        effect = "so it lets in whom a denial keeps out, or a CRL from now on"
        yield PROBLEM, f"OpenVPN cannot look into {barrier}, {effect}: chmod a+x {barrier}"
    agent = revocation.get("agent")
    if not agent:
        if revocation.get("agent_wanted"):
            yield WARNING, "The gateway is to follow the CRL by itself, and has never done so (journalctl tells why)."
        return
    if agent["problem"]:
        yield WARNING, f"Following the CRL: {agent['problem']}"
    elif now - agent["checked_at"] > AGENT_WARNING_SECONDS:
        yield WARNING, f"The gateway last looked for a CRL {_hours(now - agent['checked_at'])} ago."


def _certificate(not_after: int | None, *, now: float) -> Iterator[tuple[str, str]]:
    if not_after is None:
        yield PROBLEM, "There is no certificate."
    elif not_after <= now:
        yield PROBLEM, "The gateway's certificate has expired: nobody can connect."
    elif not_after - now < CERTIFICATE_WARNING_DAYS * DAY_SECONDS:
        yield WARNING, f"The gateway's certificate expires in {_hours(not_after - now)}."


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h"


def _user(gateway: str, session: Mapping[str, Any]) -> dict[str, Any]:
    user, _at, device = session["common_name"].rpartition("@")
    return {
        "gateway": gateway,
        "user": user or device,
        "device": device if user else "",
        **{key: session[key] for key in _SESSION_KEYS},
        "address": session["virtual_address"],
        "address6": session.get("virtual_address6", ""),
        "from": session["real_address"],
    }


def _totals(blocks: Sequence[Mapping[str, Any]], users: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    listeners = [one for block in blocks for one in block["listeners"]]
    return {
        "gateways": len(blocks),
        **{f"gateways_{health}": sum(block["health"] == health for block in blocks) for health in HEALTH},
        "listeners": len(listeners),
        "listeners_up": sum(one["state"] == "answered" for one in listeners),
        "sessions": len(users),
        "devices": len({one["common_name"] for one in users}),
        "bytes_received": sum(one["bytes_received"] for one in users),
        "bytes_sent": sum(one["bytes_sent"] for one in users),
    }


def _expiring(blocks: Sequence[Mapping[str, Any]], authority: Mapping[str, Any], *, now: float) -> list[dict[str, Any]]:
    """What ends soon, and in any case what ends first among gateways and CRLs; the soonest first."""
    found: list[dict[str, Any]] = [
        {"kind": "certificate", "name": str(one["common_name"]), "not_after": _moment(one["not_after"])}
        for one in authority.get("certificates", ())
        if one["state"] == "valid" and one["profile"] == "client"
    ]
    for block in blocks:
        if block["certificate_not_after"] is not None:
            found.append({"kind": "gateway", "name": block["name"], "not_after": block["certificate_not_after"]})
        web = block["web_certificate"]
        if web and web["fingerprint"]:
            found.append({"kind": "web", "name": block["name"], "not_after": int(web["not_after"])})
        if block["crl"]:
            found.append({"kind": "crl", "name": block["name"], "not_after": block["crl"]["next_update"]})
    found.sort(key=lambda one: (one["not_after"], one["name"]))
    end = now + EXPIRY_NOTICE_DAYS * DAY_SECONDS
    return [one for index, one in enumerate(found) if index == 0 or one["not_after"] < end]


def _moment(text: str) -> int:
    return timegm(datetime.fromisoformat(text.replace("Z", "+00:00")).utctimetuple())
