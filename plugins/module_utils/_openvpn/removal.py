# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting sessions and proving that they are gone.

The order matters. A snapshot comes first, because a session whose certificate is refused at a renegotiation loses its
name. Then the CRL is put in place, so that who is cut cannot come back. Then the sessions are killed, and the status is
read again until it shows none of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Protocol, TypeVar

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    DeadlineError,
    InputError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import (
    ConnectionLostError,
    NotRunningError,
    answers_to_name,
    listener_name,
    require_common_name,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.sessions import (
    Judge,
    Selection,
    SessionKey,
    remember,
    select_sessions,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import ServerFacts, Session

ANSWERED, NOT_RUNNING, SILENT = "answered", "not_running", "silent"
LOOK_AGAIN_SECONDS = 0.03
# A handshake that began before the CRL was in place is given this long to show whose it is.
HANDSHAKE_SECONDS = 2.0
# An unnamed session that was told to leave has five seconds to do so; telling it earlier may start them anew.
TELL_AGAIN_SECONDS = 6.0
MOST_THREADS = 32
_T = TypeVar("_T")
_R = TypeVar("_R")


class Conversation(Protocol):
    """What is needed of :class:`~.management.Management`."""

    def sessions(self) -> tuple[Session, ...]:
        """Every session of the listener."""

    def kill_name(self, common_name: str) -> int:
        """End every session of a common name."""

    def kill_session(self, session: Session) -> None:
        """End one session that has no name."""


# Opens the conversation behind a socket.
Open = Callable[[Path], AbstractContextManager[Conversation]]


class SurvivorError(CollectionError):
    """A session is still there after it was killed, or nobody could look whether it is."""


@dataclass(frozen=True)
class ListenerState:
    """What a listener said when it was asked.

    :param state: ``answered``, ``not_running`` (so it has no sessions) or ``silent``.
    """

    socket: Path
    state: str
    sessions: tuple[Session, ...] = ()
    error: str = ""
    facts: ServerFacts | None = None

    @property
    def name(self) -> str:
        """The listener's name."""
        return listener_name(self.socket)


@dataclass(frozen=True)
class Order:
    """What is to be cut.

    :param names: Common names, whole.
    :param cut_unnamed: See :func:`~.sessions.select_sessions`; ``judge`` and ``awaits_record`` likewise.
    :param timeout_seconds: How long sessions may take to disappear.
    """

    names: AbstractSet[str]
    cut_unnamed: bool = True
    timeout_seconds: float = 10.0
    judge: Judge | None = None
    awaits_record: bool = False

    def select(self, sessions: Sequence[Session], remembered: Mapping[SessionKey, str]) -> Selection:
        """The sessions that the order is about."""
        return select_sessions(
            sessions, names=self.names, remembered=remembered, cut_unnamed=self.cut_unnamed, judge=self.judge,
            awaits_record=self.awaits_record,
        )  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """What became of one listener's sessions.

    :param survivors: Sessions still there at the deadline.
    :param cut_at: When the last kill was answered, seconds since 1970-01-01 UTC, or ``None`` without a kill.
    """

    listener: str
    sessions: tuple[Session, ...] = ()
    survivors: tuple[Session, ...] = ()
    cut_at: float | None = None
    error: str = ""


def parse_order(names: Sequence[str], *, cut_unnamed: bool, timeout_seconds: float) -> Order:
    """Check what an administrator asks for.

    :raises InputError: for a name that is no common name, or a timeout of nothing.
    """
    if timeout_seconds <= 0:
        raise InputError("The timeout is not a number of seconds above 0.")
    for name in names:
        require_common_name(name)
    return Order(frozenset(names), cut_unnamed=cut_unnamed, timeout_seconds=timeout_seconds)


def require_answers(states: Sequence[ListenerState]) -> None:
    """Raise if a listener hangs, since nobody knows then whose sessions it has.

    :raises SurvivorError: naming each of them.
    """
    require_gone((), states)


def look_at_sessions(path: Path, management: Conversation) -> ListenerState:
    """What a removal has to know of a listener."""
    return ListenerState(path, ANSWERED, management.sessions())


def take_snapshot(
    sockets: Sequence[Path], *, open_socket: Open, look: Callable[[Path, Any], ListenerState] = look_at_sessions
) -> tuple[ListenerState, ...]:
    """Ask all listeners at once who is connected. One that hangs delays the others, but does not hide them.

    :param look: Asks one of them.
    """
    return _all_at_once(lambda path: _ask(path, open_socket, look), sockets)


def doomed_sessions(states: Sequence[ListenerState], order: Order) -> tuple[Session, ...]:
    """The sessions in a snapshot that an order would cut."""
    selections = [order.select(state.sessions, remember(state.sessions)) for state in states]
    return tuple(session for selection in selections for session in selection.doomed)


def cut_sessions(
    states: Sequence[ListenerState], order: Order, *, open_socket: Open, settle_handshakes: bool
) -> tuple[Cut, ...]:
    """Kill, look, and kill again, on all listeners that answered the snapshot, until none is left or time is up.

    :param settle_handshakes: A CRL has just been put in place: handshakes that may have begun under the one before it
        are watched until they show a name, and ended if they do not.
    """
    answering = [state for state in states if state.state == ANSWERED]
    cut = partial(_cut_listener, order=order, open_socket=open_socket, settle_handshakes=settle_handshakes)
    return _all_at_once(cut, answering)


def require_gone(cuts: Sequence[Cut], states: Sequence[ListenerState]) -> None:
    """Raise unless every listener was seen to be free of the sessions.

    :raises SurvivorError: naming each survivor, and each listener that did not answer.
    """
    complaints = [
        f"{one.common_name} ({one.real_address}) on '{cut.listener}'" for cut in cuts for one in cut.survivors
    ]
    problems = [f"Still connected: {', '.join(complaints)}."] if complaints else []
    problems += [cut.error for cut in cuts if cut.error]
    problems += [state.error for state in states if state.state == SILENT]
    if problems:
        raise SurvivorError(" ".join(problems), remedy="Run this again once that is mended: it finishes the job.")


def _all_at_once(job: Callable[[_T], _R], items: Sequence[_T]) -> tuple[_R, ...]:
    if not items:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(items), MOST_THREADS)) as pool:
        return tuple(pool.map(job, items))


