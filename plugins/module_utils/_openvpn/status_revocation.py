# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is kept out, seen over the whole fleet: the authority's CRL, that of each gateway, and who is denied by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import (
    DEVICES,
    EVERYBODY,
    GROUPS,
    SPARED,
    USERS,
)

OK, WARNING, PROBLEM = "ok", "warning", "problem"
# Gateways look every minute, and a playbook that brings a CRL to many may take some.
FOLLOWING_SECONDS = 300
MOST_NAMES = 10
_TRUSTED = ("standby", "active", "retiring")


def judge_denials(denials: Iterable[Mapping[str, Any]], *, now: float) -> Iterator[tuple[str, str]]:
    """What stands in a gateway's register that somebody has to end some day.

    :param denials: Each with ``entry``, ``since``, ``reason`` and ``serials``, as ``openvpn_session_info`` gives them.
    """
    since = {str(one["entry"]): float(one["since"]) for one in denials}
    locked = [path for path in since if path == EVERYBODY or path.startswith(f"{GROUPS}/")]
    if locked:
        spared = ", ".join(_names(since, SPARED)) or "nobody"
        whom = EVERYBODY.partition("/")[2] if EVERYBODY in since else f"groups {', '.join(_names(since, GROUPS))}"
        age = _age(min(since[path] for path in locked), now=now)
        end = "It ends with the playbook lockdown and -e lockdown_state=lifted."
        yield WARNING, f"A lockdown of {whom} holds since {age} (spared: {spared}). {end}"
    names = [*_names(since, USERS), *_names(since, DEVICES)]
    if names:
        first = min(when for path, when in since.items() if path.startswith((f"{USERS}/", f"{DEVICES}/")))
        shown = ",".join(names[:MOST_NAMES])
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        end = (
            f"A removal that was not finished is by user_remove and -e user_names={shown}; "
            "who was added again since is let in by the module openvpn_denial and state=absent."
        )
        yield WARNING, f"Denied by name since {_age(first, now=now)}: {shown}{more}. {end}"


def judge_number(crl: Mapping[str, Any] | None, numbers: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Whether a gateway has what the authority has signed.

    :param crl: What is in place, if it is known.
    :param numbers: From :func:`expected_numbers`.
    """
    for expected, found in zip(numbers, numbers_of(crl)):
        if found < expected:
            yield WARNING, f"The CRL in place is number {found}, and the authority has signed {expected}."


def expected_numbers(authority: Mapping[str, Any], *, now: float) -> list[int]:
    """The CRL numbers that gateways should have, in the order in which the file holds them.

    What was signed a moment ago is still on its way: nothing is expected then.

    :param authority: The return values of ``pki_info``.
    """
    trusted = [one for one in authority.get("authorities") or () if one["state"] in _TRUSTED and one.get("crl")]
    if any(now - float(one["crl"]["signed_at"]) < FOLLOWING_SECONDS for one in trusted):
        return []
    return [int(one["crl"]["number"]) for one in trusted]


def numbers_of(crl: Mapping[str, Any] | None) -> list[int]:
    """The numbers of the CRLs in place, in the order of the file."""
    if not crl:
        return []
    return [int(one["number"]) for one in crl.get("issuers") or () if "number" in one] or [int(crl["number"])]


def describe_authority(
    freshness: Mapping[str, Any] | None, *, problem: str, blocks: Sequence[Mapping[str, Any]], numbers: Sequence[int]
) -> dict[str, Any] | None:
    """The authority's part of a status.

    :param freshness: What the role ``pki`` found out about the CRL, if it was asked.
    :param problem: Why the authority gave no answer; empty where it did.
    :param blocks: The gateways.
    :param numbers: From :func:`expected_numbers`.
    :returns: ``None`` where nobody asked it.
    """
    if freshness is None and not problem:
        return None
    told = freshness or {}
    problems = [f"No answer: {problem}"] if problem else [*told.get("problems", ()), *told.get("warnings", ())]
    behind = [block["name"] for block in blocks if any(judge_number(block["crl"], numbers))]
    is_ill = bool(problem or told.get("problems"))
    return {
        "answered": not problem,
        "health": PROBLEM if is_ill else WARNING if problems else OK,
        "problems": problems,
        "crls": list(told.get("issuers", ())),
        "endpoint": told.get("endpoint", ""),
        "timer": told.get("timer"),
        "gateways_behind": behind,
    }


def _names(entries: Iterable[str], folder: str) -> list[str]:
    return sorted(path[len(folder) + 1 :] for path in entries if path.startswith(f"{folder}/"))


def _age(since: float, *, now: float) -> str:
    seconds = max(now - since, 0)
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"
