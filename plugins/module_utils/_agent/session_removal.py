# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A removal on one gateway as an administrator orders it: the CRL in place, sessions cut, proof, denials lifted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.crl_place import CrlPlace, Placement
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    read_denials,
    remove_entries,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.process_reach import (
    barrier_of,
    complain_of_barrier,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    PartialError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import processes, removal
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import listed_serials
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import DEVICES, Denials
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_plan import (
    INSTALL_CRL,
    LIFT_DENIALS,
    plan_removal,
)

MOMENTS = ("snapshot_at", "crl_installed_at", "cut_at", "verified_at")
CUT_ONLY = "The sessions were cut all the same. Who was cut can come back until that is mended and this is run again."


class SessionRemoval:
    """One run: the snapshot, then the CRL, then the cut, then the proof, and then what it makes superfluous."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.denial_folder = Path(parameters["denial_folder"])
        self.place = CrlPlace(
            crl_path=Path(parameters["crl_path"]),
            ca_path=Path(parameters["ca_path"]),
            serial_folder=Path(parameters["serial_folder"]),
            has_folder=parameters["revocation"] == "serials",
        )
        self.timeline: dict[str, float | None] = dict.fromkeys(MOMENTS)

    def decide(self) -> Change[str]:
        """Look at the sessions and judge the CRL; nothing is written."""
        given = self.parameters
        self.order = removal.parse_order(
            given["common_names"], cut_unnamed=given["cut_unnamed"], timeout_seconds=given["timeout"]
        )
        self.placement = self._judge()
        lifts = given["lift_users"] or given["lift_names"] or given["crl_content"]
        self.denials = read_denials(self.denial_folder) if lifts else Denials()
        running = processes.running_processes()
        self.talk = partial(open_management, timeout_seconds=given["timeout"], is_running=running.__contains__)
        sockets = processes.find_sockets(given["management_sockets"], running) if self.order.names else ()
        self.states = removal.take_snapshot(sockets, open_socket=self.talk)
        self.timeline["snapshot_at"] = epoch_seconds()
        change = plan_removal(
            self.states, self.order, placing=self.placement.placing(), processes=running, lifted=self._lifted()
        )
        self.barrier = self._find_barrier(running.values())
        if not change.needed:
            if self.barrier:
                raise StateError(complain_of_barrier(self.barrier))
            self.timeline["verified_at"] = epoch_seconds()
        return replace(change, result={**change.result, "timeline": self.timeline, "refused": self._refused()})

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Put the CRL in place, cut, prove, and lift; where it cannot be put there, cut all the same."""
        problem = self._put() if INSTALL_CRL in change.steps else ""
        cuts = removal.cut_sessions(
            self.states, self.order, open_socket=self.talk, settle_handshakes=INSTALL_CRL in change.steps
        )
        self.timeline["cut_at"] = removal.last_cut(cuts)
        results = {"sessions_cut": [one.as_dict() for cut in cuts for one in cut.sessions], "timeline": self.timeline}
        problems = [problem, complain_of_barrier(self.barrier)]
        if any(problems):
            told = " ".join(filter(None, [*problems, *self._survivors(cuts)]))
            unproved = dict.fromkeys(self.parameters["serials"], False)
            remedy = CUT_ONLY if self.order.names else ""
            raise PartialError(told, remedy=remedy, results={**results, "refused": unproved})
        removal.require_gone(cuts, self.states)
        self.timeline["verified_at"] = epoch_seconds()
        refused = self.place.refused_now(self.parameters["serials"], self.placement.wanted)
        lifted = self._lift(refused) if LIFT_DENIALS in change.steps else []
        return {**results, "refused": refused, "lifted": lifted}

    def _find_barrier(self, running: Iterable[processes.Process]) -> str:
        """The folder that keeps a process, once it has dropped its privileges, from what is revoked."""
        if not (self.parameters["crl_content"] or self.parameters["serials"]):
            return ""
        folders = [self.place.crl_path.parent, *([self.place.serial_folder] if self.place.has_folder else [])]
        found = (barrier_of(one.pid, folder) for one in running for folder in folders if _reads(one, folder))
        return next(filter(None, found), "")

    def _put(self) -> str:
        """Put the CRL in place; returns what is wrong where that could not be done, in a sentence.

        :raises CollectionError: likewise, where nobody is to be cut.
        """
        try:
            self.placement = self.place.put(self.placement, self._judge)
        except CollectionError as error:
            if not self.order.names:
                raise
            return str(error)
        self.timeline["crl_installed_at"] = epoch_seconds()
        return ""

    def _survivors(self, cuts: Sequence[removal.Cut]) -> list[str]:
        try:
            removal.require_gone(cuts, self.states)
        except removal.SurvivorError as error:
            return [str(error)]
        return []

    def _judge(self) -> Placement:
        return self.place.judge(self.parameters["crl_content"], self.parameters["serials"])

    def _refused(self) -> dict[str, bool]:
        """In check mode, what would be refused once the CRL were in place."""
        serials, wanted = self.parameters["serials"], self.placement.wanted
        return self.place.refused_now(serials) if wanted is None else listed_serials(wanted, serials)

    def _lifted(self) -> tuple[str, ...]:
        """The entries that the CRLs make superfluous; one that waits for more than they list stays."""
        users, names = self.parameters["lift_users"], self.parameters["lift_names"]
        asked = {path for user in users for path in self.denials.of_user(user)} | {f"{DEVICES}/{one}" for one in names}
        if self.parameters["crl_content"]:
            # As the gateway does it by itself, where it follows the CRL.
            asked |= {path for path, entry in self.denials.entries.items() if entry.serials}
        about = sorted(asked & set(self.denials.entries))
        if not about:
            return ()
        crls = self.placement.wanted or self.place.inspect()[0]
        waiting = [serial for path in about for serial in self.denials.entries[path].serials or ()]
        listed = listed_serials(crls, waiting)
        return tuple(path for path in about if all(listed[one] for one in self.denials.entries[path].serials or ()))

    def _lift(self, refused: Mapping[str, bool]) -> list[str]:
        """Take away what keeps out whom the CRL keeps out now.

        :raises StateError: it does not; the denials stay.
        """
        left = [serial for serial, is_refused in refused.items() if not is_refused]
        if left:
            raise StateError(
                f"The CRL in place does not list the serial number {left[0]}: no denial was lifted.",
                remedy="Send the CRL that does.",
            )
        lifted = self._lifted()
        remaining = remove_entries(self.denial_folder, lifted, judged=self.denials)
        return [path for path in lifted if path not in remaining.entries]


def _reads(process: processes.Process, folder: Path) -> bool:
    """Whether a process is to find there who is revoked, after it has dropped its privileges."""
    return str(folder) in process.text and not processes.is_chrooted(process.text)
