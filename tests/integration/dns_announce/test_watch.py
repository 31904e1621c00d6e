# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in a network of its own, whose interface gets another address: the record follows by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.dns import name_server
from integration.dns.name_server import CONTROLLER, ZONE, NameServer, new_secret
from integration.dns_announce.conftest import Gateway
from integration.run_module import CHECKOUT, RunModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import announcement

SECONDS = 20
DEVICE = "outside0"
# A command that systemd would run for the unit, which this machine has not.
SYSTEMCTL = """#!/bin/sh
echo "$@" >> {folder}/started
exec {python} -I {program} announcement --config {folder}/announce.json --state {folder}/run/state.json
"""


class Network:
    """A network namespace with one interface and the default route; gone with its process."""

    def __init__(self) -> None:
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(("unshare", "--net", "sleep", "600"), stdin=quiet, stdout=quiet, stderr=quiet)

    def prepare(self) -> None:
        deadline = time.monotonic() + SECONDS
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{self.process.pid}/ns/net").readlink() == own:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", "inside0")
        self.run("ip", "link", "set", "inside0", "up")
        self.run("ip", "link", "set", DEVICE, "up")

    def argv(self, *words: str) -> tuple[str, ...]:
        return ("nsenter", f"--net=/proc/{self.process.pid}/ns/net", *words)

    def run(self, *words: str) -> str:
        return subprocess.run(self.argv(*words), check=True, capture_output=True, text=True, timeout=60).stdout

    def route(self) -> None:
        self.run("ip", "route", "replace", "default", "dev", DEVICE)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    try:
        made.prepare()
        yield made
    finally:
        made.stop()


class ServerInside(NameServer):
    """BIND in that network; it is asked by its own tool."""

    network: Network

    def start(self) -> None:
        argv = self.network.argv("/usr/sbin/named", "-f", "-c", str(self.folder / "named.conf"))
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        deadline = time.monotonic() + SECONDS
        while self.ask("ns") != ["127.0.0.1"]:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def ask(self, name: str, kind: str = "A", *, zone: str = ZONE) -> list[str]:
        code = (
            "import sys, dns.message, dns.query\n"
            "question = dns.message.make_query(sys.argv[1], sys.argv[2])\n"
            "try:\n    answer = dns.query.tcp(question, '127.0.0.1', port=int(sys.argv[3]), timeout=5)\n"
            "except OSError:\n    sys.exit()\n"
            "print('\\n'.join(sorted(one.to_text() for found in answer.answer for one in found)))"
        )
        return self.network.run(sys.executable, "-c", code, f"{name}.{zone}.", kind, str(self.port)).split()


@pytest.fixture
def inside(tmp_path: Path, network: Network) -> Iterator[ServerInside]:
    folder = tmp_path / "bind"
    folder.mkdir()
    keys = {name: new_secret() for name in (CONTROLLER, name_server.GATEWAY, name_server.STRANGER)}
    server = ServerInside(folder, 5300, keys)
    server.network = network
    server.write()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def configure(folder: Path, server: NameServer) -> Gateway:
    settings: dict[str, Any] = {
        "name": name_server.GATEWAY, "ttl": 60, "sources": ["interface"], "metadata_url": "http://127.0.0.1:1",
        "verify_seconds": 5, "key_file": str(folder / "dns.key"),
        "provider": {"provider": "rfc2136", "zone": ZONE, "servers": ["127.0.0.1"], "port": server.port},
    }  # fmt: skip
    made = Gateway(folder, settings)
    made.have_key(name_server.GATEWAY, server.key_secrets[name_server.GATEWAY])
    made.write()
    return made


def wait_for(server: NameServer, kind: str, expected: list[str]) -> float:
    start = time.monotonic()
    while server.ask("cambridge", kind) != expected:
        assert time.monotonic() - start < SECONDS, server.ask("cambridge", kind)
        time.sleep(0.1)
    return time.monotonic() - start


def test_the_record_follows_an_interface(
    tmp_path: Path, network: Network, inside: ServerInside, run_module: RunModule
) -> None:
    """Installed as on a gateway, with the interpreter of this machine's tests, which has the library."""
    run_module("gateway_program", {"path": str(tmp_path / "python")})
    program = tmp_path / "run_program.py"
    program.write_bytes((CHECKOUT / "roles/openvpn/files/run_program.py").read_bytes())
    gateway = configure(tmp_path, inside)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path, python=sys.executable, program=program))
    (tools / "systemctl").chmod(0o755)
    network.run("ip", "address", "add", "8.8.4.4/24", "dev", DEVICE)
    network.route()

    with (tmp_path / "journal").open("wb") as journal:
        watch = subprocess.Popen(
            network.argv(sys.executable, "-I", str(program), "announcement_watch", "privatespace-announce.service"),
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}, stderr=journal,
        )  # fmt: skip
    try:
        wait_until_it_watches(tmp_path, network)
        network.run("ip", "address", "add", "8.8.8.8/24", "dev", DEVICE)
        network.run("ip", "address", "del", "8.8.4.4/24", "dev", DEVICE)
        network.route()
        print(f"\nrecord follows a new address after {wait_for(inside, 'A', ['8.8.8.8']):.1f} s")
        network.run("ip", "address", "add", "2001:4860:4860::1/64", "dev", DEVICE, "nodad")
        network.run("ip", "-6", "route", "replace", "default", "dev", DEVICE)
        network.run("ip", "address", "add", "2001:4860:4860::2/64", "dev", DEVICE, "nodad", "preferred_lft", "0")
        wait_for(inside, "AAAA", ["2001:4860:4860::1"])
    finally:
        watch.kill()
        watch.wait(SECONDS)
    started = (tmp_path / "started").read_text().splitlines()
    assert set(started) == {"restart --no-block -- privatespace-announce.service"}
    journal_text = (tmp_path / "journal").read_text()
    assert "+8.8.8.8" in journal_text
    assert inside.key_secrets[name_server.GATEWAY] not in journal_text + json.dumps(gateway.state)


def wait_until_it_watches(folder: Path, network: Network) -> None:
    """An address of no interest, until it is told of one."""
    deadline = time.monotonic() + SECONDS
    while not (folder / "started").exists():
        assert time.monotonic() < deadline, (folder / "journal").read_text()
        network.run("ip", "address", "add", "10.0.0.1/32", "dev", "lo")
        time.sleep(0.5)
        network.run("ip", "address", "del", "10.0.0.1/32", "dev", "lo")
        time.sleep(1.5)


def test_an_interface_that_is_lost_takes_nothing_along(tmp_path: Path, network: Network, inside: ServerInside) -> None:
    gateway = configure(tmp_path, inside)
    code = f"import sys; from {announcement.__name__} import main; sys.exit(main(sys.argv[1:]))"
    network.run("ip", "address", "add", "8.8.4.4/24", "dev", DEVICE)
    network.route()
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".lab/collections")}
    argv = network.argv(sys.executable, "-c", code, *gateway.arguments)
    assert subprocess.run(argv, env=environment, check=False).returncode == 0
    assert inside.ask("cambridge") == ["8.8.4.4"]
    network.run("ip", "link", "set", DEVICE, "down")
    assert subprocess.run(argv, env=environment, check=False).returncode == 1
    assert inside.ask("cambridge") == ["8.8.4.4"]
    assert gateway.state["addresses"] == ["8.8.4.4"]
