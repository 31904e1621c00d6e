"""A measuring window: what probes and others reach through it, what it sees, and that it leaves nothing behind.

probe 10.77.0.2 (tunnels udp and tcp), stranger 10.77.0.3 --- gateway 10.77.0.1 with the table of the role openvpn
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from integration.diagnosis.windows import (
    TOKEN,
    Window,
    inside,
    load_firewall,
    ruleset,
    verbosity,
    wait_until_gone,
)
from integration.openvpn.vpn import Client, Vpn, running, wait_for

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import ANSWERED, take_snapshot

TALK = Path(__file__).with_name("responder_client.py")
SOON = 3


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running() as vpn:
        load_firewall(vpn)
        yield vpn


@pytest.fixture(scope="module")
def probe(vpn: Vpn) -> Client:
    return vpn.connect("probe", "udp")


@pytest.fixture(scope="module")
def stranger(vpn: Vpn, probe: Client) -> Client:
    return vpn.connect("stranger", "tcp")


@pytest.fixture
def window(vpn: Vpn, probe: Client, tmp_path: Path) -> Iterator[Window]:
    with Window(vpn, tmp_path) as window:
        yield window


def traffic(client: Client, address: str, *options: str, port: int = 5201) -> dict[str, Any]:
    """One second of iperf3, as its report."""
    argv = ("iperf3", "--client", address, "--port", str(port), "--time", "1", "--json", "--connect-timeout", "2000")
    # A last option counts: no more than is needed, for others work here, too.
    limited = (*argv, "--bitrate", "60M", *options)
    found: dict[str, Any] = json.loads(inside(client.namespace, *limited, check=False).stdout)
    return found


def ask(client: Client, address: str, protocol: str, question: str, port: int = 5202) -> str:
    return inside(client.namespace, sys.executable, str(TALK), protocol, address, str(port), question).stdout.strip()


def require_nothing_left(window: Window, rules: str) -> None:
    wait_until_gone(window)
    assert ruleset(window.vpn) == rules
    assert window.servers() == []
    assert [verbosity(window.vpn, name) for name in ("udp", "tcp")] == ["3", "3"]
    assert not (window.folder / "state.json").exists()
    assert not window.is_ready()


class TestOpen:
    def test_probes_are_told_where_to_go(self, window: Window) -> None:
        told = window.open()
        assert (told["address"], told["outside_ports"], told["responder_port"]) == ("10.77.0.1", [5201, 5203], 5202)
        assert told["tunnels"] == [
            {"listener": name, "transport": name, "port": port, "tunnel_address": address, "iperf_port": 5201}
            for name, port, address in (("udp", 1194, "10.91.0.1"), ("tcp", 443, "10.91.1.1"))
        ]
        assert told["expires_at"] > time.time()
        assert told["unmeasured"] == []
        assert TOKEN not in json.dumps(told)

    def test_traffic_passes_outside_and_through_the_tunnel(self, window: Window, probe: Client) -> None:
        window.open()
        for port in (5201, 5203):
            assert traffic(probe, "10.77.0.1", port=port)["end"]["sum_received"]["bytes"] > 10**6
        found = traffic(probe, "10.77.0.1", "--udp", "--bitrate", "5M", "--get-server-output")
        assert len(found["server_output_json"]["intervals"]) >= 8, "ten a second, as seen by the receiver"
        found = traffic(probe, "10.77.0.1", "--udp", "--bitrate", "5M", "--reverse", port=5203)
        assert found["end"]["sum"]["lost_percent"] < 50
        assert traffic(probe, "10.91.0.1")["end"]["sum_received"]["bytes"] > 10**6
        assert traffic(probe, "10.91.0.1", "--reverse")["end"]["sum_received"]["bytes"] > 10**6

    def test_others_reach_nothing(self, window: Window, stranger: Client) -> None:
        window.open()
        assert "error" in traffic(stranger, "10.77.0.1")
        assert ask(stranger, "10.77.0.1", "tcp", f"{TOKEN} time") == "no answer"
        assert ask(stranger, "10.77.0.1", "udp", f"{TOKEN} time") == "no answer"
        # Through its tunnel it reaches the address of that tunnel, and no other of the gateway.
        assert "error" in traffic(stranger, "10.91.0.1")
        assert ask(stranger, "10.91.1.1", "tcp", f"{TOKEN} time").startswith(TOKEN)
        assert "error" in traffic(stranger, "10.91.1.1", port=5203)

    @pytest.mark.parametrize("protocol", ["tcp", "udp"])
    def test_the_time_is_told_to_who_knows_the_token(self, window: Window, probe: Client, protocol: str) -> None:
        window.open()
        token, seconds = ask(probe, "10.77.0.1", protocol, f"{TOKEN} time").split()
        assert token == TOKEN
        assert abs(float(seconds) - time.time()) < SOON
        for question in ("", "time", "x time", f"{TOKEN}", f"{TOKEN} date", "x" * 5000, f"{TOKEN[:-1]} time"):
            assert ask(probe, "10.77.0.1", protocol, question) == "no answer"
        assert ask(probe, "10.77.0.1", protocol, f"{TOKEN} time").startswith(TOKEN)

    def test_listeners_log_more(self, window: Window) -> None:
        window.open()
        assert [verbosity(window.vpn, name) for name in ("udp", "tcp")] == ["4", "4"]


class TestEnd:
    def test_it_says_what_it_saw_and_leaves_nothing(self, window: Window, probe: Client) -> None:
        rules = ruleset(window.vpn)
        begin = time.time()
        window.open()
        traffic(probe, "10.91.0.1")
        # Somebody without a key knocks at the listener.
        knock = "import socket; s = socket.socket(2, 2); s.sendto(b'8' * 60, ('10.77.0.1', 1194))"
        inside(probe.namespace, sys.executable, "-c", knock)
        time.sleep(0.5)
        assert window.end() == 0
        seen = window.read("result")
        assert seen["complete"] is True
        assert begin <= seen["started"] < seen["ended"] <= time.time()
        samples = seen["samples"]
        assert {one["listener"] for one in samples} == {"", "udp", "tcp"}
        udp = [one for one in samples if one["listener"] == "udp"]
        assert max(one["cpu"] for one in udp) > 0.02
        assert all(0.1 < one["seconds"] < 2 for one in udp[:-1])
        assert all(0 <= one["waiting"] <= 1 for one in udp)
        assert seen["listeners"]["udp"]["octets"] > 10**6
        assert seen["listeners"]["udp"]["cpu_seconds"] > 0.02
        assert seen["listeners"]["tcp"]["octets"] < 10**5
        logs = {(one["where"], one["kind"]): one for one in seen["logs"]}
        assert logs["udp", "tls_error"]["count"] >= 1
        assert logs["udp", "tls_error"]["window"] is True
        assert {one["name"] for one in seen["interfaces"]} >= {"tun-udp", "tun-tcp", "br0"}
        assert set(seen["udp_errors"]) == {"InErrors", "RcvbufErrors", "SndbufErrors"}
        require_nothing_left(window, rules)

    def test_connections_of_the_listener_on_tcp_are_described(self, window: Window, stranger: Client) -> None:
        window.open()
        traffic(stranger, "10.91.1.1", "--reverse")
        time.sleep(1.2)
        window.end()
        (session,) = window.read("result")["listeners"]["tcp"]["tcp_sessions"]
        assert session["client"].startswith("10.77.0.3:")
        assert 0 < session["rtt"] < 1
        assert session["delivery_rate"] > 10**5

    def test_it_ends_by_itself(self, window: Window) -> None:
        rules = ruleset(window.vpn)
        window.open(seconds=1.5)
        assert window.wait(10) == 0
        assert "closed by itself after 1.5 s" in window.read("result")["unmeasured"][-1]
        require_nothing_left(window, rules)

    def test_what_a_killed_one_leaves_is_taken_back(self, window: Window, probe: Client) -> None:
        rules = ruleset(window.vpn)
        window.open()
        assert window.end(signal.SIGKILL) == -signal.SIGKILL
        assert ruleset(window.vpn) != rules
        assert verbosity(window.vpn, "udp") == "4"
        assert window.run("undo").returncode == 0
        seen = window.read("result")
        assert seen["complete"] is False
        assert "killed" in seen["unmeasured"][0]
        require_nothing_left(window, rules)
        assert ask(probe, "10.77.0.1", "tcp", f"{TOKEN} time") == "no answer"
        window.run("undo")
        assert window.read("result") == seen

    def test_the_next_one_takes_back_what_a_killed_one_left(self, window: Window) -> None:
        rules = ruleset(window.vpn)
        window.open()
        window.end(signal.SIGKILL)
        (window.folder / "ready.json").unlink()
        window.open()
        assert window.end() == 0
        require_nothing_left(window, rules)

    def test_a_firewall_that_was_replaced_meanwhile_keeps_its_rules(self, window: Window) -> None:
        rules = ruleset(window.vpn)
        window.open()
        load_firewall(window.vpn)
        window.end()
        require_nothing_left(window, rules)

    def test_a_verbosity_that_somebody_set_meanwhile_stays(self, window: Window, vpn: Vpn) -> None:
        window.open()
        set_verbosity(vpn, "udp", 5)
        window.end()
        assert [verbosity(vpn, name) for name in ("udp", "tcp")] == ["5", "3"]
        set_verbosity(vpn, "udp", 3)

    def test_files_are_for_root_alone(self, window: Window) -> None:
        window.open()
        window.end()
        modes = {path.name: path.stat().st_mode & 0o777 for path in window.folder.iterdir()}
        assert modes["result.json"] == 0o600
        assert modes["lock"] == 0o600


def live(window: Window) -> tuple[Mapping[str, Any], int]:
    """A window that is open for a second; what it answered, and its exit status."""
    answered = window.open()
    time.sleep(1)
    return answered, window.end()


class TestRemoval:
    """A listener speaks to one program at a time; who removes a user does not wait for a window."""

    def test_it_is_instant_while_a_window_opens_runs_and_closes(self, window: Window, vpn: Vpn) -> None:
        talk = partial(open_management, timeout_seconds=5, is_running=lambda _path: False)
        sockets = [vpn.folder / f"{name}.sock" for name in ("udp", "tcp")]
        with ThreadPoolExecutor(1) as pool:
            lives = pool.submit(live, window)
            took = []
            while not lives.done():
                begin = time.monotonic()
                states = take_snapshot(sockets, open_socket=talk)
                took.append(time.monotonic() - begin)
                assert [one.state for one in states] == [ANSWERED, ANSWERED]
        lives.result()
        assert window.read("result")["complete"] is True
        assert len(took) > 20
        assert max(took) < 0.5

    def test_nobody_is_waited_for_who_holds_the_socket(self, window: Window, vpn: Vpn) -> None:
        with socket.socket(socket.AF_UNIX) as removal:
            removal.connect(str(vpn.folder / "udp.sock"))
            removal.recv(4096)
            told = window.open()
            assert "did not answer" in told["unmeasured"][0]
        assert verbosity(vpn, "udp") == "3"
        assert window.end() == 0


class TestRefused:
    def test_a_second_one(self, window: Window, vpn: Vpn) -> None:
        window.open()
        done = window.run("run", check=False)
        assert done.returncode == 1
        assert "in use" in done.stderr
        assert window.is_ready()
        assert window.end() == 0

    def test_a_port_that_somebody_has(self, window: Window, vpn: Vpn) -> None:
        rules = ruleset(vpn)
        code = "import socket, sys; s = socket.create_server(('127.0.0.1', 5203)); print(flush=True); sys.stdin.read()"
        with held(vpn, code), pytest.raises(AssertionError, match=r"somebody has the port 5203 \(TCP\)"):
            window.open()
        assert "ss -lntup" in (window.folder / "problem.txt").read_text()
        require_nothing_left(window, rules)

    @pytest.mark.parametrize(("port", "name"), [(1194, "UDP"), (443, "TCP")])
    def test_a_port_on_which_clients_connect(self, window: Window, vpn: Vpn, port: int, name: str) -> None:
        rules = ruleset(vpn)
        with pytest.raises(AssertionError, match=rf"somebody has the port {port} \({name}\)"):
            window.open(outside_ports=[5201, port])
        require_nothing_left(window, rules)

    def test_a_foreign_firewall_is_named_and_left_alone(self, window: Window, vpn: Vpn) -> None:
        rules = "table inet filter { chain input { type filter hook input priority 0; policy drop; accept; }; }"
        inside(vpn.server_namespace, "nft", rules)
        before = ruleset(vpn)
        try:
            told = window.open()
            assert "'inet filter'" in told["unmeasured"][0]
            window.end()
            assert ruleset(vpn) == before
        finally:
            inside(vpn.server_namespace, "nft", "delete table inet filter")

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"probes": ["everybody"]}, "'everybody' is not the address of a probe"),
            ({"probes": []}, "for 1 to 64 probes"),
            ({"seconds": 3600}, "1 to 600 seconds"),
            ({"outside_ports": [70000]}, "'70000' is not a port"),
            ({"outside_ports": [5202]}, "each its own"),
            ({"token": "short"}, "16 to 64"),
        ],
    )
    def test_settings_that_make_no_sense(self, window: Window, changes: dict[str, Any], problem: str) -> None:
        window.write(**changes)
        if problem:
            done = window.run("run", check=False)
            assert done.returncode == 1
            assert problem in done.stderr
            assert not window.is_ready()


def set_verbosity(vpn: Vpn, listener: str, level: int) -> None:
    with socket.socket(socket.AF_UNIX) as talking:
        talking.settimeout(3)
        talking.connect(str(vpn.folder / f"{listener}.sock"))
        talking.sendall(f"verb {level}\n".encode())
        wait_for("verbosity", 3, lambda: b"SUCCESS" in talking.recv(4096))


@contextlib.contextmanager
def held(vpn: Vpn, code: str) -> Iterator[None]:
    """A program that has something, for the time of a block."""
    argv = ("ip", "netns", "exec", vpn.server_namespace, "timeout", "60", sys.executable, "-c", code)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.stdin.close()
        process.wait(5)
