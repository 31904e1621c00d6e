# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that have another address than their device should have: told to connect again, and ended if they do not."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import DeadlineError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.client_files import (
    is_disabled,
    parse_address,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import (
    ConnectionLostError,
    NotRunningError,
    open_management,
    require_common_name,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process, parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import (
    find_sockets,
    running_processes,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    MOST_THREADS,
    Cut,
    ListenerState,
    require_answers,
    require_gone,
    take_snapshot,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

# A client that was told to connect again has this long; the server itself ends it after five seconds.
POLITE_SECONDS = 6.0
LOOK_AGAIN_SECONDS = 0.2


class Conversation(Protocol):
    """What is needed of :class:`~.management.Management`."""

    def sessions(self) -> tuple[Session, ...]:
        """Every session of the listener."""

    def restart_session(self, session: Session) -> None:
        """Tell a client to connect again."""

    def kill_session(self, session: Session) -> None:
        """End one session."""


# Opens the conversation behind a socket.
Open = Callable[[Path], AbstractContextManager[Conversation]]


@dataclass(frozen=True)
class Misplaced:
    """Sessions of one listener that have to connect again."""

    socket: Path
    listener: str
    sessions: tuple[Session, ...]


def find_misplaced(
    states: Sequence[ListenerState], processes: Sequence[Process], *, read: Callable[[str, str], str | None]
) -> tuple[Misplaced, ...]:
    """The sessions whose address is not the one in their device's file, or is one that is given out by name to others.

    A disabled device is none of them: it could not connect again.

    :param read: The text of the file of a common name on a process, ``None`` where there is none.
    :raises SurvivorError: a listener did not say which sessions it has.
    """
    require_answers(states)
    by_name = {process.name: process for process in processes}
    found = []
    for state in states:
        process = by_name.get(state.name)
        if process is not None:
            wrong = [one for one in state.sessions if one.named and _is_misplaced(one, process, read)]
            if wrong:
                found.append(Misplaced(state.socket, state.name, tuple(wrong)))
    return tuple(found)


class Reconnection:
    """One run: a look at all sessions, then the end of those that are misplaced.

    :param parameters: Of the module ``openvpn_session``.
    :param read: The content of a file, ``None`` where there is none.
    """

    def __init__(self, parameters: Mapping[str, Any], *, read: Callable[[Path], bytes | None]) -> None:
        self._parameters = parameters
        self._read = read

    def decide(self) -> Change[Misplaced]:
        """Find the misplaced sessions; nothing is done to them."""
        given = self._parameters
        known = [parse_process(one) for one in given["processes"]]
        running = running_processes()
        self._talk = partial(open_management, timeout_seconds=given["timeout"], is_running=running.__contains__)
        states = take_snapshot(find_sockets(given["management_sockets"], running), open_socket=self._talk)
        misplaced = find_misplaced(states, known, read=self._read_client)
        facts = [session.as_dict() for one in misplaced for session in one.sessions]
        return Change({"sessions": facts}, {"sessions": []}, misplaced, {"sessions_cut": facts})

    def apply(self, change: Change[Misplaced]) -> Mapping[str, Any]:
        """Have them connect again, and prove that the old ones are gone."""
        cuts = reconnect(change.steps, open_socket=self._talk, timeout_seconds=self._parameters["timeout"])
        require_gone(cuts, ())
        return {"sessions_cut": [session.as_dict() for cut in cuts for session in cut.sessions]}

    def _read_client(self, process: str, common_name: str) -> str | None:
        try:
            require_common_name(common_name)
        except InputError:
            # Not one of ours, and perhaps no name of a file either.
            return None
        content = self._read(Path(self._parameters["client_folder"]) / process / common_name)
        return None if content is None else content.decode("utf-8", "replace")


def reconnect(misplaced: Sequence[Misplaced], *, open_socket: Open, timeout_seconds: float) -> tuple[Cut, ...]:
    """Have the clients connect again, on all listeners at once.

    :param timeout_seconds: How long a session may take to disappear once it has been ended.
    """
    if not misplaced:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(misplaced), MOST_THREADS)) as pool:
        return tuple(pool.map(lambda one: _reconnect(one, open_socket, timeout_seconds), misplaced))


def _is_misplaced(session: Session, process: Process, read: Callable[[str, str], str | None]) -> bool:
    try:
        address = ipaddress.IPv4Address(session.virtual_address)
    except ValueError:
        return False
    text = read(process.name, session.common_name)
    if text is not None and is_disabled(text):
        return False
    wanted = None if text is None else parse_address(text)
    return process.is_static(address) if wanted is None else address != wanted


def _reconnect(one: Misplaced, open_socket: Open, timeout_seconds: float) -> Cut:
    left: Mapping[object, Session] = {session.key: session for session in one.sessions}
    error = ""
    try:
        with open_socket(one.socket) as management:
            for session in one.sessions:
                management.restart_session(session)
            left = _until_gone(left, management, seconds=POLITE_SECONDS)
            for session in left.values():
                management.kill_session(session)
            left = _until_gone(left, management, seconds=timeout_seconds)
    except (NotRunningError, ConnectionLostError):
        # A server that stops or restarts ends all of its sessions.
        left = {}
    except DeadlineError as problem:
        error = str(problem)
    return Cut(one.listener, one.sessions, tuple(left.values()), time.time(), error)


def _until_gone(
    left: Mapping[object, Session], management: Conversation, *, seconds: float
) -> Mapping[object, Session]:
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        present = {session.key for session in management.sessions()}
        left = {key: session for key, session in left.items() if key in present}
        if left:
            time.sleep(LOOK_AGAIN_SECONDS)
    return left
