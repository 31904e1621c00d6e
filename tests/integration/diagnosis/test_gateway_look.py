"""What a gateway says of itself: real OpenVPN processes and their files, seen from inside their namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from integration.openvpn.vpn import Vpn, running
from integration.run_module import collections_path

CODE = """
import json, sys
from pathlib import Path
U = "ansible_collections.privatespace.gateway.plugins.module_utils."
from importlib import import_module
look = import_module(U + "_agent.gateway_look")
found = look.look(look.LookSettings("gateway1", (Path(sys.argv[1]),), Path(sys.argv[2])))
if len(sys.argv) > 3:
    found = look.watch(found, float(sys.argv[3]))
print(json.dumps(import_module(U + "_diagnosis.records").to_plain(found)))
"""
DAY = 86400


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running(socket_buffer_bytes=65536) as vpn:
        old = vpn.folder / "old"
        old.mkdir()
        (old / "udp-old.conf").write_text("server 10.99.0.0 255.255.255.0\n")
        (vpn.folder / "acme.json").write_text(json.dumps({"not_after": time.time() + 30 * DAY, "not_before": 1.7e9}))
        vpn.connect("alice", "tcp")
        yield vpn


def look(vpn: Vpn, *seconds: str) -> dict[str, Any]:
    argv = (
        "ip", "netns", "exec", vpn.server_namespace, sys.executable, "-c", CODE, str(vpn.folder / "old"),
        str(vpn.folder / "acme.json"), *seconds,
    )  # fmt: skip
    environment = {"PYTHONPATH": str(collections_path()), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def seen(vpn: Vpn) -> dict[str, Any]:
    return look(vpn)


def test_listeners_are_described_with_their_options(vpn: Vpn, seen: dict[str, Any]) -> None:
    found = {one["name"]: one for one in seen["listeners"]}
    assert set(found) == {"udp", "tcp"}
    udp, tcp = found["udp"], found["tcp"]
    assert (udp["transport"], udp["port"], tcp["transport"], tcp["port"]) == ("udp", 1194, "tcp", 443)
    assert (udp["state"], udp["pid"]) == ("answered", vpn.server_pid("udp"))
    assert udp["version"].startswith("2.")
    assert udp["options"]["replay-window"] == "512 15"
    assert udp["options"]["sndbuf"] == "65536"
    assert udp["stale"] is False
    assert udp["started_at"] < time.time()
    assert udp["dco"] in ("active", "possible", "unavailable")
    assert (tcp["sessions"], udp["sessions"]) == (1, 0)
    (session,) = tcp["tcp_sessions"]
    assert session["client"].startswith("10.77.0.2:")
    assert 0 < session["rtt"] < 1


def test_buffers_are_those_of_the_process_that_runs(seen: dict[str, Any]) -> None:
    for one in seen["listeners"]:
        assert one["buffers"]["send"] == 2 * 65536
        assert one["buffers"]["receive"] == 2 * 65536


def test_what_ends_is_named_with_its_file(vpn: Vpn, seen: dict[str, Any]) -> None:
    ends = {one["what"]: one for one in seen["expiries"]}
    assert set(ends) == {"gateway certificate", "CA certificate", "CRL", "web certificate"}
    assert ends["gateway certificate"]["path"] == str(vpn.folder / "server.crt")
    assert ends["CRL"]["path"] == str(vpn.crl_path)
    assert 1.5 * DAY < ends["gateway certificate"]["not_after"] - time.time() < 2 * DAY
    assert 0.5 * DAY < ends["CRL"]["not_after"] - time.time() < DAY
    assert ends["CRL"]["not_before"] < time.time()


def test_a_file_that_nobody_means_is_named(vpn: Vpn, seen: dict[str, Any]) -> None:
    (foreign,) = seen["foreign_configs"]
    assert foreign["path"] == str(vpn.folder / "old/udp-old.conf")
    assert foreign["running"] == []


def test_the_machine_and_its_network_are_described(seen: dict[str, Any]) -> None:
    assert seen["name"] == "gateway1"
    assert seen["machine"]["cores"] == os.cpu_count()
    assert seen["kernel"] == os.uname().release
    assert {one["name"]: one["kind"] for one in seen["interfaces"]}.items() >= {
        "br0": "bridge",
        "tun-udp": "tun",
    }.items()
    assert seen["sysctl"]["net.ipv4.ip_forward"] in ("0", "1")
    assert seen["samples"] == []
    assert seen["udp_errors"] == {}


def test_resolvers_that_cannot_be_reached_do_not_answer(seen: dict[str, Any]) -> None:
    # The namespace has no way out.
    assert [one["answered"] for one in seen["resolvers"]] == [False] * len(seen["resolvers"])


def test_nothing_secret_is_told(vpn: Vpn, seen: dict[str, Any]) -> None:
    text = json.dumps(seen)
    assert "PRIVATE KEY" not in text
    assert "BEGIN" not in text


def test_a_configuration_that_is_newer_than_its_process_is_stale(vpn: Vpn) -> None:
    config = vpn.folder / "udp.conf"
    config.write_text(config.read_text() + "verb 3\n")
    os.utime(config, (time.time() + 2, time.time() + 2))
    found = {one["name"]: one["stale"] for one in look(vpn)["listeners"]}
    assert found == {"udp": True, "tcp": False}


def test_a_listener_that_hangs_is_a_sentence(vpn: Vpn) -> None:
    pid = vpn.server_pid("tcp")
    os.kill(pid, signal.SIGSTOP)
    try:
        seen = look(vpn)
    finally:
        os.kill(pid, signal.SIGCONT)
    found = {one["name"]: one["state"] for one in seen["listeners"]}
    assert found == {"udp": "answered", "tcp": "silent"}
    assert any("'tcp'" in one and "management socket" in one for one in seen["unknown"])


def test_watching_gives_samples(vpn: Vpn) -> None:
    seen = look(vpn, "0.8")
    assert {one["listener"] for one in seen["samples"]} == {"", "udp", "tcp"}
    assert all(one["cpu_seconds"] is not None for one in seen["listeners"])
    assert set(seen["udp_errors"]) == {"InErrors", "RcvbufErrors", "SndbufErrors"}
