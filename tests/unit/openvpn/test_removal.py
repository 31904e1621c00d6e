"""Cutting against listeners that misbehave in every way a real one could."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import DeadlineError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import removal
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import (
    ConnectionLostError,
    NotRunningError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    SurvivorError,
    cut_sessions,
    doomed_sessions,
    last_cut,
    parse_order,
    require_gone,
    take_snapshot,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

SOCKET = Path("/run/openvpn-server/udp.sock")
Opener = Callable[[Path], AbstractContextManager["Listener"]]


class Listener:
    """A listener in memory; ``immortal`` sessions ignore every kill."""

    def __init__(self, *sessions: Session, immortal: bool = False) -> None:
        self.present = list(sessions)
        self.killed: list[str] = []
        self.looks = 0
        self.immortal = immortal
        self.each_look: Callable[[Listener], None] = lambda _listener: None

    def sessions(self) -> tuple[Session, ...]:
        self.looks += 1
        self.each_look(self)
        return tuple(self.present)

    def kill_name(self, common_name: str) -> int:
        self.killed.append(common_name)
        return self._remove(lambda one: one.common_name == common_name)

    def kill_session(self, session: Session) -> None:
        self.killed.append(session.real_address)
        self._remove(lambda one: one.key == session.key)

    def _remove(self, doomed: Callable[[Session], bool]) -> int:
        before = len(self.present)
        if not self.immortal:
            self.present = [one for one in self.present if not doomed(one)]
        return before - len(self.present)

    def opener(self) -> Opener:
        @contextmanager
        def talk(_path: Path) -> Iterator[Listener]:
            yield self

        return talk


def session(name: str, client_id: int = 0, *, virtual: str = "10.91.0.2") -> Session:
    return Session("udp", name, client_id, f"192.0.2.1:{5000 + client_id}", virtual)


def failing(error: Exception, then: Opener | None = None) -> Opener:
    """Every conversation fails, or only the first one if there is one to follow."""
    errors = [error]

    @contextmanager
    def talk(path: Path) -> Iterator[Listener]:
        if errors or then is None:
            raise errors.pop() if errors else error
        with then(path) as listener:
            yield listener

    return talk


def order(*names: str, timeout: float = 0.5) -> removal.Order:
    return parse_order(names, cut_unnamed=True, timeout_seconds=timeout)


def cut(listener: Listener, wanted: removal.Order, *, settle: bool = False) -> removal.Cut:
    states = take_snapshot([SOCKET], open_socket=listener.opener())
    (done,) = cut_sessions(states, wanted, open_socket=listener.opener(), settle_handshakes=settle)
    return done


def test_only_the_named_are_killed_and_the_time_is_noted() -> None:
    listener = Listener(session("al", 1), session("alice", 2))
    done = cut(listener, order("al"))
    assert [one.common_name for one in done.sessions] == ["al"]
    assert listener.killed == ["al"]
    assert [one.common_name for one in listener.present] == ["alice"]
    assert last_cut([done]) is not None


def test_without_anything_to_cut_one_look_is_enough() -> None:
    listener = Listener(session("alice"))
    done = cut(listener, order("al"))
    assert (done.sessions, done.cut_at, listener.looks) == ((), None, 2)


def test_a_session_that_comes_back_once_is_killed_once_more() -> None:
    listener = Listener(session("al", 1))

    def come_back(this: Listener) -> None:
        if this.looks == 3:
            this.present.append(session("al", 2))

    listener.each_look = come_back
    done = cut(listener, order("al"))
    assert [one.client_id for one in done.sessions] == [1, 2]
    assert done.survivors == ()


def test_a_survivor_is_named() -> None:
    listener = Listener(session("al", 1), immortal=True)
    done = cut(listener, order("al", timeout=0.2))
    assert [one.common_name for one in done.survivors] == ["al"]
    assert done.sessions == ()
    assert listener.killed.count("al") > 1
    with pytest.raises(SurvivorError, match=r"al \(192\.0\.2\.1:5001\) on 'udp'"):
        require_gone([done], [])


def test_a_session_that_loses_its_name_between_the_looks_is_still_cut() -> None:
    listener = Listener(session("al", 1))

    def forget(this: Listener) -> None:
        if this.looks == 2:
            this.present = [replace(one, common_name="UNDEF") for one in this.present]

    listener.each_look = forget
    done = cut(listener, parse_order(["al"], cut_unnamed=False, timeout_seconds=0.5))
    assert [one.common_name for one in done.sessions] == ["al"]
    assert listener.killed == ["192.0.2.1:5001"]


def test_a_handshake_under_the_old_crl_is_waited_for_and_cut_when_it_shows_its_name() -> None:
    listener = Listener(session("UNDEF", 1, virtual=""))

    def finish(this: Listener) -> None:
        if this.looks == 4:
            this.present = [session("al", 1)]

    listener.each_look = finish
    assert [one.common_name for one in cut(listener, order("al"), settle=True).sessions] == ["al"]


def test_a_handshake_that_shows_its_name_is_waited_for_until_it_is_known_by_its_record() -> None:
    """The serial number is recorded after the name is shown, when the device gets its address."""
    listener = Listener(session("UNDEF", 1, virtual=""), session("bob", 2))
    recorded: set[str] = set()

    def go_on(this: Listener) -> None:
        if this.looks == 4:
            this.present[0] = session("al", 1, virtual="")
        elif this.looks == 8:
            recorded.add("al")
            this.present[0] = session("al", 1)

    listener.each_look = go_on
    wanted = removal.Order(
        frozenset(), judge=lambda one, owner: one.established and owner in recorded, awaits_record=True
    )
    assert [one.common_name for one in cut(listener, wanted, settle=True).sessions] == ["al"]
    assert [one.common_name for one in listener.present] == ["bob"]


def test_a_handshake_that_never_shows_a_name_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "HANDSHAKE_SECONDS", 0.1)
    listener = Listener(session("UNDEF", 1, virtual=""))
    done = cut(listener, order("al"), settle=True)
    assert listener.killed == ["192.0.2.1:5001"]
    assert (done.survivors, done.error) == ((), "")


def test_handshakes_are_left_alone_without_a_new_crl() -> None:
    listener = Listener(session("UNDEF", 1, virtual=""))
    cut(listener, order("al"))
    assert listener.killed == []


def everybody_but(*spared: str) -> removal.Order:
    return removal.Order(frozenset(), timeout_seconds=0.5, judge=lambda _session, name: name not in spared)


def test_everybody_but_some_are_killed_by_name() -> None:
    listener = Listener(session("al", 1), session("alice", 2), session("bob", 3))
    done = cut(listener, everybody_but("alice"))
    assert [one.common_name for one in done.sessions] == ["al", "bob"]
    assert listener.killed == ["al", "bob"]
    assert [one.common_name for one in listener.present] == ["alice"]


def test_a_name_that_the_protocol_would_split_is_ended_as_one_without_a_name() -> None:
    listener = Listener(session("a:b", 1), session("al", 2))
    assert [one.common_name for one in cut(listener, everybody_but()).sessions] == ["a:b", "al"]
    assert listener.killed == ["al", "192.0.2.1:5001"]


def test_handshakes_of_a_lockdown_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "HANDSHAKE_SECONDS", 0.1)
    listener = Listener(session("UNDEF", 1, virtual=""), session("alice", 2))
    cut(listener, everybody_but("alice"), settle=True)
    assert listener.killed == ["192.0.2.1:5001"]


def test_a_listener_that_does_not_run_has_no_sessions() -> None:
    (state,) = take_snapshot([SOCKET], open_socket=failing(NotRunningError("no")))
    assert (state.state, state.name, state.sessions) == ("not_running", "udp", ())
    require_gone(
        cut_sessions([state], order("al"), open_socket=failing(NotRunningError("no")), settle_handshakes=False), [state]
    )


def test_a_listener_that_hangs_is_an_error_and_the_other_is_cut() -> None:
    listener = Listener(session("al"))

    @contextmanager
    def talk(path: Path) -> Iterator[Listener]:
        if path != SOCKET:
            raise DeadlineError("The listener 'tcp' did not answer.")
        yield listener

    states = take_snapshot([SOCKET, SOCKET.with_name("tcp.sock")], open_socket=talk)
    assert [one.common_name for one in doomed_sessions(states, order("al"))] == ["al"]
    cuts = cut_sessions(states, order("al"), open_socket=talk, settle_handshakes=False)
    assert listener.present == []
    with pytest.raises(SurvivorError, match="'tcp' did not answer"):
        require_gone(cuts, states)


def test_a_restart_in_the_middle_is_waited_for() -> None:
    listener = Listener(session("al"))
    lost = ConnectionLostError("The listener 'udp' ended the conversation.")
    (state,) = take_snapshot([SOCKET], open_socket=failing(lost, listener.opener()))
    assert [one.common_name for one in state.sessions] == ["al"]
    (done,) = cut_sessions([state], order("al"), open_socket=failing(lost, listener.opener()), settle_handshakes=False)
    assert [one.common_name for one in done.sessions] == ["al"]


def test_a_listener_that_always_ends_the_conversation_is_an_error() -> None:
    lost = ConnectionLostError("The listener 'udp' ended the conversation.")
    (state,) = take_snapshot([SOCKET], open_socket=failing(lost))
    assert state.state == "silent"
    answered = replace(state, state="answered")
    (done,) = cut_sessions([answered], order("al", timeout=0.1), open_socket=failing(lost), settle_handshakes=False)
    with pytest.raises(SurvivorError, match="ended the conversation"):
        require_gone([done], [])


def test_a_listener_that_stops_while_being_cut_has_no_sessions_left() -> None:
    listener = Listener(session("al"))
    (state,) = take_snapshot([SOCKET], open_socket=listener.opener())
    (done,) = cut_sessions([state], order("al"), open_socket=failing(NotRunningError("no")), settle_handshakes=False)
    require_gone([done], [state])


@pytest.mark.parametrize("name", ["", "a b", "a:b", "al\nkill bob", 'a"b', "a\\b", "a/b", "ä", "a" * 65])
def test_a_name_that_the_protocol_would_split_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="common name"):
        order(name)


def test_no_time_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="timeout"):
        order("al", timeout=0)
