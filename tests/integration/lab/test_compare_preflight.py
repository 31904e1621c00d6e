"""What is looked at before a host is set up, and two settings against each other, on hosts with systemd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.lab.lab_run import Outcome, Playbooks
from privatespace_lab.remote import Client, LabHost

PROFILE = "/etc/openvpn/profile.ovpn"
# The address by which users reach a gateway; Ansible comes by another one.
OUTSIDE = {"diagnosis_address": "{{ lab_outside_address }}"}
# Of ports that nobody has there.
FREE_PORTS = [{"protocol": "udp", "port": 2194}, {"protocol": "tcp", "port": 2443}]
LEFT_BEHIND = (
    "systemctl list-units --all --plain --no-legend 'privatespace-compare*' 'privatespace-preflight*'",
    "ls -d /run/privatespace-compare /run/privatespace-preflight 2>/dev/null; true",
    "nft list tables | grep -F privatespace-compare; true",
    "ip -brief link | grep -E 'tun-compare|psgp-'; true",
    "pgrep --list-full iperf3; true",
)
LISTENERS = "systemctl show --property=MainPID,ActiveState openvpn-server@udp openvpn-server@tcp; nft list tables"
COMPARE = {"diagnosis_compare_pairs": 7, "diagnosis_compare_megabytes": 4000, "diagnosis_compare_seconds": 60}


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice as a probe, in an inventory beside the lab's own."""
    path = tmp_path_factory.mktemp("probes") / "probes.yml"
    path.write_text(json.dumps({"probes": {"hosts": {"alice": {"diagnosis_profile": PROFILE}}}}))
    return path


@pytest.fixture
def report_folder(tmp_path: Path) -> Path:
    return tmp_path / "diagnosis"


@pytest.fixture
def nothing_left(gateways: tuple[LabHost, LabHost], alice: Client) -> Iterator[None]:
    """Neither units nor files, rules, devices or processes, whatever a test has done."""
    yield
    for host in (gateways[0], alice):
        for command in LEFT_BEHIND:
            assert host.run(command) == "", f"{host.name}: {command}"


def preflight(playbooks: Playbooks, probes: Path, tmp_path: Path, **more: Any) -> tuple[Outcome, dict[str, Any]]:
    """The outcome, and the checks of gateway1 by their subject."""
    path = tmp_path / "preflight.json"
    outcome = playbooks.run(
        "preflight", "-i", str(probes), "--limit", "gateway1", variables={**OUTSIDE, "output_path": str(path), **more}
    )
    found = json.loads(path.read_text())["hosts"]["gateway1"]["checks"] if path.is_file() else []
    return outcome, {one["subject"]: one for one in found}


def compare(playbooks: Playbooks, probes: Path, *arguments: str, **more: Any) -> Outcome:
    limit = ("-i", str(probes), "--limit", "gateway1,alice", *arguments)
    return playbooks.run("compare", *limit, variables={**OUTSIDE, **COMPARE, **more})


def test_free_ports_are_reached_and_the_gateways_own_are_told(
    nothing_left: None, playbooks: Playbooks, probes: Path, alice: Client, tmp_path: Path
) -> None:
    ports = [*FREE_PORTS, {"protocol": "udp", "port": 1194}, {"protocol": "tcp", "port": 443}]
    outcome, found = preflight(playbooks, probes, tmp_path, diagnosis_preflight_ports=ports)
    for port in ("udp 2194", "tcp 2443"):
        assert found[f"{port} from alice"]["cause"].startswith("Reachable"), outcome.output
    assert found["udp 1194 from alice"]["state"] == "warning"
    assert "openvpn" in found["udp 1194 from alice"]["cause"]
    assert found["tcp 443 from alice"]["state"] == "ok"
    assert {found[one]["state"] for one in ("release", "python", "tun", "nftables", "forwarding", "openvpn")} == {"ok"}
    assert found["zone lab.example"]["state"] == "ok"
    assert found["clock"]["state"] == "ok"


