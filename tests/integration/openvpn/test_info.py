"""What a listener says of itself, asked of real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from integration.openvpn.vpn import Vpn, command, running
from integration.run_module import RunModule


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running() as vpn:
        yield vpn


@pytest.fixture
def info(vpn: Vpn, run_module: RunModule) -> Any:
    def ask(**options: Any) -> dict[str, dict[str, Any]]:
        result = run_module("openvpn_session_info", {"management_sockets": vpn.sockets, **options})
        return {one["name"]: one for one in result["listeners"]}

    return ask


def test_a_listener_tells_its_process_its_version_and_since_when_it_is_up(vpn: Vpn, info: Any) -> None:
    installed = command("openvpn", "--version", check=False).split()[1]
    client = vpn.connect("seen@laptop")
    client.lost_packets(0.2, "10.91.0.1")
    found = info()["udp"]
    assert (found["pid"], found["version"], found["problems"]) == (vpn.server_pid("udp"), installed, [])
    assert found["started_at"] - 2 < found["connected_since"] <= time.time()
    assert (found["sessions"], found["stale"]) == (1, False)
    assert found["bytes_received"] > 1000
    assert (found["dco"], bool(found["dco_reason"])) == ("unavailable", True)
    client.stop()


def test_a_configuration_that_was_renamed_under_its_process_is_a_problem(vpn: Vpn, info: Any) -> None:
    path = vpn.folder / "tcp.conf"
    path.rename(vpn.folder / "kept")
    try:
        (problem,) = info()["tcp"]["problems"]
    finally:
        (vpn.folder / "kept").rename(path)
    assert str(path) in problem


def test_a_listener_that_hangs_does_not_hide_the_other_one_when_answers_are_not_required(vpn: Vpn, info: Any) -> None:
    os.kill(vpn.server_pid("tcp"), signal.SIGSTOP)
    try:
        found = info(timeout=1, answers_required=False)
    finally:
        os.kill(vpn.server_pid("tcp"), signal.SIGCONT)
    assert (found["tcp"]["state"], found["udp"]["state"]) == ("silent", "answered")
    assert "systemctl" in found["tcp"]["problems"][0]
