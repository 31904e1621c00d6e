# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenVPN's management interface on a unix socket. No other file of the collection opens a socket to OpenVPN.

The server speaks to one client at a time; a second one, or one that meets a stopped process, waits without an
answer. Everything here therefore has a deadline.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    DeadlineError,
    InputError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import (
    UNNAMED,
    ServerFacts,
    Session,
    parse_facts,
    parse_status,
)

CHUNK_BYTES = 65536
# OpenVPN's are of some hundred; a program that only looks like one must not fill the memory.
LONGEST_LINE = 1_000_000
RETRY_SECONDS = 0.02
# "kill" splits its argument at a colon, and the line parser gives quotes, spaces and backslashes a meaning.
_NAME = re.compile(r"[A-Za-z0-9@._-]{1,64}")
_KILLED = re.compile(r"(\d+) client\(s\)")
_VERBOSITY = re.compile(r"SUCCESS: verb=(\d+)")


class NotRunningError(CollectionError):
    """Nothing listens on the socket, and no process should: this listener has no sessions."""


class ConnectionLostError(CollectionError):
    """The server ended the conversation, as it does when it stops or restarts."""


class Management:
    """A conversation with one listener; use :func:`open_management` to have one."""

    def __init__(self, connection: socket.socket, *, listener: str, timeout_seconds: float) -> None:
        self._connection = connection
        self._listener = listener
        self._timeout_seconds = timeout_seconds
        self._deadline = time.monotonic() + timeout_seconds
        self._received = b""

    def greet(self) -> None:
        """Wait for the server's first line, which shows that it is listening to us and to nobody else."""
        if not self._line().startswith(">INFO:"):
            raise ConnectionLostError(f"The management socket of the listener '{self._listener}' is not OpenVPN's.")

    def sessions(self) -> tuple[Session, ...]:
        """Every session of this listener, those still in their handshake included."""
        return parse_status(self._block("status 3"), listener=self._listener)

    def facts(self) -> ServerFacts:
        """Which process this is, of which version, since when it is up, and what it has carried."""
        return parse_facts(
            listener=self._listener,
            pid=self._command("pid"),
            load=self._command("load-stats"),
            state=self._block("state"),
            version=self._block("version"),
        )

    def verbosity(self) -> int:
        """How much this process logs at the moment.

        :raises ConnectionLostError: it does not say.
        """
        found = _VERBOSITY.match(self._command("verb"))
        if found is None:
            raise ConnectionLostError(f"The listener '{self._listener}' does not tell its verbosity.")
        return int(found.group(1))

    def set_verbosity(self, level: int) -> None:
        """Have this process log more or less, until it ends or is told otherwise.

        :raises ConnectionLostError: it refused.
        """
        if not self._command(f"verb {level}").startswith("SUCCESS:"):
            raise ConnectionLostError(f"The listener '{self._listener}' did not change its verbosity to {level}.")

    def kill_name(self, common_name: str) -> int:
        """End every session of a common name at once, without telling the clients; returns how many there were.

        :raises InputError: for a name that the management protocol would split or cut.
        """
        require_common_name(common_name)
        answer = self._command(f"kill {common_name}")
        found = _KILLED.search(answer) if answer.startswith("SUCCESS:") else None
        return int(found.group(1)) if found else 0

    def kill_session(self, session: Session) -> None:
        """End one session that has no name any more.

        By its address this happens at once, but only where the server's socket knows IPv4 alone; 2.7 wants the protocol
        before it. If no other session lacks a name, the lack of one names it, at once, too. Else it is told to leave,
        and the server ends it five seconds later whether it does or not.
        """
        host, _colon, port = session.real_address.rpartition(":")
        if re.fullmatch(r"[0-9.]+", host):
            for protocol in ("", "udp:", "tcp:"):
                if self._command(f"kill {protocol}{host}:{port}").startswith("SUCCESS:"):
                    return
        nameless = [one.key for one in self.sessions() if not one.named]
        if nameless != [session.key] or not self.kill_name(UNNAMED):
            self._command(f"client-kill {session.client_id}")

    def restart_session(self, session: Session) -> None:
        """Tell a client to connect again, to the same gateway and with what it has already been asked for.

        The server ends the session five seconds later, whether the client does so or not.
        """
        self._command(f"client-kill {session.client_id} RESTART,[NP]")

    def _command(self, line: str) -> str:
        self._send(line)
        while True:
            answer = self._line()
            if answer.startswith(("SUCCESS:", "ERROR:")):
                return answer

    def _block(self, command: str) -> list[str]:
        """The lines of an answer that ends with ``END``."""
        self._send(command)
        lines: list[str] = []
        while True:
            line = self._line()
            if line == "END":
                return lines
            if line.startswith("ERROR:"):
                raise ConnectionLostError(f"The listener '{self._listener}' refused '{command}': {shown(line)}.")
            lines.append(line)

    def _send(self, line: str) -> None:
        self._deadline = time.monotonic() + self._timeout_seconds
        try:
            self._connection.settimeout(self._remaining())
            self._connection.sendall(line.encode("ascii") + b"\n")
        except socket.timeout as error:
            raise self._silent() from error
        except OSError as error:
            raise self._lost() from error

    def _line(self) -> str:
        """The next line that is not a notification (those begin with ``>``; the greeting is one of them)."""
        while True:
            while b"\n" not in self._received:
                if len(self._received) > LONGEST_LINE:
                    raise ConnectionLostError(f"What answers for the listener '{self._listener}' sends no lines.")
                self._received += self._receive()
            raw, _newline, self._received = self._received.partition(b"\n")
            line = raw.decode("utf-8", "replace").rstrip("\r")
            if not line.startswith(">") or line.startswith(">INFO:"):
                return line

    def _receive(self) -> bytes:
        try:
            self._connection.settimeout(self._remaining())
            received = self._connection.recv(CHUNK_BYTES)
        except socket.timeout as error:
            raise self._silent() from error
        except OSError as error:
            raise self._lost() from error
        if not received:
            raise self._lost()
        return received

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise self._silent()
        return remaining

    def _silent(self) -> DeadlineError:
        return silent_error(self._listener)

    def _lost(self) -> ConnectionLostError:
        return ConnectionLostError(f"The listener '{self._listener}' ended the conversation.")


