# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of the lab as a person uses them: by SSH, with a VPN client, with a ping that counts what is lost."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from privatespace_lab.engine import STATE, LabError, podman
from privatespace_lab.topology import container_name

CONNECTED = "Initialization Sequence Completed"
UNIT = "lab-vpn"
PING_LOG = "/run/lab-ping.log"
CAPTURE_LOG = "/run/lab-capture.log"


@dataclass(frozen=True)
class LabHost:
    """A host of an instance, reached by SSH as root."""

    instance: str
    name: str

    def run(self, command: str, *, timeout: float = 60, check: bool = True, feed: str | None = None) -> str:
        """Run a shell command on the host and return its standard output without the last line break.

        :raises LabError: the command failed while ``check`` is set, or did not end in ``timeout`` seconds.
        """
        argv = ["ssh", "-F", str(STATE / self.instance / "ssh_config"), self.name, command]
        try:
            done = subprocess.run(argv, input=feed or "", capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name}: '{command}' did not end within {timeout:g} s") from error
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: '{command}' failed: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout.rstrip("\n")

    def succeeds(self, command: str, *, timeout: float = 60) -> bool:
        """Whether a shell command on the host ends with status 0."""
        return self.run(f"if {command} >/dev/null 2>&1; then echo yes; else echo no; fi", timeout=timeout) == "yes"

    def reboot(self, *, seconds: float = 60) -> None:
        """Restart the host, and wait until all its units have started.

        :raises LabError: it did not come back in that time.
        """
        podman("restart", "--time", "10", container_name(self.instance, self.name))
        self.wait_until_running(seconds=seconds)

    def wait_until_running(self, *, seconds: float = 60) -> None:
        """Wait until all units of a host that was started have started.

        :raises LabError: it did not come up in that time.
        """
        deadline = time.monotonic() + seconds
        while not self._runs():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} did not come back within {seconds:g} s")
            time.sleep(0.5)

    def _runs(self) -> bool:
        try:
            return self.run("systemctl is-system-running --wait; true") == "running"
        except LabError:
            return False

    def stop_ssh(self) -> None:
        """Make the host unreachable for Ansible while everything else on it goes on."""
        podman("exec", container_name(self.instance, self.name), "systemctl", "stop", "ssh.socket", "ssh.service")
        close = ["ssh", "-F", str(STATE / self.instance / "ssh_config"), "-O", "exit", self.name]
        subprocess.run(close, capture_output=True, check=False)

    def start_ssh(self) -> None:
        """Make the host reachable again."""
        podman("exec", container_name(self.instance, self.name), "systemctl", "start", "ssh.service")

    def interface(self, address: str) -> str:
        """The network interface that has an address; interfaces come in any order."""
        return self.run(f"ip -oneline address show to {address} | awk '{{print $2; exit}}'")

    def start_capture(self, interface: str, expression: str) -> None:
        """Begin to write down the packets that leave through an interface and match a ``tcpdump`` expression."""
        self.run(
            f"systemctl stop lab-capture 2>/dev/null; rm -f {CAPTURE_LOG}; systemd-run --quiet --collect"
            f" --unit lab-capture sh -c {shlex.quote(self._capture_command(interface, expression))}"
            f"; for i in $(seq 50); do grep -q 'listening on' {CAPTURE_LOG} && exit; sleep 0.1; done; exit 1"
        )

    @staticmethod
    def _capture_command(interface: str, expression: str) -> str:
        return (
            f"exec tcpdump -n -l --immediate-mode -Q out -i {interface} {shlex.quote(expression)} > {CAPTURE_LOG} 2>&1"
        )

    def stop_capture(self) -> list[str]:
        """End the capture; one line a packet."""
        self.run("sleep 0.3; systemctl stop lab-capture; true")
        return [line for line in self.run(f"cat {CAPTURE_LOG}").splitlines() if re.match(r"\d\d:\d\d:\d\d\.", line)]

    def write(self, path: str, text: str) -> None:
        """Write a file that only root can read."""
        self.run(f"umask 077 && cat > {shlex.quote(path)}", feed=text)


@dataclass(frozen=True)
class PingResult:
    """What a ping counted: packets sent, packets that came back, and the longest silence in seconds."""

    sent: int
    received: int
    longest_silence: float

    @property
    def lost(self) -> int:
        """Packets that never came back."""
        return self.sent - self.received


