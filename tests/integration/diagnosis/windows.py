"""A measuring window as a program of its own, in the namespace of a small VPN's gateway."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from integration.openvpn.vpn import Vpn, command, wait_for
from integration.run_module import collections_path

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_firewall import openvpn_firewall

PROGRAM = "ansible_collections.privatespace.gateway.plugins.module_utils._agent.window"
TOKEN = "a-token-of-a-test"
# Without a probe that ends it, a window of a test is over after this.
SECONDS = 40


def inside(namespace: str, *argv: str, check: bool = True, seconds: float = 20) -> subprocess.CompletedProcess[str]:
    """Run a program in a namespace to its end."""
    return subprocess.run(
        ("ip", "netns", "exec", namespace, *argv), check=check, capture_output=True, text=True, timeout=seconds
    )


def ruleset(vpn: Vpn) -> str:
    """All rules of the gateway, without what they counted."""
    shown = inside(vpn.server_namespace, "nft", "--stateless", "list", "ruleset").stdout
    return "\n".join(line.rstrip() for line in shown.splitlines())


def load_firewall(vpn: Vpn) -> None:
    """The table that the role openvpn makes."""
    processes = [one.as_dict() for one in vpn.listeners]
    rules = vpn.folder / "firewall.nft"
    rules.write_text(openvpn_firewall(processes))
    inside(vpn.server_namespace, "nft", "--file", str(rules))


@dataclass
class Window:
    """A window and its folder; it ends with the block that it is used in."""

    vpn: Vpn
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.run("undo", check=False)

    def write(self, **changes: Any) -> None:
        told = {"token": TOKEN, "probes": ["10.77.0.2"], "seconds": SECONDS, "address": "10.77.0.1", **self.settings}
        (self.folder / "settings.json").write_text(json.dumps({**told, **changes}))

    def argv(self, order: str) -> tuple[str, ...]:
        code = f"import sys; from {PROGRAM} import main; sys.exit(main(sys.argv[1:]))"
        # What runs in the namespace is the program itself, so that a signal meets nobody else.
        return (
            "ip", "netns", "exec", self.vpn.server_namespace, sys.executable, "-c", code, order, str(self.folder),
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(collections_path()), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def run(self, order: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(order), env=self.environment, check=check, capture_output=True, text=True, timeout=60
        )

    def open(self, **changes: Any) -> dict[str, Any]:
        """Start it and wait until it is open; returns what probes are told."""
        self.write(**changes)
        with (self.folder / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                self.argv("run"), env=self.environment, stdin=subprocess.DEVNULL, stderr=errors, text=True
            )
        wait_for("window", 15, lambda: self.is_ready() or self.process.poll() is not None)
        if not self.is_ready():
            raise AssertionError((self.folder / "errors").read_text())
        return self.read("ready")

    def is_ready(self) -> bool:
        return (self.folder / "ready.json").exists()

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait(15)

    def wait(self, seconds: float) -> int:
        """Wait until it has ended by itself; returns the exit status."""
        assert self.process is not None
        return self.process.wait(seconds)

    def servers(self) -> list[str]:
        """The processes of iperf3 in the gateway's namespace."""
        pids = command("ip", "netns", "pids", self.vpn.server_namespace, check=False).split()
        found = []
        for pid in pids:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/stat").read_text()
                if "(iperf3)" in status and ") Z " not in status:
                    found.append(pid)
        return found


def verbosity(vpn: Vpn, listener: str) -> str:
    """What a listener answers on its management socket."""
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect(sys.argv[1]);"
        "s.sendall(b'verb\\n'); text = b''\nwhile b'verb=' not in text: text += s.recv(4096)\nprint(text.decode())"
    )
    shown = command(sys.executable, "-c", code, str(vpn.folder / f"{listener}.sock"))
    return shown.partition("verb=")[2].split()[0]


def wait_until_gone(window: Window) -> None:
    """Processes of a program that was killed take a moment to follow it."""
    deadline = time.monotonic() + 5
    while window.servers() and time.monotonic() < deadline:
        time.sleep(0.05)
