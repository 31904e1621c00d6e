# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal on one gateway has to do, decided from what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import CrlFile
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    ListenerState,
    Order,
    doomed_sessions,
    require_answers,
)

INSTALL_CRL, CUT_SESSIONS, LIFT_DENIALS = "install_crl", "cut_sessions", "lift_denials"


@dataclass(frozen=True)
class Placing:
    """What is to be done about the CRLs.

    :param new: Those that will be in place, or ``None`` where none were given.
    :param old: The verified ones in place.
    :param needed: Whether something has to be written.
    :param serial_files: What a diff shows of the folder of serial numbers, where something has to be done there.
    """

    new: CrlFile | None
    old: CrlFile | None
    needed: bool
    serial_files: Mapping[str, Any] = field(default_factory=dict)


def plan_removal(
    states: Sequence[ListenerState],
    order: Order,
    *,
    placing: Placing,
    processes: Mapping[Path, Process],
    lifted: Sequence[str] = (),
) -> Change[str]:
    """Decide whether to install the CRL, whether to cut, and which denials to lift afterwards.

    :param lifted: Entries of the register of denials that the CRL makes superfluous.
    :raises SurvivorError: nothing is to be done, but a listener did not say whether it has such sessions.
    """
    doomed = doomed_sessions(states, order)
    steps = [INSTALL_CRL] if placing.needed else []
    steps += [CUT_SESSIONS] if doomed else []
    steps += [LIFT_DENIALS] if lifted else []
    if not steps:
        require_answers(states)
    cut = [session.as_dict() for session in doomed]
    facts = None if placing.new is None else placing.new.as_facts()
    before: dict[str, Any] = {"crl": None if placing.old is None else placing.old.as_facts(), "sessions": cut}
    after: dict[str, Any] = {"crl": facts, "sessions": []}
    if placing.serial_files:
        before["serial_files"], after["serial_files"] = placing.serial_files, dict.fromkeys(placing.serial_files, 0)
    if lifted:
        before["denials"], after["denials"] = list(lifted), []
    return Change(
        before=before,
        after=after,
        steps=tuple(steps),
        result={
            "crl": facts,
            "listeners": [describe_listener(state, processes.get(state.socket)) for state in states],
            "sessions_cut": cut,
            "lifted": list(lifted),
        },
    )


def describe_listener(state: ListenerState, process: Process | None) -> dict[str, Any]:
    """A listener in plain types, with what is known of its process."""
    return {
        "name": state.name,
        "socket": str(state.socket),
        "state": state.state,
        "pid": None if process is None else process.pid,
        "started_at": None if process is None else process.started_at,
        "stale": process is not None and process.stale,
    }