def _ask(path: Path, open_socket: Open, look: Callable[[Path, Any], ListenerState]) -> ListenerState:
    try:
        return _answer(path, open_socket, look)
    except ConnectionLostError:
        # A server that is being restarted ends the conversation: what counts is the one that comes after it.
        pass
    try:
        return _answer(path, open_socket, look)
    except ConnectionLostError as error:
        return ListenerState(path, SILENT, error=str(error))


def _answer(path: Path, open_socket: Open, look: Callable[[Path, Any], ListenerState]) -> ListenerState:
    try:
        with open_socket(path) as management:
            return look(path, management)
    except NotRunningError:
        return ListenerState(path, NOT_RUNNING)
    except ConnectionLostError:
        raise
    except CollectionError as error:
        return ListenerState(path, SILENT, error=str(error))


def _cut_listener(state: ListenerState, order: Order, open_socket: Open, *, settle_handshakes: bool) -> Cut:
    run = _ListenerCut(state, order, settle_handshakes=settle_handshakes)
    while True:
        cut = _cut_until_lost(run, state, open_socket)
        if cut is not None:
            return cut
        # The server is being restarted, which ended its sessions: what counts is the process that comes after it.
        time.sleep(LOOK_AGAIN_SECONDS)


def _cut_until_lost(run: _ListenerCut, state: ListenerState, open_socket: Open) -> Cut | None:
    try:
        with open_socket(state.socket) as management:
            return run.until_gone(management)
    except NotRunningError:
        return run.finished()
    except DeadlineError as error:
        return replace(run.finished(), error=str(error))
    except ConnectionLostError as error:
        return replace(run.finished(), error=str(error)) if run.late() else None


class _ListenerCut:
    """The work on one listener: what is known about its sessions, and what has been cut so far."""

    def __init__(self, state: ListenerState, order: Order, *, settle_handshakes: bool) -> None:
        self._order = order
        self._name = state.name
        self._remembered = remember(state.sessions)
        self._cut: dict[SessionKey, Session] = {}
        self._cut_at: float | None = None
        self._watched: set[SessionKey] | None = None if settle_handshakes else set()
        self._told: dict[SessionKey, float] = {}
        self._started = time.monotonic()

    def late(self) -> bool:
        """Whether the time for the whole job is over."""
        return time.monotonic() - self._started > self._order.timeout_seconds

    def finished(self, survivors: tuple[Session, ...] = ()) -> Cut:
        """What has been reached so far."""
        gone = tuple(one for key, one in self._cut.items() if key not in {left.key for left in survivors})
        return Cut(self._name, gone, survivors, self._cut_at)

    def until_gone(self, management: Conversation) -> Cut:
        """Kill and look again; a kill is believed only after two looks that show nothing more."""
        clean_looks = 0
        while True:
            doomed, undecided = self._look(management)
            if self.late():
                return self.finished(doomed)
            if doomed:
                clean_looks = 0
                self._kill(management, doomed)
            elif undecided:
                self._hurry(management, undecided)
            else:
                clean_looks += 1
                if clean_looks > 1 or not self._cut:
                    return self.finished()
            time.sleep(LOOK_AGAIN_SECONDS)

    def _look(self, management: Conversation) -> tuple[tuple[Session, ...], tuple[Session, ...]]:
        """The sessions to kill now, and the handshakes that have to be waited for."""
        sessions = management.sessions()
        self._remembered.update(remember(sessions))
        chosen = self._order.select(sessions, self._remembered)
        if self._watched is None:
            removes = self._order.names or self._order.judge is not None
            self._watched = {one.key for one in chosen.pending} if removes else set()
        return chosen.doomed, tuple(one for one in chosen.pending if one.key in self._watched)

    def _kill(self, management: Conversation, doomed: Sequence[Session]) -> None:
        for name in sorted({one.common_name for one in doomed if answers_to_name(one)}):
            management.kill_name(name)
        self._kill_unnamed(management, [one for one in doomed if not answers_to_name(one)])
        for one in doomed:
            owner = self._remembered.get(one.key, one.common_name)
            self._cut.setdefault(one.key, replace(one, common_name=owner))
        self._cut_at = time.time()

    def _hurry(self, management: Conversation, undecided: Sequence[Session]) -> None:
        """End handshakes that do not show a name in time: a port scan does not hold a removal up for a minute."""
        if time.monotonic() - self._started > HANDSHAKE_SECONDS:
            self._kill_unnamed(management, undecided)

    def _kill_unnamed(self, management: Conversation, sessions: Sequence[Session]) -> None:
        now = time.monotonic()
        for one in sessions:
            if now - self._told.get(one.key, now - TELL_AGAIN_SECONDS) >= TELL_AGAIN_SECONDS:
                self._told[one.key] = now
                management.kill_session(one)


def last_cut(cuts: Sequence[Cut]) -> float | None:
    """When the last session was cut, seconds since 1970-01-01 UTC, or ``None`` if there was none."""
    return max((cut.cut_at for cut in cuts if cut.cut_at is not None), default=None)
