# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lockdown: whom it is to keep out, checked before anything is touched, and what has become of it on all gateways."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import listed, shown, split_names
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denial_request import parse_common_name
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import SPARED
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import (
    parse_group_name,
    parse_user_name,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import (
    DENIED,
    HELD,
    Answers,
    Moment,
    build_removal_report,
)

PRESENT, LIFTED = "present", "lifted"
EVERYBODY, GROUPS, NONE = "everybody", "groups", "none"
PLAYBOOK = "ansible-playbook privatespace.gateway.lockdown"
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


def parse_lockdown(
    *,
    everybody: object,
    groups: Sequence[str] | str,
    spared: Sequence[str] | str,
    state: str,
    known_groups: Collection[str],
) -> dict[str, Any]:
    """Read what an administrator asks for.

    :param everybody: Whether nobody is to be let in but those who are spared.
    :param groups: Groups that are to be kept out instead.
    :param spared: Users and common names that stay; ``none`` for nobody, and nothing for those who stay already.
    :param known_groups: The groups of all gateways.
    :returns: ``state`` for ``openvpn_denial``, ``steps`` (each with ``lockdown`` and ``groups``), ``spared``
        (``None`` where nothing was said of it), and what a report needs.
    :raises InputError: with the reason.
    """
    if state not in (PRESENT, LIFTED):
        raise InputError(f"lockdown_state is '{shown(state)}', but there are {PRESENT} and {LIFTED}.")
    is_everybody = _parse_flag(everybody)
    wanted = [parse_group_name(name) for name in split_names(groups)]
    if is_everybody and wanted:
        raise InputError(
            "A lockdown is for everybody or for groups.", remedy="Give lockdown_everybody or lockdown_group."
        )
    strange = [name for name in wanted if name not in known_groups]
    if strange:
        there = f"There are {listed(sorted(set(known_groups)))}." if known_groups else "There are no groups."
        raise InputError(f"No gateway has a group {listed(strange)}: nobody would be kept out.", remedy=there)
    kept = split_names(spared)
    names = [] if kept == [NONE] else [_parse_spared(name) for name in kept]
    if state == PRESENT:
        _require_sense(is_everybody=is_everybody, groups=wanted, kept=kept)
    return {
        "state": "present" if state == PRESENT else "absent",
        "steps": _steps(is_everybody=is_everybody, groups=wanted),
        "spared": names if kept else None,
        "whom": f"the groups {', '.join(wanted)}" if wanted else EVERYBODY,
        "arguments": _arguments(is_everybody=is_everybody, groups=wanted, kept=kept, state=state),
    }


def _parse_flag(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in (*_YES, *_NO):
        raise InputError(f"lockdown_everybody is '{shown(str(value))}', and neither true nor false.")
    return text in _YES


def _parse_spared(name: str) -> str:
    return parse_common_name(name) if "@" in name else parse_user_name(name, what="A name in lockdown_except")


def _require_sense(*, is_everybody: bool, groups: Sequence[str], kept: Sequence[str]) -> None:
    if not is_everybody and not groups:
        raise InputError(
            "Nobody is named whom the lockdown is for.",
            remedy="Give -e lockdown_group=NAME, or -e lockdown_everybody=true.",
        )
    if is_everybody and not kept:
        raise InputError(
            "A lockdown of everybody would shut you out, too, if you reach the gateways through the tunnel.",
            remedy="Name who stays: -e lockdown_except=alice,bob@laptop. If nobody is to, say lockdown_except=none.",
        )


def _steps(*, is_everybody: bool, groups: Sequence[str]) -> list[dict[str, Any]]:
    """Without anybody named, as only for lifting, everybody and all groups."""
    steps: list[dict[str, Any]] = [{"lockdown": EVERYBODY, "groups": []}] if is_everybody or not groups else []
    return [*steps, *([] if is_everybody else [{"lockdown": GROUPS, "groups": list(groups)}])]


def _arguments(*, is_everybody: bool, groups: Sequence[str], kept: Sequence[str], state: str) -> str:
    parts = {
        "lockdown_everybody": "true" if is_everybody else "",
        "lockdown_groups": ",".join(groups),
        "lockdown_except": ",".join(kept),
        "lockdown_state": LIFTED if state == LIFTED else "",
    }
    return " ".join(f"-e {name}={value}" for name, value in parts.items() if value)


def report_lockdown(
    gateways: Answers,
    *,
    wishes: Mapping[str, Any],
    started: float,
    connected: Mapping[str, Sequence[Mapping[str, Any]]],
    inventory: Sequence[str] = (),
) -> dict[str, Any]:
    """What has become of a lockdown.

    :param gateways: Per gateway the return values of ``openvpn_denial``, with ``asked_at`` and ``answered_at``.
    :param wishes: From :func:`parse_lockdown`.
    :param started: Epoch seconds on the controller when the work began.
    :param connected: Per gateway the sessions that it has now, where it was asked.
    :returns: ``lines`` for a terminal, ``missing`` gateways, and ``failure``, empty where there is none.
    """
    report = build_removal_report(started=started, signed_at=None, crl_number=0, authority="", gateways=gateways)
    is_lifted = wishes["state"] == "absent"
    command = f"{PLAYBOOK}{''.join(f' -i {shlex.quote(path)}' for path in inventory)}"
    lines = [f"Lockdown {'lifted' if is_lifted else 'of ' + str(wishes['whom'])}"]
    width = max((len(name) for name in gateways), default=1)
    for moment in report.moments:
        text = _told(moment, is_lifted=is_lifted)
        lines.append(f"  +{moment.seconds:6.2f} s  {moment.host:<{width}}  {text}")
    if not is_lifted:
        lines += _staying(gateways, connected)
    lines += list(report.remarks)
    lines += [f"NOT PROVED on {name}: {reason}" for name, reason in report.missing]
    missing = [name for name, _reason in report.missing]
    again = f"{command} {wishes['arguments']}"
    lines += [f"TO FINISH: {again}"] if missing else []
    lines += [] if is_lifted else [f"TO END IT: {command} -e lockdown_state={LIFTED}"]
    failure = f"Not proved on {', '.join(missing)}. Once that is mended, run: {again}" if missing else ""
    return {"lines": lines, "missing": missing, "failure": failure}


def _told(moment: Moment, *, is_lifted: bool) -> str:
    texts = {DENIED: "in force", HELD: "lifted" if is_lifted else "verified: nobody else is connected"}
    return texts.get(moment.event, moment.text)


def _staying(gateways: Answers, connected: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Who is let in nevertheless, and who is connected now."""
    mark = f"{SPARED}/"
    entries = {str(one["entry"]) for answer in gateways.values() for one in answer.get("denials") or ()}
    spared = sorted(entry[len(mark) :] for entry in entries if entry.startswith(mark))
    yield f"Spared: {', '.join(spared) or 'nobody'}"
    for name, sessions in sorted(connected.items()):
        found = sorted({f"{one['common_name']} on {one['listener']}" for one in sessions})
        yield f"Connected to {name} now: {', '.join(found) or 'nobody'}"
