"""What is asked of a real server: that it starts, that clients connect, and that the option does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import LISTENERS, Vpn, command, running, wait_for
from integration.run_module import RunModule

UDP, TCP = LISTENERS
# What a client of the time of comp-lzo has in its profile.
OLD_CLIENT = {"lzo": ("comp-lzo",), "lz4-v2": ("compress lz4-v2", "allow-compression yes")}


def server_says(vpn: Vpn, name: str, words: str) -> bool:
    return words in vpn.server_log(name)


def test_in_a_chroot_a_new_crl_and_a_new_file_of_a_client_count(run_module: RunModule) -> None:
    with running(listeners=[UDP], chroot=True) as vpn:
        assert Path(f"/proc/{vpn.server_pid('udp')}/root").readlink() == vpn.folder
        kept, removed = vpn.connect("kept@laptop"), vpn.connect("gone@laptop")
        assert kept.lost_packets(0.3, "10.91.0.1") == 0
        serial = vpn.authority.revoke("gone@laptop")
        options = {
            "management_sockets": vpn.sockets, "crl_path": str(vpn.crl_path), "ca_path": str(vpn.folder / "ca.crt"),
            "common_names": ["gone@laptop"], "serials": [str(serial)], "crl_content": vpn.authority.crl(),
        }  # fmt: skip
        assert [one["common_name"] for one in run_module("openvpn_session", options)["sessions_cut"]] == ["gone@laptop"]
        removed.stop()
        vpn.start_client(removed, vpn.folder / "gone@laptop.ovpn")
        wait_for("refusal", 15, lambda: server_says(vpn, "udp", "certificate revoked"))
        assert not removed.connected()
        assert kept.lost_packets(0.3, "10.91.0.1") == 0

        (vpn.folder / "ccd" / "udp" / "pinned@laptop").write_text("ifconfig-push 10.91.0.200 255.255.255.0\n")
        pinned = vpn.connect("pinned@laptop")
        assert "10.91.0.200/24" in command("ip", "-n", pinned.namespace, "-4", "addr", "show", "dev", "tun0")


@pytest.mark.parametrize("compression", ["stub", "lz4-v2", "lzo"])
def test_old_and_new_clients_connect_where_compression_is_on(compression: str) -> None:
    with running(compression=compression) as vpn:
        for index, (protocol, address) in enumerate((("udp", "10.91.0.1"), ("tcp", "10.91.1.1"))):
            insisting = OLD_CLIENT.get(compression, ("comp-lzo",))
            old = vpn.connect(f"old{index}", protocol, extra=insisting)
            assert old.lost_packets(0.3, address) == 0
            allowing = ("allow-compression asym",) if compression == "lzo" else ()
            new = vpn.connect(f"new{index}", protocol, extra=allowing)
            assert new.lost_packets(0.3, address) == 0
            told = new.log.read_text()
            assert ("compress" in told.split("PUSH_REPLY")[1].splitlines()[0]) == (compression == "lzo")


@pytest.mark.parametrize(
    ("settings", "udp", "tcp"),
    [
        ({"socket_buffer_bytes": 100_000}, True, True),
        ({"measured_path": {"mbit": 10, "round_trip_ms": 40}}, False, True),
    ],
)
def test_buffers_are_asked_for(settings: dict[str, Any], udp: bool, tcp: bool) -> None:
    with running(**settings) as vpn:
        size = 2 * (settings.get("socket_buffer_bytes") or 69_632)
        for name, asked in (("udp", udp), ("tcp", tcp)):
            (line,) = [one for one in vpn.server_log(name).splitlines() if "Socket Buffers: R=" in one][:1]
            assert (f"->{size}] S=[" in line and line.endswith(f"->{size}]")) == asked, line


def test_sizes_are_taken(run_module: RunModule) -> None:
    sizes = {
        "tunnel_mtu": 1400, "mssfix": 1200, "replay_window_packets": 1024, "replay_window_seconds": 30,
        "tcp_queue_limit": 128, "broadcast_buffers": 512, "transmit_queue_length": 700,
    }  # fmt: skip
    with running(**sizes) as vpn:
        link = command("ip", "-n", vpn.server_namespace, "link", "show", "dev", "tun-udp")
        assert "mtu 1400" in link
        assert "qlen 700" in link
        for protocol, address in (("udp", "10.91.0.1"), ("tcp", "10.91.1.1")):
            client = vpn.connect(f"{protocol}@laptop", protocol)
            assert client.lost_packets(0.3, address) == 0
            assert "mtu 1400" in command("ip", "-n", client.namespace, "link", "show", "dev", "tun0")


def test_every_process_of_a_listener_serves_its_own_part_of_the_network() -> None:
    listener = {**UDP, "network": "10.91.0.0/23", "network6": "fd91::/64", "per_core": True}
    with running(listeners=[listener], cores=3) as vpn:
        assert [one.name for one in vpn.listeners] == ["udp-1", "udp-2", "udp-3"]
        for number, process in enumerate(vpn.listeners, start=1):
            profile = vpn.profile(f"user@{process.name}", "udp")
            remotes = [one for one in profile.read_text().splitlines() if one.startswith("remote ")]
            own = profile.read_text().replace("\n".join(remotes), remotes[number - 1])
            profile.write_text(own)
            client = vpn.client()
            vpn.start_client(client, profile)
            wait_for("connection", 15, client.connected)
            assert client.lost_packets(0.2, str(process.server_address)) == 0
            shown = command("ip", "-n", client.namespace, "addr", "show", "dev", "tun0")
            assert f" {process.dynamic_range[0]}/25 " in shown
            assert f" {process.pool6_base}/66 " in shown


def test_only_known_devices_get_in_where_that_is_asked_for() -> None:
    with running(listeners=[UDP], known_clients_only=True) as vpn:
        profile = vpn.profile("new@laptop", "udp")
        client = vpn.client()
        vpn.start_client(client, profile)
        wait_for("refusal", 15, lambda: "AUTH_FAILED" in client.log.read_text())
        (vpn.folder / "ccd" / "udp" / "new@laptop").write_text("# known\n")
        client.stop()
        vpn.start_client(client, profile)
        wait_for("connection", 15, client.connected)
