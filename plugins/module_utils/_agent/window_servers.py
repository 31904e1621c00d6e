# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iperf3 as a server on several addresses, started again where it ends, and gone with the process that started it."""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import read_text
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.processor_readings import (
    parse_start_ticks,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import PROC, bound_sockets

# It needs nothing of root: the ports are high, and it writes into a temporary folder only.
NOBODY = "65534"
READY_SECONDS = 5.0
# It ends by itself after some errors of its clients.
MOST_STARTS = 50
# A client that vanished keeps it busy until nothing has come for so long.
PATIENCE_MILLISECONDS = 15_000
INTERVAL_SECONDS = 0.1
REQUIRED = (("iperf3", "iperf3"), ("nft", "nftables"), ("setpriv", "util-linux"))


def require_programs() -> None:
    """Refuse where a program is missing.

    :raises StateError: naming its package.
    """
    for program, package in REQUIRED:
        if shutil.which(program) is None:
            raise StateError(
                f"The program '{program}' is not installed on this gateway, and a measuring window needs it.",
                remedy=f"Install the package '{package}'.",
            )


def require_free_ports(ports: Sequence[int], *, patience_seconds: float = 0.0) -> None:
    """Refuse ports that somebody has, on any address: while a window is open they are closed to its clients.

    :param patience_seconds: For the end of what is ending.
    :raises StateError: naming the port.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        taken = [name for port in ports for name in _taken(port)]
        if not taken:
            return
        if time.monotonic() >= deadline:
            raise StateError(
                f"On this gateway somebody has {', '.join(taken)}, and a measuring window would take that away.",
                remedy="Give the window other ports, or end what has it: 'ss -lntup' names it.",
            )
        time.sleep(0.05)


def _taken(port: int) -> Iterator[str]:
    for kind, name in ((socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")):
        if not all(_is_free(family, kind, port) for family in (socket.AF_INET, socket.AF_INET6)):
            yield f"the port {port} ({name})"


def _is_free(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> bool:
    try:
        with socket.socket(family, kind) as trial:
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                # Connections that have ended are in nobody's way.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("", port))
    except OSError as error:
        # A kernel without IPv6 has no such port.
        return error.errno != errno.EADDRINUSE
    return True


@dataclass
class _Server:
    """One place where iperf3 waits."""

    address: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0


@dataclass
class TrafficServers:
    """All of them; call :meth:`keep` now and then."""

    places: Sequence[tuple[str, int]]
    _servers: list[_Server] = field(default_factory=list)

    def open(self) -> None:
        """Start them, and wait until they take connections.

        :raises StateError: one does not; somebody else has its port.
        """
        self._servers = [_Server(address, port) for address, port in self.places]
        for server in self._servers:
            self._start(server)
        deadline = time.monotonic() + READY_SECONDS
        for server in self._servers:
            self._wait_for(server, deadline)

    def identities(self) -> list[tuple[int, int]]:
        """Process numbers, each with the moment of its start."""
        pids = [server.process.pid for server in self._servers if server.process is not None]
        found = [(pid, parse_start_ticks(read_text(PROC / str(pid) / "stat"))) for pid in pids]
        return [(pid, ticks) for pid, ticks in found if ticks is not None]

    def keep(self) -> bool:
        """Start those again that have ended; returns whether there were any."""
        ended = [one for one in self._servers if one.process is not None and one.process.poll() is not None]
        for server in ended:
            if server.starts < MOST_STARTS:
                self._start(server)
        return bool(ended)

    def close(self) -> None:
        """End them all, and wait for that."""
        running = [one.process for one in self._servers if one.process is not None]
        for process in running:
            process.kill()
        for process in running:
            process.wait()

    def _start(self, server: _Server) -> None:
        server.starts += 1
        argv = (
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all", "--pdeathsig=KILL", "--",
            "iperf3", "--server", f"--port={server.port}", f"--bind={server.address}",
            # A client gets this half of the figures only as JSON.
            "--json", f"--interval={INTERVAL_SECONDS}", f"--rcv-timeout={PATIENCE_MILLISECONDS}",
        )  # fmt: skip
        # It runs beside this program, so it cannot be waited for as run_command does.
        # pylint: disable-next=ansible-bad-function,consider-using-with
        server.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )

    def _wait_for(self, server: _Server, deadline: float) -> None:
        while server.process is not None and server.process.poll() is None and time.monotonic() < deadline:
            if f"tcp {server.port}" in bound_sockets(server.process.pid).ports:
                return
            time.sleep(0.02)
        raise StateError(
            f"iperf3 cannot wait on port {server.port} of {server.address}.",
            remedy="Give the window other ports, or end what has it: 'ss -lntup' names it.",
        )