@dataclass(frozen=True)
class Client(LabHost):
    """A user's device: it has a profile and the OpenVPN client, and no other way to ``internet``."""

    def install_profile(self, profile: Path) -> None:
        """Copy a profile onto the device, readable by root only."""
        self.write("/etc/openvpn/profile.ovpn", profile.read_text())

    def start(self, *, protocol: str, address: str, port: int | None = None, extra: Sequence[str] = ()) -> None:
        """Start the client on one gateway and protocol out of those that the profile offers.

        :param port: Given, the way need not be in the profile: another address, or another port.
        :param extra: Lines that a user of this device added to the profile.
        :raises LabError: the profile has no such remote.
        """
        lines = [
            self._find_remote(protocol, address) if port is None else render_remote(address, port, protocol),
            *extra,
        ]
        self.stop()
        self.run(
            "umask 077 && { grep -v '^remote ' /etc/openvpn/profile.ovpn; "
            f"printf '%s\\n' {shlex.join(lines)}; }} > /run/lab-vpn.conf"
            f" && rm -f /run/lab-vpn.log && systemd-run --quiet --collect --unit {UNIT}"
            " openvpn --config /run/lab-vpn.conf --log /run/lab-vpn.log"
        )

    def _find_remote(self, protocol: str, address: str) -> str:
        for line in self.run("grep '^remote ' /etc/openvpn/profile.ovpn").splitlines():
            _directive, host, _port, transport = line.split()
            if host == address and transport.startswith(protocol):
                return line
        raise LabError(f"{self.name}: the profile has no remote {address} over {protocol}")

    def stop(self) -> None:
        """End the client; no error when it does not run."""
        self.run(f"systemctl stop {UNIT} 2>/dev/null; systemctl reset-failed {UNIT} 2>/dev/null; true")

    def log(self) -> str:
        """What the client has logged since its start."""
        return self.run("cat /run/lab-vpn.log 2>/dev/null; true")

    def is_connected_within(self, seconds: float) -> bool:
        """Whether the client reports a finished connection before the time is over."""
        deadline = time.monotonic() + seconds
        while CONNECTED not in self.log():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def connect(
        self, *, protocol: str, address: str, seconds: float = 20, port: int | None = None, extra: Sequence[str] = ()
    ) -> None:
        """Start the client and wait until the tunnel stands; parameters as for :meth:`start`.

        :raises LabError: it did not in that time; the message ends with the client's log.
        """
        self.start(protocol=protocol, address=address, port=port, extra=extra)
        if not self.is_connected_within(seconds):
            raise LabError(
                f"{self.name}: no connection to {address} over {protocol} within {seconds:g} s:\n{self.log()[-1500:]}"
            )

    def fetch(self, url: str, *, seconds: float = 5) -> str | None:
        """The page at a URL, or ``None`` when it cannot be had in that time."""
        command = f"curl --silent --fail --max-time {seconds:g} {shlex.quote(url)} || echo; "
        return self.run(command, timeout=seconds + 30).strip() or None

    def start_ping(self, address: str, *, interval: float = 0.02) -> None:
        """Begin to ping an address in the background, a packet every ``interval`` seconds."""
        self.run(
            "systemctl stop lab-ping 2>/dev/null; rm -f " + PING_LOG + "; systemd-run --quiet --collect --unit lab-ping"
            f" --property KillSignal=SIGINT sh -c 'exec ping -n -D -i {interval} {address} > {PING_LOG}'"
        )

    def stop_ping(self) -> PingResult:
        """End the ping and count."""
        self.run("systemctl stop lab-ping; true")
        return parse_ping(self.run(f"cat {PING_LOG}"))


def render_remote(address: str, port: int, protocol: str) -> str:
    """A line for a client's configuration."""
    family = "6" if ":" in address else ""
    return f"remote {address} {port} {protocol}{family}{'-client' if protocol == 'tcp' else ''}"


def parse_ping(text: str) -> PingResult:
    """Count a log of ``ping -D``: its own summary, and the longest time between two answers.

    The very last packet is left out where it has no answer: ping was ended before one could come.
    """
    summary = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    if summary is None:
        raise LabError(f"ping left no summary: {text[-200:]!r}")
    answers = re.findall(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+)", text, re.MULTILINE)
    times = [float(moment) for moment, _number in answers]
    silence = max((later - earlier for earlier, later in zip(times, times[1:])), default=0.0)
    sent = int(summary[1])
    under_way = sent % 65536 not in {int(number) for _moment, number in answers[-1000:]}
    return PingResult(sent=sent - under_way, received=int(summary[2]), longest_silence=silence)