def require_common_name(name: str) -> str:
    """Return the name if the management protocol takes it as it is.

    :raises InputError: if it would be split, cut or unquoted there.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{shown(name)}' cannot be a common name in OpenVPN's management protocol.",
            remedy="A common name has 1 to 64 of a-z, A-Z, 0-9, @, '.', '_' and '-'.",
        )
    return name


def answers_to_name(session: Session) -> bool:
    """Whether a session can be ended by its common name: it has one, and the management protocol takes it as it is."""
    return session.named and _NAME.fullmatch(session.common_name) is not None


def silent_error(listener: str) -> DeadlineError:
    """The error for a listener that is there and does not answer, with what an administrator can do about it."""
    return DeadlineError(
        f"The listener '{listener}' did not answer on its management socket in time.",
        remedy=f"Its process hangs, or another program holds its management socket: look at 'systemctl status "
        f"openvpn-server@{listener}', or restart that unit, which ends all of its sessions.",
    )


def listener_name(path: Path) -> str:
    """The listener that a management socket belongs to: ``/run/openvpn-server/udp.sock`` is ``udp``."""
    return path.stem


@contextmanager
def open_management(path: Path, *, timeout_seconds: float, is_running: Callable[[Path], bool]) -> Iterator[Management]:
    """Talk to the listener behind a socket.

    :param timeout_seconds: How long the greeting, and after it each answer, may take.
    :param is_running: Tells whether a process is meant to serve this socket: one that is just starting is waited for.
    :raises NotRunningError: there is no socket, or a stale one, and no process for it.
    :raises DeadlineError: it accepted nothing, or said nothing, in time.
    :raises ConnectionLostError: it went away in the middle.
    """
    deadline = time.monotonic() + timeout_seconds
    connection = _connect(path, deadline=deadline, is_running=is_running)
    try:
        management = Management(connection, listener=listener_name(path), timeout_seconds=timeout_seconds)
        management.greet()
        yield management
    finally:
        connection.close()


def _connect(path: Path, *, deadline: float, is_running: Callable[[Path], bool]) -> socket.socket:
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(max(deadline - time.monotonic(), RETRY_SECONDS))
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
            if absent and not is_running(path):
                raise NotRunningError(f"The listener '{listener_name(path)}' is not running.") from error
            # A full queue of waiting clients shows as "try again".
            if not absent and error.errno not in (errno.EAGAIN, None):
                raise ConnectionLostError(f"Cannot connect to {path}: {error.strerror}.") from error
        else:
            return connection
        if time.monotonic() >= deadline:
            raise silent_error(listener_name(path))
        time.sleep(RETRY_SECONDS)
