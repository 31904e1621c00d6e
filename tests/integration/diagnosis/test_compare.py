"""Two settings against each other, with real servers, tunnels and traffic in namespaces; only systemd is left out.

probe --- 20 Mbit/s --- gateway with its listeners, and with the two servers of the comparison beside them
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import ADDRESS, Client, Vpn, command, wait_for
from integration.run_module import COLLECTIONS

from ansible_collections.privatespace.gateway.plugins.filter.compare_plan import compare_plan
from ansible_collections.privatespace.gateway.plugins.filter.compare_report import compare_report
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.compare_servers import (
    Server,
    parse_servers,
    render_rules,
    traffic_argv,
    write_files,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_plan import FOLDER

LIFETIME_SECONDS = "90"
LINE = ("root", "tbf", "rate", "20mbit", "burst", "20kb", "latency", "50ms")
PORTS, NETWORKS = [21194, 21195], ["198.18.255.240/29", "198.18.255.248/29"]
# Half of the packets are headers: on a line of a given rate that is a difference that does not depend on the machine.
SMALL_PACKETS = {"openvpn_mssfix": 300}
MEASURE = """
import json, sys
from pathlib import Path
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.compare_probe import compare, parse_compare
print(json.dumps(compare(parse_compare(json.loads(sys.argv[1])), lock=Path(sys.argv[2]))))
"""


def present(vpn: Vpn) -> dict[str, Any]:
    """What the role tells of the gateway."""
    settings = {"service_user": "nobody", "service_group": "nogroup"}
    return {"version": "2.6", "processes": [one.as_dict() for one in vpn.listeners], "settings": settings}


def plan_for(vpn: Vpn, a: dict[str, Any], b: dict[str, Any], listener: str) -> dict[str, Any]:
    return compare_plan(present(vpn), a=a, b=b, ports=PORTS, networks=NETWORKS, listener=listener)


@contextmanager
def servers_running(vpn: Vpn, plan: dict[str, Any]) -> Iterator[None]:
    """As the units would have them, in the gateway's namespace."""
    servers = parse_servers(plan["servers"])
    inside = ("ip", "netns", "exec", vpn.server_namespace)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, FOLDER, ignore_errors=True)
        write_files(servers, material=vpn.folder, folder=Path(FOLDER))
        rules = vpn.folder / "compare.nft"
        rules.write_text(render_rules(servers))
        command(*inside, "nft", "--file", str(rules))
        for server in servers:
            stack.callback(_end, _spawn(*inside, "openvpn", "--config", f"{FOLDER}/{server.side}.conf"))
            wait_for(f"server {server.side}", 10, lambda one=server: _has_address(vpn, one))
            stack.callback(_end, _spawn(*inside, *traffic_argv(server)))
            wait_for(f"iperf3 {server.side}", 5, lambda one=server: one.address in command(*inside, "ss", "-lnt"))
        yield


def _has_address(vpn: Vpn, server: Server) -> bool:
    return server.address in command("ip", "-n", vpn.server_namespace, "addr", "show", check=False)


