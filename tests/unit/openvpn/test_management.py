"""The conversation with a management socket: deadlines, noise and lines that come in pieces."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unit.openvpn.test_sessions import HEADER, row

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import DeadlineError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import (
    ConnectionLostError,
    Management,
    NotRunningError,
    open_management,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

GREETING = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n"


def absent(_path: Path) -> bool:
    return False


class Server:
    """Answers with what it was told to, one answer a command; the greeting comes first."""

    def __init__(self, path: Path, answers: list[str]) -> None:
        self.commands: list[str] = []
        self._answers = answers
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _address = self._listening.accept()
        with connection, connection.makefile("r", encoding="ascii") as lines:
            for answer in self._answers:
                for piece in (answer[:7], answer[7:]):
                    connection.sendall(piece.encode())
                line = lines.readline()
                if not line:
                    return
                self.commands.append(line.strip())

    def close(self) -> None:
        self._listening.close()
        self._thread.join(5)


Talk = Callable[..., tuple[Server, Path]]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    servers: list[Server] = []

    def start(*answers: str) -> tuple[Server, Path]:
        path = tmp_path / "udp.sock"
        servers.append(Server(path, [GREETING, *answers]))
        return servers[-1], path

    yield start
    for server in servers:
        server.close()


def test_a_status_between_notifications(talk: Talk) -> None:
    answer = f">CLIENT:ESTABLISHED,0\r\n{HEADER}\r\n{row('alice@laptop')}\r\n>BYTECOUNT:1,2\r\nEND\r\n"
    server, path = talk(answer, "")
    with open_management(path, timeout_seconds=2, is_running=absent) as conversation:
        assert [one.common_name for one in conversation.sessions()] == ["alice@laptop"]
    server.close()
    assert server.commands == ["status 3"]


def test_a_kill_counts(talk: Talk) -> None:
    said = "SUCCESS: common name 'alice@laptop' found, 2 client(s) killed\r\n"
    _server, path = talk(said, "ERROR: common name 'bob' not found\r\n", "")
    with open_management(path, timeout_seconds=2, is_running=absent) as conversation:
        assert conversation.kill_name("alice@laptop") == 2
        assert conversation.kill_name("bob") == 0
        with pytest.raises(InputError):
            conversation.kill_name("alice:1")


KILLED, NOT_FOUND = "SUCCESS: 1 client(s) killed\r\n", "ERROR: client not found\r\n"
OTHER = ("UNDEF", "192.0.2.9:1", "8")


def status(*sessions: tuple[str, str, str]) -> str:
    """The answer to ``status 3``: a common name, a real address and a client's number each."""
    columns = (
        "Common Name", "Real Address", "Virtual Address", "Virtual IPv6 Address", "Bytes Received", "Bytes Sent",
        "Connected Since (time_t)", "Username", "Client ID",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [("HEADER", "CLIENT_LIST", *columns)]
    for name, real, number in sessions:
        rows.append(("CLIENT_LIST", name, real, "10.0.0.2", "", "1", "1", "1", "UNDEF", number))
    return "".join("\t".join(row) + "\r\n" for row in rows) + "END\r\n"


@pytest.mark.parametrize(
    ("address", "answers", "commands"),
    [
        ("192.0.2.1:5000", [KILLED], ["kill 192.0.2.1:5000"]),
        ("192.0.2.1:5000", [NOT_FOUND, KILLED], ["kill 192.0.2.1:5000", "kill udp:192.0.2.1:5000"]),
        (
            "192.0.2.1:5000",
            [*[NOT_FOUND] * 3, status(("UNDEF", "192.0.2.1:5000", "7")), KILLED],
            [*[f"kill {one}192.0.2.1:5000" for one in ("", "udp:", "tcp:")], "status 3", "kill UNDEF"],
        ),
        (
            "2001:db8::1",
            [status(("alice", "192.0.2.9:1", "8"), ("UNDEF", "2001:db8::1", "7")), KILLED],
            ["status 3", "kill UNDEF"],
        ),
        ("2001:db8::1", [status(("UNDEF", "2001:db8::1", "7"), OTHER), KILLED], ["status 3", "client-kill 7"]),
        ("2001:db8::1", [status(), KILLED], ["status 3", "client-kill 7"]),
        (
            "2001:db8::1",
            [status(("UNDEF", "2001:db8::1", "7")), NOT_FOUND, KILLED],
            ["status 3", "kill UNDEF", "client-kill 7"],
        ),
    ],
)
def test_a_session_without_a_name_is_killed_by_what_it_has(
    talk: Talk, address: str, answers: list[str], commands: list[str]
) -> None:
    server, path = talk(*answers, "")
    with open_management(path, timeout_seconds=2, is_running=absent) as conversation:
        conversation.kill_session(Session("udp", "UNDEF", 7, address))
    server.close()
    assert server.commands == commands


def test_silence_ends_at_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "udp.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)
        started = time.monotonic()
        with (
            pytest.raises(DeadlineError, match="'udp' did not answer"),
            open_management(path, timeout_seconds=0.2, is_running=absent),
        ):
            pass
        assert time.monotonic() - started < 1


def test_an_answer_that_never_ends_ends_at_the_deadline(talk: Talk) -> None:
    _server, path = talk(f"{HEADER}\r\n")
    with open_management(path, timeout_seconds=0.2, is_running=absent) as conversation, pytest.raises(DeadlineError):
        conversation.sessions()


def test_a_server_that_goes_away_is_told_from_one_that_hangs(talk: Talk) -> None:
    _server, path = talk()
    with (
        open_management(path, timeout_seconds=2, is_running=absent) as conversation,
        pytest.raises(ConnectionLostError),
    ):
        conversation.sessions()


def test_another_program_on_the_socket_is_not_believed(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"220 mail.example ESMTP\r\n")
        with pytest.raises(ConnectionLostError, match="not OpenVPN's"):
            Management(ours, listener="udp", timeout_seconds=1).greet()


def test_a_socket_that_is_missing_or_stale_means_not_running(tmp_path: Path) -> None:
    path = tmp_path / "udp.sock"
    with pytest.raises(NotRunningError), open_management(path, timeout_seconds=1, is_running=absent):
        pass
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    with pytest.raises(NotRunningError), open_management(path, timeout_seconds=1, is_running=absent):
        pass


def test_a_process_without_its_socket_is_waited_for_and_then_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(DeadlineError),
        open_management(tmp_path / "udp.sock", timeout_seconds=0.2, is_running=lambda _path: True),
    ):
        pass


def test_an_endless_line_is_not_kept(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(management, "LONGEST_LINE", 1000)
    _server, path = talk("x" * 5000)
    with (
        open_management(path, timeout_seconds=2, is_running=absent) as conversation,
        pytest.raises(ConnectionLostError, match="sends no lines"),
    ):
        conversation.verbosity()
