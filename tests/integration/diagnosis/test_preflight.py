"""A preflight between two network namespaces, with the firewalls and programs that get in its way.

probe 10.79.0.2 --- veth --- gateway 10.79.0.1 with the listener
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.run_module import COLLECTIONS

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import preflight_listener
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_listening import (
    close_ports,
    note_holders,
    open_ports,
    read_watches,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_look import (
    look_at_names,
    look_at_system,
    try_nftables,
    try_tun,
    try_writing,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_probe import ask_ports
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import (
    Attempt,
    Watch,
    judge_ports,
)

GATEWAY, PROBE = "10.79.0.1", "10.79.0.2"
PORTS = [{"protocol": "udp", "port": 1194}, {"protocol": "tcp", "port": 443}, {"protocol": "tcp", "port": 80}]
SECONDS = 1
LIFETIME_SECONDS = 30
ASK = """
import json, sys
from dataclasses import asdict
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_probe import ask_ports
print(json.dumps([asdict(one) for one in ask_ports(json.loads(sys.argv[1]), probe="p", address=sys.argv[2],
    token=sys.argv[3], seconds=float(sys.argv[4]))]))
"""
HOLD = "import socket, sys, time; s = socket.create_server(('', 443)); print('ready', flush=True); time.sleep(30)"


def command(*argv: str, check: bool = True, text: str | None = None) -> str:
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, timeout=30, input=text,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )  # fmt: skip
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Site:
    """The two namespaces, and a folder for the listener."""

    gateway: str
    probe: str
    folder: Path

    def inside(self, namespace: str, *argv: str) -> list[str]:
        return ["ip", "netns", "exec", namespace, "timeout", str(LIFETIME_SECONDS), *argv]

    def rules(self, namespace: str, text: str) -> None:
        command("ip", "netns", "exec", namespace, "nft", "--file", "-", text=text)

    def run(self) -> dict[str, str]:
        """Listen, ask, give back; the state and the cause by port."""
        token = secrets.token_hex(16)
        settings = {"token": token, "seconds": LIFETIME_SECONDS, "ports": PORTS}
        self.folder.mkdir()
        (self.folder / "settings.json").write_text(json.dumps(settings))
        command(*self.inside(self.gateway, sys.executable, "-c", NOTE, str(self.folder)))
        argv = self.inside(self.gateway, sys.executable, "-I", str(preflight_listener.__file__), str(self.folder))
        listener = subprocess.Popen(argv)
        try:
            deadline = time.monotonic() + 10
            while not (self.folder / "ready.json").is_file():
                assert time.monotonic() < deadline, "the listener does not come up"
                time.sleep(0.02)
            argv = self.inside(self.probe, sys.executable, "-c", ASK, json.dumps(PORTS), GATEWAY, token, str(SECONDS))
            attempts = [Attempt(**one) for one in json.loads(command(*argv))]
        finally:
            listener.send_signal(signal.SIGTERM)
            listener.wait(10)
        return {one.subject: f"{one.state}: {one.cause}" for one in judge_ports(read_watches(self.folder), attempts)}


NOTE = f"""
import sys
from pathlib import Path
from {note_holders.__module__} import note_holders
note_holders(Path(sys.argv[1]))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    name = f"psgpre{os.getpid()}"
    gateway, probe = f"{name}g", f"{name}p"
    try:
        for namespace in (gateway, probe):
            command("ip", "netns", "add", namespace)
            command("ip", "-n", namespace, "link", "set", "lo", "up")
        peer = ("type", "veth", "peer", "name", "eth0", "netns", probe)
        command("ip", "-n", gateway, "link", "add", "eth0", *peer)
        for namespace, address in ((gateway, GATEWAY), (probe, PROBE)):
            command("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            command("ip", "-n", namespace, "link", "set", "eth0", "up")
        yield Site(gateway, probe, tmp_path / "listener")
    finally:
        for namespace in (gateway, probe):
            command("ip", "netns", "delete", namespace, check=False)


def test_everything_is_reached(site: Site) -> None:
    found = site.run()
    assert len(found) == 3
    assert all(cause.startswith("ok: Reachable, answered in ") for cause in found.values()), found


def test_each_hindrance_is_told_from_the_others(site: Site) -> None:
    """UDP is dropped by the gateway's own firewall, 443 is held by another program, and 80 is refused on the way."""
    site.rules(
        site.gateway,
        "table inet t { chain c { type filter hook input priority 0; udp dport 1194 drop; }; }\n",
    )
    site.rules(
        site.probe,
        "table inet t { chain c { type filter hook output priority 0; tcp dport 80 reject with tcp reset; }; }\n",
    )
    holder = subprocess.Popen(site.inside(site.gateway, sys.executable, "-c", HOLD), stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        found = site.run()
    finally:
        holder.terminate()
        holder.communicate(timeout=10)
    assert found["udp 1194 from p"] == ("failed: It arrives at the network card, and the host's own firewall drops it.")
    assert found["tcp 443 from p"].startswith("failed: Another program holds the port: python")
    assert found["tcp 80 from p"] == "failed: Somebody on the way refuses it; the gateway saw nothing of it."


def test_a_cloud_firewall_and_lost_answers(site: Site) -> None:
    """UDP does not come as far as the network card, 80 does and its SYN is dropped, answers from 443 get lost."""
    site.rules(
        site.probe,
        "table netdev n { chain o { type filter hook egress device eth0 priority 0; udp dport 1194 drop; }; }\n"
        "table inet t { chain i { type filter hook input priority 0; tcp sport 443 tcp flags & psh == psh drop; }; }\n",
    )
    site.rules(site.gateway, "table inet t { chain c { type filter hook input priority 0; tcp dport 80 drop; }; }\n")
    found = site.run()
    assert found["udp 1194 from p"] == "failed: Nothing arrives."
    assert found["tcp 443 from p"] == f"failed: It arrives (from {PROBE}), but the answer is lost."
    assert "the host's own firewall drops it" in found["tcp 80 from p"]


def test_a_stranger_gets_no_answer(site: Site) -> None:
    """Nothing is answered without the token."""
    command("ip", "-n", site.gateway, "addr", "add", "10.79.1.1/32", "dev", "lo")
    token = secrets.token_hex(16)
    site.folder.mkdir()
    (site.folder / "settings.json").write_text(json.dumps({"token": token, "seconds": 3, "ports": PORTS}))
    argv = site.inside(site.gateway, sys.executable, "-I", str(preflight_listener.__file__), str(site.folder))
    listener = subprocess.Popen(argv)
    try:
        deadline = time.monotonic() + 10
        while not (site.folder / "ready.json").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        wrong = "f" * 32
        argv = site.inside(site.probe, sys.executable, "-c", ASK, json.dumps(PORTS), GATEWAY, wrong, "0.6")
        assert [one["answered"] for one in json.loads(command(*argv))] == [False] * 3
        # And when nobody stops it, its time is over and its folder gone.
        assert listener.wait(10) == 0
        assert not site.folder.exists()
    finally:
        listener.kill()
        listener.wait(10)


def test_ports_are_opened_and_given_back_by_the_host_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        ports = [{"protocol": "udp", "port": port}, {"protocol": "tcp", "port": taken}]
        folder = tmp_path / "preflight"
        opened = open_ports(ports, seconds=20, folder=folder)
        try:
            asked = ask_ports(ports[:1], probe="p", address="127.0.0.1", token=opened["token"], seconds=2)
        finally:
            watches = [Watch(**one) for one in close_ports(folder=folder)]
    assert [one.answered for one in asked] == [True]
    assert [(one.open, one.holder_pid) for one in watches] == [(True, 0), (False, os.getpid())]
    assert not folder.exists()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("", port))
    assert close_ports(folder=folder) == []


def test_what_this_host_says_of_itself() -> None:
    system = look_at_system()
    assert system["id"]
    assert system["memory"] > 1 << 20
    assert system["disk"]["/"] is not None
    assert try_writing("/no/such/file") == "/no/such/file cannot be written: No such file or directory"
    assert try_nftables() == ""
    before = set(Path("/sys/class/net").iterdir())
    assert try_tun(making=True) == ""
    assert set(Path("/sys/class/net").iterdir()) == before
    assert "cannot be opened" in try_tun(making=True, path="/no/tun")


def test_a_zone_whose_server_does_not_answer() -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
        found = look_at_names(["name.invalid"], zone="example.net", zone_servers=["127.0.0.9"])
    assert found["names"]["name.invalid"]
    assert found["zone"]["servers"]["127.0.0.9"] != "NOERROR"
