# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A denial on one gateway, from the register to the proof.

The register is written first. The hook of OpenVPN runs at the end of a handshake, so that even one which began earlier
is refused from then on, and the sessions that are there have to be found only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    change_register,
    read_denials,
    read_group,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.process_reach import barrier_of
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    PartialError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import processes, removal
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denial_plan import (
    WRITE_REGISTER,
    complain_of_listeners,
    describe_listeners,
    plan_denial,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denial_request import parse_request
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import FOLDERS, Denials
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

MOMENTS = ("denied_at", "snapshot_at", "cut_at", "verified_at")
# The hook finds the register by this name, next to the clients' files.
REGISTER_NAME = "denied"
CUT_ONLY = "The sessions were cut all the same. Who was cut can come back until that is mended and this is run again."


class DenialRun:
    """One run of the module ``openvpn_denial``.

    :param parameters: Its options.
    :param only_look: Nothing will be applied, so that who would be cut has to be found beforehand.
    """

    def __init__(self, parameters: Mapping[str, Any], *, only_look: bool) -> None:
        self.parameters = parameters
        self.only_look = only_look
        self.path = Path(parameters["path"])
        self.timeline: dict[str, float | None] = dict.fromkeys(MOMENTS)
        self.states: tuple[removal.ListenerState, ...] = ()
        self.asking: set[str] = set()
        self.denials = Denials()
        # Why the register could not be written.
        self.problem = ""

    def decide(self) -> Change[str]:
        """Look at the register and, if it is to stay as it is, at the sessions; nothing is written."""
        if self.path.name != REGISTER_NAME:
            raise InputError(f"The register of denials is a folder named '{REGISTER_NAME}', not {self.path}.")
        self.request = parse_request(self.parameters, now=epoch_seconds())
        before = read_denials(self.path)
        self.denials = self.request.apply_to(before)
        self.cuts = self.parameters["cut"] and not self.request.lifts and self.denials.somebody
        self.fresh = self.denials != before
        order = removal.parse_order((), cut_unnamed=True, timeout_seconds=self.parameters["timeout"])
        self.order = replace(order, judge=self._judge if self.cuts else None)
        self.running = processes.running_processes() if self.cuts else {}
        if self.only_look or not self.fresh:
            self._look()
        listeners = self._listeners()
        complaint = complain_of_listeners(listeners)
        unproved = "" if self.only_look else complaint
        change = plan_denial(before, self.denials, states=self.states, order=self.order, unproved=unproved)
        if not change.needed and not complaint:
            self._note_proof()
        result = {**change.result, "listeners": listeners, "timeline": self.timeline}
        return replace(change, result=result)

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Deny, cut, and prove. Who cannot be denied, as on a full disk, is cut nevertheless."""
        if WRITE_REGISTER in change.steps:
            self.problem = self._write()
            self._look()
        listeners = self._listeners()
        cuts = removal.cut_sessions(
            self.states,
            self.order,
            open_socket=self._talk(),
            # Where the hook refuses, a handshake that is under way does not have to be watched.
            settle_handshakes=self.fresh and (bool(self.problem) or not all(one["refuses"] for one in listeners)),
        )
        self.timeline["cut_at"] = removal.last_cut(cuts)
        results = {
            "denials": (read_denials(self.path) if self.problem else self.denials).as_list(),
            "listeners": listeners,
            "sessions_cut": [one.as_dict() for cut in cuts for one in cut.sessions],
            "timeline": self.timeline,
        }
        self._require_proof(cuts, listeners, results)
        self._note_proof()
        return results

    def _write(self) -> str:
        """Change the register; returns what is wrong where that could not be done, in a sentence.

        :raises CollectionError: likewise, where nobody is to be cut.
        """
        try:
            self.denials = change_register(self.path, self.request.apply_to)
        except CollectionError as error:
            if not self.cuts:
                raise
            return str(error)
        self.timeline["denied_at"] = None if self.request.lifts else epoch_seconds()
        return ""

    def _require_proof(
        self, cuts: Sequence[removal.Cut], listeners: Sequence[Mapping[str, Any]], results: Mapping[str, Any]
    ) -> None:
        """Raise unless nobody who is denied is connected, and nobody could come back."""
        problems = [self.problem, complain_of_listeners(listeners)]
        try:
            removal.require_gone(cuts, self.states)
        except removal.SurvivorError as error:
            problems.insert(1, str(error))
        told = " ".join(filter(None, problems))
        if told:
            remedy = CUT_ONLY if self.problem else "The entries in the register stand."
            raise PartialError(told, remedy=remedy, results=results)

    def _note_proof(self) -> None:
        if self.request.lifts or self.parameters["cut"]:
            self.timeline["verified_at"] = epoch_seconds()

    def _talk(self) -> removal.Open:
        return partial(
            open_management, timeout_seconds=self.parameters["timeout"], is_running=self.running.__contains__
        )

    def _look(self) -> None:
        if self.cuts:
            sockets = processes.find_sockets(self.parameters["management_sockets"], self.running)
            self.states = removal.take_snapshot(sockets, open_socket=self._talk())
        self.asking = {one["name"] for one in self._listeners() if one["refuses"] and not self.problem}
        self.timeline["snapshot_at"] = epoch_seconds()

    def _judge(self, session: Session, owner: str) -> bool:
        """Whether a session has to end; for some seconds the status still shows one that the hook has refused."""
        if session.listener in self.asking and not session.established:
            return False
        folder = Path(self.parameters["client_folder"])
        group = read_group(folder, session.listener, owner) if self.denials.about_groups else None
        return self.denials.cuts(owner, group=group)

    def _listeners(self) -> list[dict[str, Any]]:
        return describe_listeners(self.states, self.running, self.path, barred_by=self._barrier)

    def _barrier(self, process: processes.Process) -> str:
        """The folder that a process cannot look into, and without which it finds no denial."""
        return barrier_of(process.pid, self.path, FOLDERS)
