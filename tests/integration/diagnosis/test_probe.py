"""A probe measures real paths between namespaces: it finds what is wrong, keeps its limits, and leaves nothing."""

from __future__ import annotations

import signal
import time
from statistics import median
from typing import TYPE_CHECKING

import pytest
from integration.diagnosis.measured_path import INSIDE, TOKEN, MeasuredPath, measured_path
from integration.openvpn.vpn import wait_for

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path

if TYPE_CHECKING:
    from integration.run_module import RunModule


def ratio(path: Path, direction: str) -> float:
    """The middle of UDP by TCP, of the pairs outside."""
    rates: dict[int, dict[str, float]] = {}
    for one in path.segments:
        if (one.purpose, one.direction, one.error) == ("pair", direction, ""):
            rates.setdefault(one.round, {})[one.protocol] = one.delivered
    return median(pair["udp"] / pair["tcp"] for pair in rates.values() if len(pair) == 2)


def assert_nothing_is_left(path: MeasuredPath) -> None:
    assert path.devices() == {"lo", "eth0"}
    assert not path.programs()


def test_a_healthy_path_within_the_limits() -> None:
    with measured_path() as way:
        before, begin = way.transferred(), time.monotonic()
        path = way.measure(seconds=24.0, megabytes=60.0, names=["www.example.com"])
        elapsed = time.monotonic() - begin
        down, up = (after - earlier for after, earlier in zip(way.transferred(), before, strict=True))
        assert_nothing_is_left(way)
    assert elapsed < 24 + 1.5
    assert max(down, up) < 60e6
    # What it says that it sent is not less than what the cable saw.
    assert (path.sent_down, path.sent_up) > (down, up)
    assert [(one.transport, one.connected, one.device_mtu) for one in path.tunnels] == [
        ("udp", True, 1500), ("tcp", True, 1500),
    ]  # fmt: skip
    assert {one.cipher for one in path.tunnels} == {"AES-256-GCM"}
    assert min(ratio(path, "down"), ratio(path, "up")) > 0.9
    assert {(one.place, one.direction) for one in path.segments if one.purpose == "full" and not one.error} >= {
        (place, direction) for place in ("outside", "tunnel_udp", "tunnel_tcp") for direction in ("down", "up")
    }
    assert {(one.place, one.passed, one.failed) for one in path.mtus} == {
        (place, 1500, 0) for place in ("outside", "tunnel_udp", "tunnel_tcp")
    }
    for place in ("outside", "tunnel_udp", "tunnel_tcp"):
        echoes = [one for one in path.echoes if one.place == place]
        assert len(echoes) > 60
        assert sum(one.rtt is None for one in echoes) <= 2
    assert sum(not one.loaded for one in path.echoes if one.place == "outside") >= 50
    assert all(one.answered for one in path.reaches), path.reaches
    assert path.clock_offset == pytest.approx(0, abs=0.01)
    assert TOKEN not in repr(path)


def test_udp_that_is_policed_after_a_burst() -> None:
    with measured_path(flat=True) as way:
        # Ten megabit, and what nft lets pass at once: a second's worth more.
        way.impair("meta l4proto udp iifname CARD limit rate over 1250 kbytes/second burst 125 kbytes drop")
        path = way.measure(seconds=30.0, megabytes=100.0)
    for direction in ("down", "up"):
        limited = [
            one.delivered
            for one in path.segments
            if (one.place, one.protocol, one.direction, one.purpose) == ("outside", "udp", direction, "pair")
        ]
        assert median(limited) == pytest.approx(10e6, rel=0.1)
        assert ratio(path, direction) < 0.7
    low = [one.lost for one in path.segments if one.purpose == "low_rate" and one.place == "outside"]
    assert low
    assert max(one or 0.0 for one in low) < 0.01


