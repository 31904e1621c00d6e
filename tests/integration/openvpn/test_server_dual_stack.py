"""One server process answers IPv4 and IPv6, and its sessions can be seen and cut over both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.openvpn.vpn import ADDRESS, ADDRESS6, LISTENERS, Vpn, running, wait_for
from integration.run_module import RunModule

BOTH = [{**one, "network6": f"fd91:{index}::/64"} for index, one in enumerate(LISTENERS)]


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running(listeners=BOTH, ipv6_outside=True) as vpn:
        yield vpn


def options(vpn: Vpn) -> dict[str, Any]:
    return {"management_sockets": vpn.sockets, "crl_path": str(vpn.crl_path), "ca_path": str(vpn.folder / "ca.crt")}


@pytest.mark.parametrize(("protocol", "index"), [("udp", 0), ("tcp", 1)])
def test_clients_of_both_families_are_seen_and_cut(vpn: Vpn, run_module: RunModule, protocol: str, index: int) -> None:
    clients = {
        f"{user}@{family}": vpn.connect(f"{user}@{family}", protocol, address=address)
        for user in ("gone", "stays")
        for family, address in (("four", ADDRESS), ("six", ADDRESS6))
    }
    sessions = {one["common_name"]: one for one in run_module("openvpn_session_info", options(vpn))["sessions"]}
    assert set(sessions) == set(clients)
    assert sessions["gone@four"]["real_address"].startswith("10.77.0.")
    assert sessions["gone@six"]["real_address"].startswith("fd77::")
    process = vpn.listeners[index]
    for session in sessions.values():
        last = int(session["virtual_address"].rpartition(".")[2])
        assert session["virtual_address6"] == str(process.address6_of(process.network[last]))

    gone = ["gone@four", "gone@six"]
    serials = [str(vpn.authority.revoke(name)) for name in gone]
    result = run_module(
        "openvpn_session",
        {**options(vpn), "common_names": gone, "serials": serials, "crl_content": vpn.authority.crl()},
    )

    assert sorted(one["common_name"] for one in result["sessions_cut"]) == gone
    for name, client in clients.items():
        lost = client.lost_packets(0.3, str(process.server_address))
        assert (lost > 0) == name.startswith("gone"), name
        client.stop()


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS6])
def test_a_session_that_lost_its_name_is_cut_over_both(run_module: RunModule, address: str) -> None:
    with running(listeners=BOTH[:1], ipv6_outside=True, extra=("reneg-sec 6",)) as vpn:
        client = vpn.connect("gone@laptop", address=address)
        vpn.authority.revoke("gone@laptop")
        run_module("openvpn_session", {**options(vpn), "crl_content": vpn.authority.crl()})

        def nameless() -> bool:
            found = run_module("openvpn_session_info", options(vpn))["sessions"]
            return [(one["common_name"], one["virtual_address"]) for one in found] == [("UNDEF", "10.91.0.2")]

        wait_for("session without a name", 40, nameless)
        assert client.lost_packets(0.2, "10.91.0.1") == 0

        result = run_module("openvpn_session", {**options(vpn), "common_names": ["gone@laptop"]})

        assert [one["virtual_address"] for one in result["sessions_cut"]] == ["10.91.0.2"]
        assert client.lost_packets(0.2, "10.91.0.1") > 0
