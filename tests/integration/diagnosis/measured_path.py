"""A gateway with a measuring window and a probe, in namespaces, and what a measurement between them gives.

The window here is the least that a probe needs: iperf3 outside and in the tunnels, and a responder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from conftest import CHECKOUT
from integration.openvpn.vpn import ADDRESS, Client, Vpn, command, wait_for

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain

TOKEN = "a-token-of-this-test"
HERE = FilePath(__file__).parent
LIFETIME_SECONDS = "120"
INSIDE = {"udp": "10.91.0.1", "tcp": "10.91.1.1"}


@dataclass
class MeasuredPath:
    """A probe and a gateway.

    :param client: The namespace of the probe.
    """

    vpn: Vpn
    client: Client
    profile: FilePath
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def device(self) -> tuple[str, str]:
        """The namespace and the device by which everything leaves the probe."""
        return self.client.namespace, "eth0"

    def window(self) -> dict[str, Any]:
        tunnels = [
            {"listener": name, "transport": name, "port": port, "tunnel_address": INSIDE[name], "iperf_port": 5201}
            for name, port in (("udp", 1194), ("tcp", 443))
        ]
        return {
            "token": TOKEN, "address": ADDRESS, "outside_ports": [5201, 5203], "responder_port": 5202,
            "tunnels": tunnels, "expires_at": time.time() + 60,
        }  # fmt: skip

    def open_window(self) -> None:
        server = ("ip", "netns", "exec", self.vpn.server_namespace, "timeout", LIFETIME_SECONDS)
        for address, port in ((ADDRESS, 5201), (ADDRESS, 5203), *((one, 5201) for one in INSIDE.values())):
            self._spawn(
                *server, "iperf3", "--server", "--json", "--interval", "0.1", "--bind", address, "--port", str(port)
            )
        self._spawn(*server, sys.executable, str(HERE / "responder.py"), ADDRESS, "5202", TOKEN)
        wait_for("window", 10, lambda: self._listening() >= {"5201", "5202", "5203"})

    def _listening(self) -> set[str]:
        shown = command("ip", "netns", "exec", self.vpn.server_namespace, "ss", "-Hltn")
        return {line.split()[3].rpartition(":")[2] for line in shown.splitlines()}

    def _spawn(self, *argv: str) -> None:
        self.processes.append(
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    def close_window(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)

    def impair(self, up: str, down: str | None = None) -> None:
        """Put a rule for packets before the gateway and, the same or another, before the probe.

        Both are at the receiver, since a sender would be told that its packet was dropped. ``CARD`` is what packets of
        the path come in by, those inside a tunnel do not.
        """
        ends = ((self.vpn.server_namespace, "br0", up), (self.client.namespace, "eth0", up if down is None else down))
        for namespace, card, rule in ends:
            # In front of everything, so that it is as if the packet had never come.
            chain = f"type filter hook prerouting priority -300; {rule.replace('CARD', card)}"
            argv = ("ip", "netns", "exec", namespace, "nft", f"table inet path {{ chain way {{ {chain}; }} ; }}")
            subprocess.run(argv, check=True, timeout=10)

    def start(self, **options: Any) -> subprocess.Popen[str]:
        """Begin to measure."""
        parameters = {
            "probe": "alice", "gateway": "g", "window": self.window(), "profile": str(self.profile), "seconds": 60.0,
            "megabytes": 200.0, "names": [], "lock": str(self.vpn.folder / "probe.lock"), **options,
        }  # fmt: skip
        process = subprocess.Popen(
            ("ip", "netns", "exec", self.client.namespace, sys.executable, str(HERE / "measure.py")),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".lab/collections")},
        )  # fmt: skip
        if process.stdin is not None:
            process.stdin.write(json.dumps(parameters))
            process.stdin.close()
            process.stdin = None
        return process

    def measure(self, **options: Any) -> Path:
        """Measure to the end."""
        process = self.start(**options)
        output, errors = process.communicate(timeout=90)
        if process.returncode != 0:
            raise AssertionError(errors)
        return from_plain(Path, json.loads(output))

    def transferred(self) -> tuple[int, int]:
        """Bytes that came down to the probe, and that it sent up."""
        (link,) = json.loads(command("ip", "-n", self.client.namespace, "-s", "-j", "link", "show", "dev", "eth0"))
        return int(link["stats64"]["rx"]["bytes"]), int(link["stats64"]["tx"]["bytes"])

    def devices(self) -> set[str]:
        links = json.loads(command("ip", "-n", self.client.namespace, "-j", "link", "show"))
        return {str(link["ifname"]) for link in links}

    def programs(self) -> list[str]:
        """What runs in the probe's namespace."""
        pids = command("ip", "netns", "pids", self.client.namespace).split()
        return [command("ps", "-o", "args=", "-p", pid, check=False).strip() for pid in pids]


@contextmanager
def measured_path(*, flat: bool = False) -> Iterator[MeasuredPath]:
    """A healthy path; the cable is as fast as the machine.

    :param flat: Whether the cards carry packets of the MTU only, so that rules see them as they are.
    """
    with Vpn() as vpn:
        client = vpn.client()
        if flat:
            command("ip", "-n", client.namespace, "link", "set", "eth0", "gso_max_segs", "1")
            command("ip", "-n", vpn.server_namespace, "link", "set", "br0", "gso_max_segs", "1")
        path = MeasuredPath(vpn, client, _profile(vpn))
        try:
            path.open_window()
            yield path
        finally:
            path.close_window()


def _profile(vpn: Vpn) -> FilePath:
    """One for both listeners, as users get it, with things in it that must not be done."""
    return vpn.profile("probe", "udp", extra=("up /bin/false", "route 192.0.2.0 255.255.255.0"))
