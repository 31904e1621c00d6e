"""What a probe takes as a window, what it refuses, and what it reads from its host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import probe_look
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import (
    Children,
    StoppedError,
    ended_by_signals,
    ended_children,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import (
    Window,
    parse_probe_settings,
    parse_window,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

WINDOW: dict[str, Any] = {
    "token": "a-token-of-a-test", "address": "192.0.2.1", "outside_ports": [5201, 5203], "responder_port": 5202,
    "tunnels": [
        {"listener": "udp", "transport": "udp", "port": 1194, "tunnel_address": "10.91.0.1", "iperf_port": 5201},
        {"listener": "udp2", "transport": "udp", "port": 1195, "tunnel_address": "10.92.0.1", "iperf_port": 5201},
    ],
    "expires_at": 1.8e9,
}  # fmt: skip


def test_a_window_is_read_as_it_describes_itself() -> None:
    window = parse_window(WINDOW)
    assert (window.address, window.outside_ports, window.responder_port) == ("192.0.2.1", (5201, 5203), 5202)
    assert [one.listener for one in window.one_of_each()] == ["udp"]
    assert parse_window(WINDOW, address="2001:db8::1").address == "2001:db8::1"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"token": ""}, "no token"),
        ({"token": "short\nline"}, "no token"),
        ({"outside_ports": []}, "outside_ports"),
        ({"responder_port": 70000}, "'window.responder_port' is '70000'"),
        ({"address": "-oProxyCommand"}, "which is no address"),
        ({"tunnels": [{"transport": "sctp"}]}, "the transport 'sctp'"),
    ],
)
def test_what_is_no_window_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        parse_window({**WINDOW, **change})
    assert WINDOW["token"] not in str(caught.value)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="no DNS name"):
        parse_probe_settings({"gateway": "g", "window": WINDOW, "seconds": 60, "megabytes": 200, "names": ["a b"]})


def test_resolvers_of_the_host(tmp_path: Path) -> None:
    lines = ("# x", "nameserver 192.0.2.53", "nameserver fe80::1%eth0", "nameserver y", "search z", "")
    (tmp_path / "resolv.conf").write_text("\n".join(lines))
    assert probe_look.system_resolvers(tmp_path / "resolv.conf") == ("192.0.2.53", "fe80::1")


def test_the_busiest_core_counts() -> None:
    before = {"cpu0": (0, 0), "cpu1": (100, 1000)}
    assert probe_look.busiest_core(before, {"cpu0": (10, 100), "cpu1": (190, 1100)}) == pytest.approx(0.9)


def test_datagrams_that_the_host_dropped_are_counted(tmp_path: Path) -> None:
    (tmp_path / "snmp").write_text("Udp: InDatagrams RcvbufErrors\nUdp: 5 7\n")
    (tmp_path / "snmp6").write_text("Udp6InErrors 1\nUdp6RcvbufErrors 3\n")
    assert probe_look.overflowed_datagrams(tmp_path) == 10
    assert probe_look.overflowed_datagrams(tmp_path / "none") == 0


def test_the_clocks_are_compared_and_strangers_not_believed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:
        gateway.bind(("127.0.0.1", 0))

        def answer() -> None:
            for _number in range(5):
                said, sender = gateway.recvfrom(512)
                token = said.split()[0] if said.endswith(b" time\n") else b"?"
                gateway.sendto(token + f" {time.time() - 100}\n".encode(), sender)

        threading.Thread(target=answer, daemon=True).start()
        offset = probe_look.greet_responder(Window("127.0.0.1", (1,), gateway.getsockname()[1], "a-token"))
    assert offset == pytest.approx(100, abs=0.5)


def stopped_by_a_signal(started: list[subprocess.Popen[bytes]], children: Children) -> None:
    with tempfile.TemporaryFile() as output:
        # It ignores the polite way.
        started.append(children.start(("sh", "-c", "trap '' TERM; sleep 30 & wait; sleep 30"), output=output))
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def test_programs_end_with_the_block_and_by_a_signal() -> None:
    started: list[subprocess.Popen[bytes]] = []
    with ended_by_signals():
        with ended_children(time.monotonic() + 30) as children, pytest.raises(StoppedError, match="SIGTERM"):
            stopped_by_a_signal(started, children)
        assert started[0].poll() is not None
        with tempfile.TemporaryFile() as output, pytest.raises(StoppedError, match="has ended"):
            children.start(("true",), output=output)


def test_a_program_that_takes_too_long_is_stopped_with_what_it_said() -> None:
    with ended_children(time.monotonic() + 30) as children:
        ended = children.run(("sh", "-c", "echo said; echo wrong >&2; sleep 20"), seconds=0.3)
    assert (ended.output, ended.errors, ended.late) == ("said\n", "wrong\n", True)
