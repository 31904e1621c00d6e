"""The rules of a measuring window: who is let in, where, and what is refused before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import (
    ListenerProcess,
    TunnelAddress,
    public_port,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import WindowTunnel
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_tunnel import process_that_took
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_rules import render_rules
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_servers import require_programs
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    WindowSettings,
    parse_window_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.name_lookup import with_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import Program

TOKEN = "0123456789abcdef"
LISTENER = ListenerProcess("udp", Program(1, Path("/etc/openvpn/server/udp.conf")), {})
TUNNELS = (TunnelAddress(LISTENER, "tun-udp", "10.91.0.1"), TunnelAddress(LISTENER, "tun-udp", "fd00:91::1"))


def rules(*probes: str, own_table: bool = True, tunnels: tuple[TunnelAddress, ...] = TUNNELS) -> list[str]:
    text = render_rules(WindowSettings(TOKEN, probes), tunnels, own_table=own_table)
    return [line.strip() for line in text.splitlines()]


def test_only_probes_are_let_in_outside() -> None:
    lines = rules("203.0.113.5", "2001:db8::/64")
    begin = lines.index("chain ports {")
    assert lines[begin + 1 : begin + 5] == [
        'iifname { "tun-udp" } goto tunnels',
        "ip saddr { 203.0.113.5 } accept",
        "ip6 saddr { 2001:db8::/64 } accept",
        'counter drop comment "not a probe"',
    ]
    assert "tcp dport { 5201, 5202, 5203 } jump ports" in lines
    assert "udp dport { 5201, 5202, 5203 } jump ports" in lines


def test_inside_only_the_tunnels_own_address_is_reached() -> None:
    lines = rules("203.0.113.5")
    begin = lines.index("chain tunnels {")
    assert lines[begin + 1 : begin + 4] == [
        'iifname "tun-udp" ip daddr 10.91.0.1 accept',
        'iifname "tun-udp" ip6 daddr fd00:91::1 accept',
        'counter drop comment "not in a tunnel"',
    ]


def test_our_own_table_lets_through_two_ports_and_is_marked() -> None:
    inserted = [line for line in rules("203.0.113.5") if line.startswith("insert")]
    assert len(inserted) == 4
    assert inserted[0] == (
        'insert rule inet privatespace to-gateway iifname "tun-udp" ip daddr 10.91.0.1 tcp dport { 5201, 5202 } accept '
        'comment "privatespace-diagnosis"'
    )
    assert not [line for line in rules("203.0.113.5", own_table=False) if line.startswith("insert")]


def test_without_a_tunnel_there_are_no_rules_for_one() -> None:
    assert "goto tunnels" not in " ".join(rules("203.0.113.5", tunnels=()))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({}, "token"),
        ({"token": "with a space!!!!!!!"}, "token"),
        ({"token": TOKEN}, "1 to 64 probes, not 0"),
        ({"token": TOKEN, "probes": ["0.0.0.1.2"]}, "'0.0.0.1.2' is not the address"),
        ({"token": TOKEN, "probes": ["1.1.1.1; drop"]}, "is not the address"),
        ({"token": TOKEN, "probes": ["1.1.1.1"], "seconds": 601}, "1 to 600 seconds, not 601"),
        ({"token": TOKEN, "probes": ["1.1.1.1"], "outside_ports": [0]}, "'0' is not a port"),
        ({"token": TOKEN, "probes": ["1.1.1.1"], "outside_ports": [5201, 5201]}, "each its own"),
        ({"token": TOKEN, "probes": ["1.1.1.1"], "responder_port": 5203}, "each its own"),
    ],
)
def test_settings_that_make_no_sense_are_refused(raw: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_window_settings(raw)


def test_settings_are_read_back() -> None:
    settings = parse_window_settings({"token": TOKEN, "probes": ["203.0.113.5/32", "203.0.113.5", "2001:DB8::1/64"]})
    assert settings.probes == ("203.0.113.5", "2001:db8::/64")
    assert (settings.ports, settings.seconds, settings.verbosity) == ((5201, 5203, 5202), 120.0, 4)


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StateError, match="Install the package 'iperf3'"):
        require_programs()


def process(name: str, port: int) -> ListenerProcess:
    options = {"port": str(port), "proto": "udp"}
    return ListenerProcess(name, Program(port, Path(f"/etc/openvpn/server/{name}.conf")), options)


def test_the_processes_of_one_listener_have_the_port_of_the_first() -> None:
    several = [process("udp-2", 21196), process("udp-1", 1194), process("udp-9", 5000), process("other-2", 21196)]
    assert [public_port(one, several) for one in several] == [1194, 1194, 5000, 21196]


def test_the_process_that_took_the_connection_is_measured() -> None:
    first, second = (WindowTunnel(f"udp-{part}", "udp", 1194, f"10.91.{8 * part - 8}.1", 5201) for part in (1, 2))
    assert process_that_took("10.91.8.1", first, [first, second]) is second
    assert process_that_took("", first, [first, second]) is first


def test_a_probe_may_be_given_by_its_name() -> None:
    assert "127.0.0.1" in with_addresses(["localhost"])
    kept = ["203.0.113.5", "192.0.2.0/24", "2001:db8::1", "no-such-host.invalid"]
    assert with_addresses([*kept, "203.0.113.5"]) == kept
