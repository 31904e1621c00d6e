"""A gateway with many live sessions: real servers in one namespace, and a real client for every device in another.

All clients share a namespace; each has a card of its own, which stays when its process ends. A socket that is bound to
a card sends through this client's tunnel and no other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import _steady_stream
from benchmarks._orders import tell
from benchmarks._tunnels import CONNECTED, NOT_PULLED, SERVER, Ours, Server, Workshop
from conftest import CHECKOUT

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_profile import openvpn_profile

CLIENTS = "clients"
ADDRESS = "10.77.1.1"
PORT = 7000
REFUSED = "AUTH_FAILED"
HANDSHAKE = "Control Channel: TLS"
PATIENCE_SECONDS = 20.0
STARTERS = 8
LOOK_AGAIN_SECONDS = 0.01
# A client that says goodbye takes a second longer to end.
NO_GOODBYE = ('pull-filter ignore "explicit-exit-notify"',)
# By another name clients are not found by who looks for the servers of a gateway, which has no clients on it.
CLIENT_PROGRAM = "device"
HOOK = CHECKOUT / "roles" / "openvpn" / "files" / "client_connect"
# So old is a configuration when a server reads it: a process that is younger has no other.
AGE_SECONDS = 60


@dataclass
class Device:
    """A client with a certificate, a card and one process at a time.

    :param common_name: ``user@device``.
    :param log: Of the process that was started last.
    :param seen: How many of its handshakes are known already.
    """

    number: int
    common_name: str
    server: Server
    starts: int = 0
    process: subprocess.Popen[str] | None = None
    log: Path = field(default_factory=Path)
    seen: int = 0

    @property
    def card(self) -> str:
        return f"c{self.number}"

    def handshakes(self) -> int:
        """How many TLS handshakes this process has finished, the first included."""
        return self.log.read_text(errors="replace").count(HANDSHAKE)


class Sessions(Workshop):
    """Devices of servers, and the stream of packets through all of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.devices: list[Device] = []
        (self.folder / CLIENT_PROGRAM).symlink_to(str(shutil.which("openvpn")))
        self.spaces.cable(SERVER, CLIENTS, subnet="10.77.1")
        for name in (SERVER, CLIENTS):
            # All servers' networks are behind every card: who asks for the way back would drop what comes.
            self.spaces.inside(
                name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", seconds=10
            )

    @property
    def sink(self) -> Path:
        return self.folder / "sink.sock"

    @property
    def sender(self) -> Path:
        return self.folder / "sender.sock"

    def _write(self, name: str, text: str) -> Path:
        path = super()._write(name, text)
        if path.suffix == ".conf":
            then = time.time() - AGE_SECONDS
            os.utime(path, (then, then))
        return path

    def hooked(self, **settings: Any) -> Ours:
        """Ours for the server that is started next, as the role has it: with the hook, which keeps its notes here."""
        hook, notes = self.folder / "client_connect", self.folder / "sessions"
        if not hook.exists():
            hook.write_text(f"#!/bin/sh\n{HOOK.read_text()}")
            hook.chmod(0o755)
        place = notes / f"b{self._count + 1}"
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
        return Ours(settings={"connection_hook": str(hook), "sessions_folder": str(notes), **settings})

    def socket_of(self, server: Server) -> Path:
        """The management socket of a server."""
        return self.folder / f"{server.place.device.removeprefix('tun-')}.sock"

    def log_of(self, server: Server) -> str:
        """What a server has written so far."""
        return (self.folder / f"{server.place.device}.log").read_text(errors="replace")

    def add(self, server: Server, common_name: str) -> Device:
        """A device with its certificate and its configuration; its card is made by :meth:`lay_cards`."""
        device = Device(len(self.devices) + 1, common_name, server)
        self._issue(device.card, common_name)
        delivery = {
            "common_name": common_name, "certificate": (self.folder / f"{device.card}.crt").read_text(),
            "private_key": (self.folder / f"{device.card}.key").read_text(), "ca_chain": self.authority.pem,
            "tls_crypt_v2": (self.folder / "client.tls").read_text(),
        }  # fmt: skip
        listeners = [{"protocol": server.place.protocol, "port": server.place.port}]
        profile = openvpn_profile(delivery, [{"name": "bench", "address": ADDRESS, "listeners": listeners}])
        more = (f"dev {device.card}", "dev-type tun", *NOT_PULLED, *NO_GOODBYE, "verb 3")
        self._write(f"{device.card}.conf", profile + "".join(f"{line}\n" for line in more))
        self.devices.append(device)
        return device

    def lay_cards(self) -> None:
        """Make the cards of all devices, and start the two programs of the stream."""
        batch = self._write("cards", "".join(f"tuntap add dev {each.card} mode tun\n" for each in self.devices))
        self.spaces.ip(CLIENTS, "-batch", str(batch))
        program = [sys.executable, str(Path(_steady_stream.__file__))]
        cards = [{"number": each.number, "name": each.card, "target": each.server.inside} for each in self.devices]
        for name, what, control, demand in (
            (SERVER, "sink", self.sink, {"port": PORT}),
            (CLIENTS, "send", self.sender, {"port": PORT, "cards": cards}),
        ):
            argv = [*program, what, str(control), json.dumps(demand)]
            self.spaces.start(name, argv, folder=self.folder, log=self.folder / f"{what}.log")
            wait_for(f"the program '{what}'", control.is_socket)

    def start(self, devices: Iterable[Device]) -> None:
        """Start a process for each, several at a time."""
        with ThreadPoolExecutor(STARTERS) as pool:
            list(pool.map(self._start_one, devices))

    def _start_one(self, device: Device) -> None:
        device.starts += 1
        device.log = self.folder / f"{device.card}-{device.starts}.log"
        argv = [str(self.folder / CLIENT_PROGRAM), "--config", f"{device.card}.conf"]
        device.process = self.spaces.launch(CLIENTS, argv, folder=self.folder, log=device.log)

    def stop(self, devices: Sequence[Device]) -> None:
        """End their processes, and wait until they have ended."""
        processes = [each.process for each in devices if each.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(PATIENCE_SECONDS)

    def connect(self, devices: Sequence[Device]) -> None:
        """Start them, and wait until all are connected.

        :raises RuntimeError: with the end of the log of one that is not.
        """
        self.start(devices)
        if refused := self.outcomes(devices)[1]:
            raise RuntimeError(f"{refused[0].common_name} was refused: {refused[0].log.read_text()[-800:]}")

    def outcomes(self, devices: Sequence[Device]) -> tuple[list[Device], list[Device]]:
        """Wait until it is known of each that was started: those that connected, and those that were refused.

        :raises RuntimeError: with the end of the log of one that did neither.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        connected: list[Device] = []
        refused: list[Device] = []
        waiting = list(devices)
        while waiting:
            for each in list(waiting):
                outcome = outcome_of(each.log.read_text(errors="replace"))
                if outcome is not None:
                    waiting.remove(each)
                    (connected if outcome else refused).append(each)
            if waiting and time.monotonic() > deadline:
                log = waiting[0].log.read_text(errors="replace")
                raise RuntimeError(f"{waiting[0].common_name} is neither connected nor refused: {log[-800:]}")
            time.sleep(LOOK_AGAIN_SECONDS)
        return connected, refused

    def stream(self, devices: Sequence[Device], seconds: float) -> None:
        """Have a packet sent by each every so many seconds."""
        tell(self.sender, "pace", numbers=numbers_of(devices), seconds=seconds)

    def last_packets(self, devices: Sequence[Device]) -> list[float | None]:
        """When the last packet of each left the tunnel, seconds since 1970-01-01 UTC."""
        return [last for _count, last in tell(self.sink, "last", numbers=numbers_of(devices))]


def outcome_of(log: str) -> bool | None:
    """Whether a client is connected, or was refused; ``None`` while nobody knows."""
    if REFUSED in log:
        return False
    return True if CONNECTED in log else None


def numbers_of(devices: Iterable[Device]) -> list[int]:
    """Their numbers, as the programs of the stream know them."""
    return [each.number for each in devices]


def wait_for(what: str, ready: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Look again and again until it is so.

    :raises TimeoutError: it was not.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(LOOK_AGAIN_SECONDS)
