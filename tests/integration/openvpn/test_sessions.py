"""Sessions of real OpenVPN processes: seen, cut, and proved to be gone."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from integration.openvpn.vpn import Vpn, running, wait_for
from integration.run_module import ModuleResult, RunModule


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running() as vpn:
        yield vpn


@pytest.fixture
def info(vpn: Vpn, run_module: RunModule) -> Any:
    return lambda **options: run_module("openvpn_session_info", {**paths(vpn), **options})


def paths(vpn: Vpn) -> dict[str, Any]:
    return {
        "management_sockets": vpn.sockets,
        "crl_path": str(vpn.crl_path),
        "ca_path": str(vpn.folder / "ca.crt"),
    }


def names(result: ModuleResult) -> list[tuple[str, str]]:
    return sorted((one["listener"], one["common_name"]) for one in result["sessions"])


def test_what_we_render_carries_packets_and_is_seen(vpn: Vpn, info: Any) -> None:
    over_udp, over_tcp = vpn.connect("seen@laptop"), vpn.connect("seen@phone", "tcp")
    assert over_udp.lost_packets(0.5, "10.91.0.1") == 0
    assert over_tcp.lost_packets(0.5, "10.91.1.1") == 0

    result = info(certificate_path=str(vpn.folder / "server.crt"))

    assert names(result) == [("tcp", "seen@phone"), ("udp", "seen@laptop")]
    assert {one["virtual_address"].rpartition(".")[0] for one in result["sessions"]} == {"10.91.0", "10.91.1"}
    assert all(one["bytes_received"] > 1000 for one in result["sessions"])
    assert [(one["name"], one["state"], one["stale"]) for one in result["listeners"]] == [
        ("udp", "answered", False),
        ("tcp", "answered", False),
    ]
    assert [one["pid"] for one in result["listeners"]] == [vpn.server_pid("udp"), vpn.server_pid("tcp")]
    assert result["crl"]["number"] == vpn.authority.number
    assert result["certificate_not_after"] > time.time()
    over_udp.stop()
    over_tcp.stop()


def test_a_configuration_newer_than_its_process_is_stale(vpn: Vpn, info: Any) -> None:
    config = vpn.folder / "udp.conf"
    before = config.stat().st_mtime
    os.utime(config)
    assert [one["stale"] for one in info()["listeners"]] == [True, False]
    os.utime(config, (before, before))


@pytest.mark.parametrize(("protocol", "address"), [("udp", "10.91.0.1"), ("tcp", "10.91.1.1")])
def test_a_removed_device_is_cut_and_refused_and_its_namesake_loses_no_packet(
    vpn: Vpn, run_module: RunModule, info: Any, protocol: str, address: str
) -> None:
    removed, bystander = vpn.connect("al", protocol), vpn.connect("alice", protocol)
    serial = vpn.authority.revoke("al")
    options = {
        **paths(vpn), "common_names": ["al"], "serials": [str(serial)], "crl_content": vpn.authority.crl(),
    }  # fmt: skip

    foretold = run_module("openvpn_session", options, check=True)
    assert [one["common_name"] for one in foretold["sessions_cut"]] == ["al"]
    assert foretold.changed
    assert foretold["timeline"]["cut_at"] is None
    assert removed.lost_packets(0.2, address) == 0

    lost: list[int] = []
    ping = threading.Thread(target=lambda: lost.append(bystander.lost_packets(4, address)))
    ping.start()
    result = run_module("openvpn_session", options)
    ping.join()

    assert lost == [0]
    assert [one["common_name"] for one in result["sessions_cut"]] == ["al"]
    times = [result["timeline"][key] for key in ("snapshot_at", "crl_installed_at", "cut_at", "verified_at")]
    assert times == sorted(times)
    assert times[-1] - times[0] < 2
    assert removed.lost_packets(0.2, address) > 0
    assert ("al" in [name for _listener, name in names(info())]) is False

    again = run_module("openvpn_session", options)
    assert not again.changed
    assert again["sessions_cut"] == []

    removed.stop()
    vpn.start_client(removed, vpn.folder / "al.ovpn")
    wait_for("refusal", 15, lambda: "certificate revoked" in vpn.server_log(protocol))
    assert not removed.connected()
    removed.stop()
    bystander.stop()


def test_several_names_on_both_listeners_at_once(vpn: Vpn, run_module: RunModule) -> None:
    clients = [vpn.connect("x@a"), vpn.connect("x@b", "tcp"), vpn.connect("y@a", "tcp")]
    result = run_module("openvpn_session", {**paths(vpn), "common_names": ["x@a", "x@b", "not-here"]})
    assert sorted((one["listener"], one["common_name"]) for one in result["sessions_cut"]) == [
        ("tcp", "x@b"),
        ("udp", "x@a"),
    ]
    assert result["timeline"]["crl_installed_at"] is None
    assert clients[2].lost_packets(0.3, "10.91.1.1") == 0
    for client in clients:
        client.stop()


@pytest.mark.parametrize(
    ("age", "life", "reason"),
    [
        (timedelta(days=3), timedelta(days=1), "expired"),
        (timedelta(hours=-3), timedelta(days=1), "in the future"),
    ],
)
def test_a_bad_crl_is_refused_and_the_old_one_stays(
    vpn: Vpn, run_module: RunModule, age: timedelta, life: timedelta, reason: str
) -> None:
    before = vpn.crl_path.read_bytes()
    result = run_module(
        "openvpn_session", {**paths(vpn), "crl_content": vpn.authority.crl(age=age, life=life)}, fails=True
    )
    assert reason in result.message
    assert vpn.crl_path.read_bytes() == before


def test_two_crls_in_one_second_are_two_for_openvpn(vpn: Vpn, run_module: RunModule) -> None:
    os.utime(vpn.crl_path, (time.time() + 5, time.time() + 5))
    before = int(vpn.crl_path.stat().st_mtime)
    run_module("openvpn_session", {**paths(vpn), "crl_content": vpn.authority.crl()})
    assert int(vpn.crl_path.stat().st_mtime) > before
    assert vpn.crl_path.stat().st_mode & 0o777 == 0o644


def test_a_stale_socket_is_a_listener_that_has_no_sessions(vpn: Vpn, run_module: RunModule) -> None:
    stale = vpn.folder / "old.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(stale))
    result = run_module("openvpn_session", {**paths(vpn), "management_sockets": [str(stale)], "common_names": ["al"]})
    assert [one["state"] for one in result["listeners"]] == ["not_running"]
    assert not result.changed


def test_a_socket_that_hangs_is_named_and_the_others_are_still_cut(vpn: Vpn, run_module: RunModule) -> None:
    client = vpn.connect("hung@laptop")
    path = vpn.folder / "hangs.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)
        sockets = [str(path), *vpn.sockets]
        options = {**paths(vpn), "management_sockets": sockets, "common_names": ["hung@laptop"], "timeout": 1}
        result = run_module("openvpn_session", options, fails=True)
    assert "'hangs'" in result.message
    assert "'udp'" not in result.message
    assert client.lost_packets(0.2, "10.91.0.1") > 0
    client.stop()


def test_a_process_that_hangs_is_named(vpn: Vpn, run_module: RunModule) -> None:
    os.kill(vpn.server_pid("tcp"), signal.SIGSTOP)
    try:
        result = run_module("openvpn_session_info", {**paths(vpn), "timeout": 1}, fails=True)
    finally:
        os.kill(vpn.server_pid("tcp"), signal.SIGCONT)
    assert "'tcp'" in result.message
    assert "systemctl" in result.message


def test_a_process_whose_socket_was_deleted_is_not_taken_for_stopped(vpn: Vpn, run_module: RunModule) -> None:
    path = vpn.folder / "udp.sock"
    path.rename(vpn.folder / "moved")
    try:
        options = {**paths(vpn), "common_names": ["al"], "timeout": 1}
        assert "'udp'" in run_module("openvpn_session", options, fails=True).message
    finally:
        (vpn.folder / "moved").rename(path)


def test_a_session_that_lost_its_name_is_cut(run_module: RunModule) -> None:
    """After a refused renegotiation over UDP the old key goes on working, and the status shows no name."""
    with running(extra=("reneg-sec 6",)) as vpn:
        client = vpn.connect("gone@laptop")
        vpn.authority.revoke("gone@laptop")
        run_module("openvpn_session", {**paths(vpn), "crl_content": vpn.authority.crl()})

        def nameless() -> bool:
            found = run_module("openvpn_session_info", paths(vpn))["sessions"]
            return [(one["common_name"], one["virtual_address"]) for one in found] == [("UNDEF", "10.91.0.2")]

        wait_for("session without a name", 40, nameless)
        assert client.lost_packets(0.2, "10.91.0.1") == 0

        kept = {**paths(vpn), "common_names": ["gone@laptop"], "cut_unnamed": False}
        assert not run_module("openvpn_session", kept).changed

        result = run_module("openvpn_session", {**paths(vpn), "common_names": ["gone@laptop"]})

        assert [(one["listener"], one["virtual_address"]) for one in result["sessions_cut"]] == [("udp", "10.91.0.2")]
        assert client.lost_packets(0.2, "10.91.0.1") > 0
