"""Why it is slow, found by the playbook: a healthy gateway, one with several troubles at once, and what stays behind.

What the path is accused of is planted on the path: each host polices what arrives, as a provider does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.lab.lab_run import INSTANCE, Outcome, Playbooks
from privatespace_lab import topology
from privatespace_lab.remote import Client, LabHost

PROFILE = "/etc/privatespace/probe.ovpn"
OLD_CONFIG = "/etc/openvpn/server/udp-old.conf"
KNOWN_NAME = "www.outside.example"
# Enough for every figure on a path of a millisecond, and slow enough for two lanes on two cores.
MEASURED = {"diagnosis_seconds": 60, "diagnosis_megabytes": 40, "diagnosis_names": [KNOWN_NAME]}
ONE = ("--limit", "gateway1,alice")
POLICED_BYTES = 250_000
# Whatever the hosts have that a measurement could forget.
INVENTORY = """
nft --stateless list ruleset | grep -v 'elements = '
ip -o link | cut -d: -f2
ps -C iperf3,mtr,mtr-packet -o args=
systemctl list-units --all --plain --no-legend 'privatespace-diagnosis*'
ls -A /run/privatespace 2>/dev/null
true
"""


@pytest.fixture(scope="module")
def probes(playbooks: Playbooks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inventory that makes alice a probe; she has a profile for that."""
    alice = Client(INSTANCE, "alice")
    alice.run(f"mkdir -p {Path(PROFILE).parent}")
    alice.write(PROFILE, playbooks.add("prober", "alice").read_text())
    path = tmp_path_factory.mktemp("probes") / "inventory.yml"
    path.write_text(json.dumps({"probes": {"hosts": {"alice": {}}}}))
    return path


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


@pytest.fixture
def untouched(alice: Client, gateways: tuple[LabHost, LabHost]) -> Iterator[None]:
    """Both ends are afterwards what they were before."""
    hosts = (alice, gateways[0])
    before = [host.run(INVENTORY) for host in hosts]
    yield
    assert [host.run(INVENTORY) for host in hosts] == before


def diagnose(playbooks: Playbooks, probes: Path, reports: Path, *arguments: str, **variables: Any) -> Outcome:
    given = {**MEASURED, "diagnosis_profile": PROFILE, "diagnosis_report_folder": str(reports), **variables}
    return playbooks.succeed("diagnose", "-i", str(probes), *arguments, variables=given)


def report_of(reports: Path, gateway: str) -> Mapping[str, Any]:
    document = json.loads((reports / "latest.json").read_text())
    return next(each for each in document["gateways"] if each["name"] == gateway)


def named(report: Mapping[str, Any]) -> set[str]:
    """The causes of faults and hints."""
    return {each["cause"] for each in report["findings"] if each["weight"] != "unknown"}


@contextmanager
def policing(host: LabHost, interface: str) -> Iterator[None]:
    """Let only so much UDP arrive at a host."""
    rule = f"iifname {interface} meta l4proto udp limit rate over {POLICED_BYTES} bytes/second drop"
    chain = f"chain arriving {{\n type filter hook prerouting priority -350\n {rule}\n }}"
    host.run("nft --file -", feed=f"table inet provider {{\n {chain}\n}}\n")
    try:
        yield
    finally:
        host.run("nft delete table inet provider")


@contextmanager
def forgotten_configuration(gateway: LabHost) -> Iterator[None]:
    """An old configuration, renamed, on which systemd has started a second server."""
    edits = ("s/^port 1194/port 1294/", "s/tun-udp/tun-old/", "s#udp.sock#udp-old.sock#", "s/10[.]91[.]/10.95./")
    left_out = ("/^# Managed/d", "/^ifconfig-pool/d", "/ipv6/d")
    gateway.run(f"sed '{'; '.join((*edits, *left_out))}' /etc/openvpn/server/udp.conf > {OLD_CONFIG}")
    gateway.run("systemctl start openvpn-server@udp-old")
    try:
        yield
    finally:
        gateway.run(f"systemctl stop openvpn-server@udp-old; rm {OLD_CONFIG}")


@contextmanager
def edited_configuration(gateway: LabHost) -> Iterator[None]:
    """A configuration that was written after its process had started; its content is as before."""
    path = "/etc/openvpn/server/tcp.conf"
    before = gateway.run(f"stat --format=%y {path}")
    gateway.run(f"touch {path}")
    try:
        yield
    finally:
        gateway.run(f"touch --date='{before}' {path}")


def outside_interface(host: LabHost) -> str:
    ends = {each.name: each for each in topology.hosts_of(INSTANCE)}
    return host.interface(topology.address(INSTANCE, ends[host.name], "outside"))


def test_check_mode_says_what_it_would_send_and_sends_nothing(
    untouched: None, playbooks: Playbooks, probes: Path, reports: Path
) -> None:
    outcome = diagnose(playbooks, probes, reports, *ONE, "--check")
    assert "Would send at most 40 MB from alice to gateway1" in outcome.output
    assert outcome.changed == 0
    assert not reports.exists()


def test_a_healthy_gateway_is_accused_of_nothing(
    untouched: None, playbooks: Playbooks, probes: Path, reports: Path
) -> None:
    diagnose(playbooks, probes, reports, *ONE)
    report = report_of(reports, "gateway1")
    assert named(report) == set(), report["findings"]
    (path,) = report["observations"]["paths"]
    assert path["sent_down"] <= 40e6
    assert path["sent_up"] <= 40e6
    assert path["seconds"] <= 60
    assert {each["transport"] for each in path["tunnels"] if each["connected"]} == {"udp", "tcp"}
    page = (reports / "latest.html").read_text()
    assert "gateway1" in page
    assert "BEGIN" not in page
    assert (reports / "latest.json").stat().st_mode & 0o077 == 0


def test_several_troubles_at_once_are_all_named_and_no_other(
    untouched: None,
    alice: Client,
    gateways: tuple[LabHost, LabHost],
    playbooks: Playbooks,
    probes: Path,
    reports: Path,
) -> None:
    gateway = gateways[0]
    with (
        policing(alice, outside_interface(alice)),
        policing(gateway, outside_interface(gateway)),
        forgotten_configuration(gateway),
        edited_configuration(gateway),
    ):
        outcome = diagnose(playbooks, probes, reports, *ONE, "-e", "apply=true")
    report = report_of(reports, "gateway1")
    assert named(report) == {"udp_limited", "stale_configuration", "configuration_newer_than_process"}, report[
        "findings"
    ]
    limited = next(each for each in report["findings"] if each["cause"] == "udp_limited")
    rate = dict(limited["figures"])["rate_bps"]
    assert POLICED_BYTES * 8 * 0.7 <= rate <= POLICED_BYTES * 8 * 1.4
    assert OLD_CONFIG in outcome.output
    assert 'openvpn_foreign_configs: "quarantine"' in (reports / "recommended.yml").read_text()


def test_gateways_are_looked_at_alone(untouched: None, playbooks: Playbooks, probes: Path, reports: Path) -> None:
    diagnose(playbooks, probes, reports, "-e", "alone=true")
    for gateway in ("gateway1", "gateway2"):
        report = report_of(reports, gateway)
        assert named(report) == set(), report["findings"]
        # That nobody measured the way to it is said.
        assert [each["cause"] for each in report["findings"]] == ["cannot_tell"]