def test_a_port_that_is_dropped_and_one_that_is_held_fail(
    nothing_left: None,
    playbooks: Playbooks,
    probes: Path,
    gateways: tuple[LabHost, LabHost],
    alice: Client,
    tmp_path: Path,
) -> None:
    gateway = gateways[0]
    gateway.run("nft 'add table inet labtest; add chain inet labtest c { type filter hook input priority -50; }'")
    gateway.run("nft add rule inet labtest c udp dport 2194 drop")
    gateway.run("systemd-run --quiet --collect --unit lab-holder python3 -m http.server 2443")
    try:
        outcome, found = preflight(playbooks, probes, tmp_path, diagnosis_preflight_ports=FREE_PORTS)
    finally:
        gateway.run("systemctl stop lab-holder; nft delete table inet labtest")
    assert outcome.status != 0
    assert "Not fit to become a gateway: gateway1" in outcome.output
    assert "own firewall drops it" in found["udp 2194 from alice"]["cause"]
    assert "holds the port: python3" in found["tcp 2443 from alice"]["cause"]


def test_check_mode_of_both_touches_nothing(
    nothing_left: None, playbooks: Playbooks, probes: Path, gateways: tuple[LabHost, LabHost], alice: Client
) -> None:
    outcome = playbooks.run("preflight", "-i", str(probes), "--limit", "gateway1", "--check", variables=OUTSIDE)
    assert "check mode opens no listener" in outcome.output
    outcome = compare(playbooks, probes, "--check", compare_b={"openvpn_tcp_nodelay": False})
    assert outcome.status == 0, outcome.output
    assert "Two OpenVPN servers over TCP would run on gateway1" in outcome.output
    assert "Only A: tcp-nodelay" in outcome.output
    assert outcome.changed == 0


def test_small_packets_are_slower_and_the_listeners_run_on(
    nothing_left: None,
    playbooks: Playbooks,
    probes: Path,
    gateways: tuple[LabHost, LabHost],
    alice: Client,
    report_folder: Path,
) -> None:
    before = gateways[0].run(LISTENERS)
    alice.install_profile(playbooks.add("prober", "probe"))
    small = {"openvpn_tunnel_mtu": 600}
    outcome = compare(playbooks, probes, compare_b=small, diagnosis_report_folder=str(report_folder))
    assert outcome.status == 0, outcome.output
    assert gateways[0].run(LISTENERS) == before
    (path,) = report_folder.glob("compare-gateway1-*.json")
    found = json.loads(path.read_text())
    for direction in ("down", "up"):
        assert found["verdicts"][direction]["verdict"] == "a_better", found["lines"]
    assert "Wilcoxon signed-rank" in outcome.output
    assert path.with_suffix(".txt").is_file()
    assert found["cpu_seconds_per_gb"]["b"] > found["cpu_seconds_per_gb"]["a"]


def test_what_would_change_the_host_is_refused(
    nothing_left: None, playbooks: Playbooks, probes: Path, gateways: tuple[LabHost, LabHost], alice: Client
) -> None:
    outcome = compare(playbooks, probes, compare_b={"openvpn_congestion_control": "bbr"})
    assert outcome.status != 0
    assert "openvpn_congestion_control is a setting of the whole host" in outcome.output


def test_a_server_that_does_not_come_up_says_why(
    nothing_left: None, playbooks: Playbooks, probes: Path, gateways: tuple[LabHost, LabHost], alice: Client
) -> None:
    """The port of the first server is taken by a listener of the gateway."""
    alice.install_profile(playbooks.add("prober", "probe"))
    outcome = compare(playbooks, probes, compare_listener="udp", diagnosis_compare_ports=[1194, 21195])
    assert outcome.status != 0
    assert "The server of A does not come up" in outcome.output


def test_everything_ends_by_itself_when_the_controller_has_vanished(
    nothing_left: None, gateways: tuple[LabHost, LabHost], alice: Client
) -> None:
    """What holds the units together ends, and systemd ends the others and takes their files away."""
    gateway = gateways[0]
    gateway.run(
        "mkdir /run/privatespace-compare; nft add table inet privatespace-compare;"
        "systemd-run --quiet --collect --unit=privatespace-compare.service --property=RuntimeMaxSec=1"
        " '--property=ExecStopPost=-/bin/rm -rf /run/privatespace-compare'"
        " '--property=ExecStopPost=-/usr/sbin/nft delete table inet privatespace-compare' -- sleep 60;"
        "systemd-run --quiet --collect --unit=privatespace-compare-a.service"
        " --property=BindsTo=privatespace-compare.service --property=After=privatespace-compare.service -- sleep 60;"
        "for i in $(seq 50); do [ -e /run/privatespace-compare ] || exit 0; sleep 0.1; done"
    )
    gateway.run("sleep 1; systemctl reset-failed 'privatespace-compare*' 2>/dev/null; true")