def _spawn(*argv: str) -> subprocess.Popen[bytes]:
    bounded = (*argv[:4], "timeout", "--foreground", LIFETIME_SECONDS, *argv[4:])
    return subprocess.Popen(bounded, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    for pid in command("pgrep", "--parent", str(process.pid), check=False).split():
        command("kill", pid, check=False)
    process.terminate()
    process.wait(10)


def measure(vpn: Vpn, client: Client, plan: dict[str, Any], **more: Any) -> subprocess.CompletedProcess[str]:
    given = {
        "tunnels": plan["tunnels"], "address": ADDRESS, "profile": str(vpn.folder / "probe@test.ovpn"), "pairs": 7,
        "seconds": 45, "megabytes": 60.0, **more,
    }  # fmt: skip
    argv = (sys.executable, "-c", MEASURE, json.dumps(given), str(vpn.folder / "lock"))
    return subprocess.run(
        ("ip", "netns", "exec", client.namespace, "timeout", LIFETIME_SECONDS, *argv),
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with Vpn() as running:
        yield running


@pytest.fixture(scope="module")
def probe(vpn: Vpn) -> Client:
    client = vpn.client()
    command("tc", "-n", client.namespace, "qdisc", "add", "dev", "eth0", *LINE)
    command("tc", "-n", vpn.server_namespace, "qdisc", "add", "dev", "v2", *LINE)
    vpn.profile("probe@test", "udp")
    return client


def test_a_difference_is_found_and_nothing_is_left(vpn: Vpn, probe: Client) -> None:
    plan = plan_for(vpn, {}, SMALL_PACKETS, "udp")
    assert plan["differences"] == ["Only B: mssfix 300"]
    routes = command("ip", "-n", probe.namespace, "-4", "route", "show", "table", "all")
    with servers_running(vpn, plan):
        began = time.monotonic()
        done = measure(vpn, probe, plan)
        assert time.monotonic() - began < 70
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    found = compare_report(measured, plan=plan, gateway="g", probe="p", overrides={"a": {}, "b": SMALL_PACKETS})
    for direction in ("down", "up"):
        verdict = found["verdicts"][direction]
        assert verdict["verdict"] == "a_better", found["lines"]
        assert verdict["n"] == 7
        assert "A is " in verdict["sentence"]
        assert "% faster" in verdict["sentence"]
        assert "Wilcoxon signed-rank" in verdict["sentence"]
        # What a line of 20 Mbit/s carries, at least roughly: the other figures are shares of it.
        assert 12e6 < verdict["median_bps"]["a"] < 20e6
    orders = [
        (one["round"], one["direction"], side, one["begin"]) for side in "ab" for one in measured["segments"][side]
    ]
    order = [
        "".join(one[2] for one in sorted(orders, key=lambda one: one[3]) if one[1] == way) for way in ("down", "up")
    ]
    assert order == ["abbaabbaabbaab", "baabbaabbaabba"]
    assert command("ip", "-n", probe.namespace, "-4", "route", "show", "table", "all") == routes
    assert "psgp-" not in command("ip", "-n", probe.namespace, "link")
    assert "tun-compare" not in command("ip", "-n", vpn.server_namespace, "link")
    # The listeners that were there have not noticed.
    assert vpn.server_pid("udp")
    assert vpn.server_pid("tcp")


def test_too_narrow_limits_are_told_with_what_would_do(vpn: Vpn, probe: Client) -> None:
    plan = plan_for(vpn, {}, {}, "tcp")
    assert plan["differences"] == []
    with servers_running(vpn, plan):
        done = measure(vpn, probe, plan, pairs=10, megabytes=10.0)
    assert done.returncode != 0
    assert "For 10 pairs set diagnosis_compare_seconds to" in done.stderr
    assert "psgp-" not in command("ip", "-n", probe.namespace, "link")


def test_who_is_in_such_a_tunnel_reaches_the_measuring_port_alone(vpn: Vpn, probe: Client) -> None:
    plan = plan_for(vpn, {}, {}, "udp")
    with servers_running(vpn, plan):
        rules = command(
            "ip", "netns", "exec", vpn.server_namespace, "nft", "list", "table", "inet", "privatespace-compare"
        )
    assert 'iifname "tun-compare-a" ip daddr 198.18.255.241 tcp dport 5201 accept' in rules
    assert rules.count("counter") == 3


def test_ports_that_are_closed_are_named(vpn: Vpn, probe: Client) -> None:
    """Nobody listens: the message names the port and the variable."""
    done = measure(vpn, probe, plan_for(vpn, {}, {}, "udp"))
    assert done.returncode != 0
    assert "The tunnel of A does not open" in done.stderr
    assert "UDP 21194" in done.stderr
    assert "diagnosis_compare_ports" in done.stderr
