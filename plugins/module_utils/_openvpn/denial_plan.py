# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a denial on one gateway has to do, and whether its listeners refuse whom the register denies."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Denials
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    ANSWERED,
    ListenerState,
    Order,
    doomed_sessions,
    require_answers,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_plan import describe_listener

WRITE_REGISTER, CUT_SESSIONS = "write_register", "cut_sessions"
_HOOK = re.compile(r'^\s*client-connect\s+"\S+ (?P<process>\S+) (?P<folder>\S+) \S+"\s*$', re.MULTILINE)


def plan_denial(
    before: Denials,
    after: Denials,
    *,
    states: Sequence[ListenerState],
    order: Order,
    unproved: str = "",
) -> Change[str]:
    """Decide whether to write and whether to cut.

    :param states: Listeners that were asked; none where the register is to be written first.
    :param unproved: Why who is denied could come back, which is then to be told even if there is nobody to cut.
    :raises SurvivorError: nothing is to be done, but a listener did not say whether it has such sessions.
    """
    doomed = doomed_sessions(states, order)
    steps = [WRITE_REGISTER] if after != before else []
    steps += [CUT_SESSIONS] if doomed or unproved else []
    if not steps:
        require_answers(states)
    cut = [session.as_dict() for session in doomed]
    return Change(
        before={"denials": before.as_list(), "sessions": cut},
        after={"denials": after.as_list(), "sessions": []},
        steps=tuple(steps),
        result={"denials": after.as_list(), "sessions_cut": cut},
    )


def asks_register(process: Process | None, register: Path) -> bool:
    """Whether a running process asks this register at each connection: it was started with the line that says so."""
    if process is None or process.stale:
        return False
    found = _HOOK.search(process.text)
    return found is not None and Path(found["folder"]) == register.parent


def describe_listeners(
    states: Iterable[ListenerState],
    processes: Mapping[Path, Process],
    register: Path,
    *,
    barred_by: Callable[[Process], str] = lambda _process: "",
) -> list[dict[str, Any]]:
    """Listeners in plain types, each with whether it refuses whom the register denies.

    :param barred_by: Names the folder that keeps a process from looking into the register, if there is one.
    """
    described = []
    for state in states:
        process = processes.get(state.socket)
        asks = asks_register(process, register)
        barrier = barred_by(process) if process is not None and asks else ""
        facts = {"refuses": asks and not barrier, "barred_by": barrier}
        described.append({**describe_listener(state, process), **facts})
    return described


def complain_of_listeners(listeners: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong where sessions were cut that can come back, in a sentence for each listener; empty if nothing."""
    return " ".join(map(_complaint, (one for one in listeners if one["state"] == ANSWERED and not one["refuses"])))


def _complaint(listener: Mapping[str, Any]) -> str:
    name = listener["name"]
    if listener["stale"]:
        return (
            f"The listener '{name}' runs on an older configuration than there is, and nobody knows whether it asks the "
            f"register of denials: restart openvpn-server@{name}."
        )
    if listener["barred_by"]:
        return (
            f"The process of the listener '{name}' cannot look into {listener['barred_by']}, so it lets in whom the "
            f"register denies. Run chmod a+x {shlex.quote(listener['barred_by'])} on this host."
        )
    return (
        f"The listener '{name}' does not ask the register of denials, as with openvpn_chroot, or before the playbook "
        "site has been run: it refuses by the CRL only, and who was cut comes back until that lists the certificate."
    )
