# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal on one gateway has to do, decided from what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

INSTALL_CRL, CUT_SESSIONS = "install_crl", "cut_sessions"


def plan_removal(
    states: Sequence[ListenerState],
    order: Order,
    *,
    new: CrlFile | None,
    old: CrlFile | None,
    in_place: bool,
    processes: Mapping[Path, Process],
) -> Change[str]:
    """Decide whether to install the CRL and whether to cut.

    :param new: The CRLs that were given, already judged.
    :param old: The verified ones that they replace.
    :param in_place: Whether the file holds the new one already, readable for OpenVPN.
    :raises SurvivorError: nothing is to be done, but a listener did not say whether it has such sessions.
    """
    doomed = doomed_sessions(states, order)
    steps = [INSTALL_CRL] if new is not None and not in_place else []
    steps += [CUT_SESSIONS] if doomed else []
    if not steps:
        require_answers(states)
    cut = [session.as_dict() for session in doomed]
    facts = None if new is None else new.as_facts()
    return Change(
        before={"crl": None if old is None else old.as_facts(), "sessions": cut},
        after={"crl": facts, "sessions": []},
        steps=tuple(steps),
        result={
            "crl": facts,
            "listeners": [describe_listener(state, processes.get(state.socket)) for state in states],
            "sessions_cut": cut,
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
