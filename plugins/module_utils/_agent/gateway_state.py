# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of this gateway: listeners, sessions, CRL, certificate, and configurations that nobody manages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.state import parse_state, show
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import read_denials
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.process_reach import barrier_of
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.links import kernel_modules, link_kinds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.openvpn_files import run_openssl
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import show_units
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import inspect_crl
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import (
    parse_state as parse_pull_state,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import Trust, read_not_after
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import FOLDERS
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.foreign_configs import find_files
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listener_facts import (
    Surroundings,
    describe_listener,
    look_at_listener,
    unit_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import (
    Process,
    find_sockets,
    is_chrooted,
    running_processes,
    serial_folders,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import running_programs
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    require_answers,
    take_snapshot,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import PROPERTIES, Unit, parse_units

FOLDER = Path("/etc/openvpn/server/privatespace")
CONFIG_FOLDERS = (Path("/etc/openvpn"), Path("/etc/openvpn/server"), Path("/etc/openvpn/client"))
OFFLOAD_MODULES = "ovpn"


@dataclass(frozen=True)
class Question:
    """What is asked, and where it is found.

    :param sockets: Management sockets, or ``None`` for all.
    :param timeout_seconds: How long one listener may take for an answer.
    :param answers_required: Whether a listener that hangs is an error, rather than a line that says so.
    """

    sockets: Sequence[str] | None = None
    timeout_seconds: float = 5.0
    answers_required: bool = True
    crl_path: Path = FOLDER / "crl.pem"
    ca_path: Path = FOLDER / "ca.crt"
    certificate_path: Path = FOLDER / "server.crt"
    announcement_path: Path = Path("/run/privatespace/announcement.json")
    acme_path: Path = Path("/var/lib/privatespace/acme/state.json")
    revocation_path: Path = Path("/var/lib/privatespace/revocation/state.json")
    revocation_config: Path = Path("/etc/privatespace/revocation.json")
    expired_path: Path = FOLDER / "denied" / "expired"


def gather_gateway(question: Question) -> dict[str, Any]:
    """Ask everything once.

    :raises SurvivorError: a listener does not answer, and answers are required.
    """
    processes = running_processes()
    sockets = find_sockets(question.sockets, processes)
    talk = partial(open_management, timeout_seconds=question.timeout_seconds, is_running=processes.__contains__)
    states = take_snapshot(sockets, open_socket=talk, look=look_at_listener)
    if question.answers_required:
        require_answers(states)
    around = Surroundings(
        processes=processes,
        programs={program.pid: program for program in running_programs()},
        units=_units(sockets),
        link_kinds=link_kinds(),
        modules=kernel_modules(OFFLOAD_MODULES),
    )
    return {
        **_certificates(question),
        "sessions": [session.as_dict() for state in states for session in state.sessions],
        "listeners": [describe_listener(state, around) for state in states],
        "foreign_configs": [str(path) for path in find_files(CONFIG_FOLDERS, frozenset())],
        "announcement": parse_announcement(read_optional(question.announcement_path)),
        "web_certificate": parse_web_certificate(read_optional(question.acme_path)),
        "revocation": _revocation(question, list(processes.values())),
        "denials": read_denials(question.expired_path.parent).as_list(),
    }


def _revocation(question: Question, running: Sequence[Process]) -> dict[str, Any]:
    """How OpenVPN learns who is revoked, by what runs, and what the program that follows the CRL has left behind."""
    folders = sorted({folder for process in running for folder in serial_folders(process.text)})
    return {
        "mode": "serials" if folders else "crl",
        "missing_folders": [folder for folder in folders if not Path(folder).is_dir()],
        "barred_by": _barrier(question.crl_path.parent, running),
        "denied_since_expiry": question.expired_path.exists(),
        "agent_wanted": question.revocation_config.exists(),
        "agent": parse_agent(read_optional(question.revocation_path)),
    }


def _barrier(folder: Path, running: Iterable[Process]) -> str:
    """The folder that keeps a process from the CRL and from the register of denials, or nothing."""
    found = (
        barrier_of(process.pid, folder / name, FOLDERS)
        for process in running
        for name in ("revoked", "denied")
        if str(folder) in process.text and not is_chrooted(process.text)
    )
    return next(filter(None, found), "")


def parse_agent(content: bytes | None) -> dict[str, Any] | None:
    """What the program that follows the CRL has left behind; ``None`` where there is nothing to read."""
    try:
        state = parse_pull_state(json.loads(content or b"null"))
    except ValueError:
        return None
    return state.as_dict() if state.checked_at else None


def parse_announcement(content: bytes | None) -> dict[str, Any] | None:
    """What the program that keeps this gateway's name has left behind; ``None`` where there is nothing to read."""
    try:
        found = json.loads(content or b"null")
    except ValueError:
        return None
    if not isinstance(found, dict) or not {"name", "addresses", "checked_at", "problem"} <= set(found):
        return None
    return found


def parse_web_certificate(content: bytes | None) -> dict[str, Any] | None:
    """What the program that keeps the certificate for browsers has left behind; ``None`` where there is none."""
    try:
        state = parse_state(json.loads(content or b"null"))
    except ValueError:
        return None
    return show(state, now=epoch_seconds()) if state.checked_at else None


def _units(sockets: Sequence[Path]) -> dict[str, Unit]:
    names = [name for name in map(unit_of, sockets) if name]
    shown = show_units(names, PROPERTIES)
    return parse_units(names, shown) if shown else {}


def _certificates(question: Question) -> dict[str, Any]:
    trust = Trust(question.ca_path, read_optional(question.ca_path) or b"")
    crl, problem = inspect_crl(read_optional(question.crl_path), trust=trust, run=run_openssl)
    return {
        "crl": None if crl is None else crl.as_facts(),
        "crl_problem": problem,
        "certificate_not_after": read_not_after(read_optional(question.certificate_path), run=run_openssl),
    }