def test_large_packets_that_vanish() -> None:
    with measured_path(flat=True) as way:
        way.impair("iifname CARD ip length > 1300 drop")
        path = way.measure(seconds=20.0, megabytes=20.0)
        assert_nothing_is_left(way)
    (outside,) = (one for one in path.mtus if one.place == "outside")
    assert (outside.passed, outside.failed, outside.told, outside.link) == (1300, 1301, None, 1500)
    # Smaller ones get through, and are what is sent.
    assert any(one.place == "outside" and one.delivered > 0 for one in path.segments)


def test_lost_packets() -> None:
    with measured_path(flat=True) as way:
        way.impair("meta l4proto { icmp, udp } iifname CARD numgen random mod 100 < 4 drop")
        path = way.measure(seconds=20.0, megabytes=50.0)
    udp = [one for one in path.segments if (one.place, one.protocol, one.error) == ("outside", "udp", "")]
    assert udp
    for one in udp:
        assert one.lost == pytest.approx(0.04, abs=0.025)
    outside = [one for one in path.echoes if one.place == "outside"]
    # Lost either on the way there or back.
    assert sum(one.rtt is None for one in outside) / len(outside) == pytest.approx(0.078, abs=0.06)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_measurement_that_is_ended_leaves_nothing(number: int) -> None:
    with measured_path() as way:
        process = way.start(seconds=30.0, megabytes=50.0)
        wait_for("tunnel and traffic", 12, lambda: any("iperf3" in one for one in way.programs()))
        assert {"psgp-udp", "psgp-tcp"} <= way.devices()
        # `ip netns exec` becomes the program that it starts.
        process.send_signal(number)
        _output, errors = process.communicate(timeout=10)
        wait_for("end of everything", 6, lambda: not way.programs() and way.devices() == {"lo", "eth0"})
        if number == signal.SIGTERM:
            assert "StoppedError: The measurement was stopped by SIGTERM" in errors


def test_one_at_a_time_and_without_a_profile_nothing_inside() -> None:
    with measured_path() as way:
        first = way.start(profile="", seconds=15.0, megabytes=10.0)
        wait_for("echoes", 10, lambda: any("ping" in one for one in way.programs()))
        second = way.start(seconds=15.0)
        _output, errors = second.communicate(timeout=10)
        assert "is in use by another run" in errors
        first.terminate()
        first.communicate(timeout=10)
        assert_nothing_is_left(way)


def test_check_mode_sends_nothing_and_says_what_would_be_sent(run_module: RunModule) -> None:
    tunnel = {"listener": "udp", "transport": "udp", "port": 1194, "tunnel_address": INSIDE["udp"], "iperf_port": 5201}
    window = {
        "token": TOKEN, "address": "192.0.2.1", "outside_ports": [5201, 5203], "responder_port": 5202,
        "tunnels": [tunnel],
    }  # fmt: skip
    arguments = {"gateway": "g1", "probe": "alice", "window": window, "profile": "/nonexistent", "megabytes": 100}
    result = run_module("network_probe", arguments, check=True)
    assert not result.changed
    assert "path" not in result.values
    plan = " ".join(result["plan"])
    assert "at most 100 MB from alice to g1 at 192.0.2.1" in plan
    assert "by UDP" in plan
    assert TOKEN not in result.output


def test_a_profile_that_cannot_be_read_is_named(run_module: RunModule) -> None:
    window = {"token": TOKEN, "address": "192.0.2.1", "outside_ports": [5201], "responder_port": 5202}
    failed = run_module("network_probe", {"gateway": "g1", "window": window, "profile": "/root"}, fails=True)
    assert "The profile /root cannot be read: Is a directory" in failed.message


def test_a_probe_without_the_profile_measures_outside() -> None:
    with measured_path() as way:
        path = way.measure(profile="/nonexistent", seconds=15.0, megabytes=10.0)
    assert "Nothing was measured inside a tunnel: there is no profile /nonexistent." in path.unmeasured
    assert path.tunnels == ()
    assert {one.place for one in path.segments} == {"outside"}
