# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tunnel for a measurement, beside all that the host has: its own device, one route, and no resolver touched."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import (
    Children,
    StoppedError,
    find_program,
    read_so_far,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import WindowTunnel
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.client_log import (
    ClientState,
    parse_client_log,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.client_profile import plan_client_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.openvpn_log import count_lines
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import UDP, LogCount, Tunnel

CONNECT_SECONDS = 6.0
DEFAULT_MTU = 1500
_POLL_SECONDS = 0.02


def load_profile(path: Path) -> str:
    """The profile without what a measurement decides itself. It is a secret.

    :raises StateError: it cannot be read.
    """
    try:
        return plan_client_profile(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise StateError(
            f"The profile {path} cannot be read: {error.strerror}.",
            remedy="Copy the profile of a device of this probe's own there, or leave 'profile' out.",
        ) from error


class ProbeTunnel:
    """One tunnel; start it, then wait for it.

    :param others: All processes that may take the connection, where the gateway spreads them over several.
    """

    def __init__(
        self, children: Children, window: WindowTunnel, *, address: str, others: Sequence[WindowTunnel] = ()
    ) -> None:
        self.window = window
        self._others = others
        self.device = f"psgp-{window.transport}"
        self.mtu = DEFAULT_MTU
        self._children = children
        self._address = address
        # pylint: disable-next=consider-using-with
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._started = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, profile: str, *, folder: Path) -> None:
        """Start OpenVPN. The profile reaches it through a pipe, so that its keys are in no file and no argument.

        :param folder: Where files are that the profile names.
        """
        protocol = {UDP: "udp"}.get(self.window.transport, "tcp-client")
        if ":" in self._address:
            protocol = protocol.replace("udp", "udp6").replace("tcp", "tcp6")
        notify = ("--explicit-exit-notify", "1") if self.window.transport == UDP else ()
        self._started = time.monotonic()
        self._process = self._children.start(
            (
                "openvpn", "--config", "stdin", "--dev", self.device, "--dev-type", "tun", "--nobind",
                "--remote", self._address, str(self.window.port), protocol,
                # Nothing of the host is changed but by `_take_address`.
                "--route-nopull", "--route-noexec", "--ifconfig-noexec", "--script-security", "1",
                "--connect-retry", "1", "1", "--connect-timeout", "5", "--resolv-retry", "1", "--auth-retry", "none",
                "--verb", "4", *notify,
            ),
            output=self._log, stdin=profile.encode("utf-8", "surrogateescape"), folder=str(folder),
        )  # fmt: skip

    def wait(self, seconds: float = CONNECT_SECONDS) -> Tunnel:
        """Wait for the connection, and give the device its address."""
        until = self._started + min(seconds, self._children.left)
        while True:
            state = self._state()
            if state.connected or time.monotonic() > until or self._process is None or self._process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        elapsed = time.monotonic() - self._started
        silent = "The gateway answers, but no connection" if state.answered else "No connection"
        error = "" if state.connected else state.error or f"{silent} within {elapsed:.0f} s."
        if state.connected:
            self.mtu = state.device_mtu or DEFAULT_MTU
            self.window = process_that_took(state.gateway, self.window, self._others)
            error = self._take_address(state)
        return Tunnel(
            self.window.transport, self.window.port, not error, round(elapsed, 3) if not error else None, error,
            self.mtu if not error else None, state.cipher, state.compression, state.resolvers, state.pushed,
            state.answered,
        )  # fmt: skip

    def logs(self) -> tuple[LogCount, ...]:
        """What the client logged, counted."""
        return count_lines(read_so_far(self._log).splitlines(), f"client_{self.window.transport}", True)  # noqa: FBT003

    def route_to(self, address: str) -> str:
        """Have one more address reached through this tunnel; returns why not, in a sentence."""
        return self._ip("route", "add", address, "dev", self.device)

    def close(self) -> None:
        """End it; the device goes with the process, and its routes with the device."""
        if self._process is not None:
            self._children.stop(self._process)
            self._process = None
        self._log.close()

    def _state(self) -> ClientState:
        return parse_client_log(read_so_far(self._log))

    def _take_address(self, state: ClientState) -> str:
        """The address as that of a line to the gateway alone: no network of its own, no other route."""
        if not state.address:
            return "The gateway gave no address in the tunnel."
        return self._ip("link", "set", "dev", self.device, "mtu", str(self.mtu), "up") or self._ip(
            "address", "replace", state.address, "peer", self.window.tunnel_address, "dev", self.device
        )

    def _ip(self, *arguments: str) -> str:
        try:
            ended = self._children.run(("ip", *arguments), seconds=5)
        except (OSError, StoppedError) as error:
            return f"ip could not be run: {error}."
        said = ended.errors.strip().splitlines()
        return f"ip {' '.join(arguments)}: {said[-1]}." if said else ""


def process_that_took(gateway: str, asked: WindowTunnel, others: Sequence[WindowTunnel]) -> WindowTunnel:
    """The process at the other end, by the address that it has in the tunnel; the one that was asked if none has it."""
    return next((one for one in others if one.tunnel_address == gateway), asked)


@contextmanager
def opened_tunnels(tunnels: list[ProbeTunnel]) -> Iterator[list[ProbeTunnel]]:
    """Close them all at the end of the block."""
    try:
        yield tunnels
    finally:
        for tunnel in tunnels:
            tunnel.close()


def why_no_tunnel() -> str:
    """What keeps this host from opening one, in a sentence; empty for nothing."""
    if not find_program("openvpn"):
        return "Nothing was measured inside a tunnel: OpenVPN is missing; install the package openvpn on the probe."
    if not find_program("ip"):
        return "Nothing was measured inside a tunnel: ip is missing; install the package iproute2 on the probe."
    if not os.path.exists("/dev/net/tun"):  # noqa: PTH110
        return "Nothing was measured inside a tunnel: this host has no /dev/net/tun."
    return ""
