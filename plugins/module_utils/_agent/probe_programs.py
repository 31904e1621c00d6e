# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a measurement starts; none of them outlives it, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError

_PATH = (os.environ.get("PATH") or os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
_STOP_SECONDS = 2.0
_MOST_OUTPUT = 4_000_000


class StoppedError(CollectionError):
    """The measurement was told to end before it was done."""


@dataclass(frozen=True)
class Ended:
    """What a program left. :param late: Whether it had to be stopped because its time was over."""

    output: str
    errors: str
    late: bool


def find_program(name: str) -> str:
    """The path of a program, empty where it is not installed."""
    return shutil.which(name, path=_PATH) or ""


class Children:
    """All programs of one measurement.

    :param deadline: When the last of them has to have ended, on the monotonic clock.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._running: list[subprocess.Popen[bytes]] = []
        self._guard = threading.Lock()
        self._closed = False
        # With this a program ends with the one that started it, even if that is killed.
        setpriv = find_program("setpriv")
        self._prefix = (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def start(
        self, argv: Sequence[str], *, output: IO[bytes], errors: IO[bytes] | None = None, stdin: bytes | None = None,
        folder: str | None = None,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start a program that goes on until it is stopped, in a process group of its own.

        Only a thread that lives as long as the program may do this.

        :raises StoppedError: everything is being ended.
        """
        with self._guard:
            if self._closed:
                raise StoppedError("The measurement has ended.")
            # It goes on beside this program, so it cannot be waited for as run_command does.
            # pylint: disable-next=ansible-bad-function,consider-using-with
            process = subprocess.Popen(
                [*self._prefix, find_program(argv[0]) or argv[0], *argv[1:]],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=output,
                stderr=output if errors is None else errors,
                start_new_session=True,
                cwd=folder,
                env={**os.environ, "LC_ALL": "C", "PATH": _PATH},
            )
            self._running.append(process)
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(stdin or b"")
                process.stdin.close()
        return process

    def run(self, argv: Sequence[str], *, seconds: float) -> Ended:
        """Run a program to its end, or until its time or that of the measurement is over."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = self.start(argv, output=output, errors=errors)
            late = False
            try:
                process.wait(max(0.1, min(seconds, self.left)))
            except subprocess.TimeoutExpired:
                late = True
            self.stop(process)
            return Ended(_text(output), _text(errors), late)

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
        """End a program and what it started, politely at first."""
        _end([process], number)
        with self._guard:
            if process in self._running:
                self._running.remove(process)

    def stop_all(self) -> None:
        """End everything, and start nothing any more."""
        with self._guard:
            self._closed = True
            running = list(self._running)
        _end(running, signal.SIGTERM)


@contextmanager
def ended_children(deadline: float) -> Iterator[Children]:
    """A place for programs, all of which are ended with the block."""
    children = Children(deadline)
    try:
        yield children
    finally:
        children.stop_all()


def _end(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for sent, seconds in ((number, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
        for process in processes:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, sent)
        until = time.monotonic() + seconds
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(_MOST_OUTPUT).decode("utf-8", "replace")


def read_so_far(stream: IO[bytes]) -> str:
    """What a program that still runs has printed."""
    return os.pread(stream.fileno(), _MOST_OUTPUT, 0).decode("utf-8", "replace")


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have the block end as by an error when this process is told to end, so that it cleans up.

    :raises StoppedError: that happened.
    """

    def stop(number: int, _frame: Any) -> None:
        # Another one would disturb the cleaning up.
        for one in watched:
            signal.signal(one, signal.SIG_IGN)
        raise StoppedError(
            f"The measurement was stopped by {signal.Signals(number).name}.", remedy="Nothing of it is left behind."
        )

    watched = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {one: signal.signal(one, stop) for one in watched}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
