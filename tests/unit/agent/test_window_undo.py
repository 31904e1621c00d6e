"""How much listeners log is written down before it is changed, and put back, whatever they answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import WindowFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_undo import (
    VERBOSITIES,
    raise_verbosities,
    undo,
    write_json,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError

LEVEL = 4


class Listener:
    """A management socket that does as it is told; it may hang up instead of saying so."""

    def __init__(self, path: Path, *, verbosity: int = 3) -> None:
        self.verbosity, self.hangs_up = verbosity, False
        self.path = path
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """The end of the process; its socket stays."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listening.accept()
            except OSError:
                return
            with connection, connection.makefile("r", encoding="ascii") as lines:
                connection.sendall(b">INFO:OpenVPN Management Interface\r\n")
                for line in lines:
                    words = line.split()
                    if words[1:]:
                        self.verbosity = int(words[1])
                        if self.hangs_up:
                            break
                        connection.sendall(b"SUCCESS: verb level changed\r\n")
                    else:
                        connection.sendall(f"SUCCESS: verb={self.verbosity}\r\n".encode())


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path / "udp.sock")
    yield made
    made.close()


def raise_all(files: WindowFiles, *listeners: Listener) -> tuple[str, ...]:
    return raise_verbosities(
        {str(number): one.path for number, one in enumerate(listeners)}, LEVEL,
        remember=lambda before: write_json(files.state, {VERBOSITIES: dict(before), "level": LEVEL}),
    )  # fmt: skip


def test_it_is_raised_and_put_back(listener: Listener, tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    assert raise_all(files, listener) == ()
    assert listener.verbosity == LEVEL
    assert undo(files) == ()
    assert listener.verbosity == 3
    assert not files.state.exists()


def test_one_that_does_it_without_saying_so_is_put_back_as_well(listener: Listener, tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    listener.hangs_up = True
    assert "ended the conversation" in raise_all(files, listener)[0]
    assert listener.verbosity == LEVEL
    listener.hangs_up = False
    assert undo(files) == ()
    assert listener.verbosity == 3


def test_one_that_logs_as_much_already_is_left_alone(listener: Listener, tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    listener.verbosity = LEVEL
    assert raise_all(files, listener) == ()
    assert undo(files) == ()
    assert listener.verbosity == LEVEL


def test_nothing_is_raised_that_could_not_be_written_down(listener: Listener, tmp_path: Path) -> None:
    with pytest.raises(FileError):
        raise_all(WindowFiles(tmp_path / "missing"), listener)
    assert listener.verbosity == 3


def test_a_socket_that_a_dead_process_left_is_no_complaint(tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    listener = Listener(tmp_path / "udp.sock")
    raise_all(files, listener)
    listener.close()
    assert listener.path.exists()
    assert undo(files) == ()
    assert not files.state.exists()
