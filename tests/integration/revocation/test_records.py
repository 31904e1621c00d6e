# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of whose certificate nothing is recorded, with real OpenVPN processes: in a chroot, or on a full disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.openvpn.vpn import Client, wait_for
from integration.revocation.test_openvpn import Gateway, gateway_of
from integration.run_module import RunModule


@pytest.fixture(scope="module", params=["crl", "serials"])
def running(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    with gateway_of(request.param) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway, run_module: RunModule) -> Iterator[Gateway]:
    running.run_module = run_module
    yield running
    for client in running.vpn.clients:
        client.stop()


def record_of(gateway: Gateway, name: str, protocol: str) -> Path:
    return Path(gateway.follower.settings["sessions_folder"]) / protocol / name


def connect_unrecorded(gateway: Gateway, name: str, protocol: str = "tcp") -> Client:
    client = gateway.vpn.connect(name, protocol)
    record_of(gateway, name, protocol).unlink()
    return client


def sessions_of(gateway: Gateway, name: str, protocol: str = "tcp") -> list[int]:
    """The numbers of the sessions of a name: another number is another session."""
    assert gateway.run_module is not None
    sockets = [one for one in gateway.vpn.sockets if protocol in Path(one).name]
    found = gateway.run_module("openvpn_session_info", {"management_sockets": sockets})["sessions"]
    return [one["client_id"] for one in found if one["common_name"] == name and one["virtual_address"]]


def test_who_is_revoked_is_cut_although_nothing_is_recorded(
    gateway: Gateway, capfd: pytest.CaptureFixture[str]
) -> None:
    client, known = connect_unrecorded(gateway, "ann@phone", "udp"), gateway.vpn.connect("bea@phone")
    assert gateway.follower.run("--once") == 0
    assert "no record of the certificate: 1 connected" in capfd.readouterr().out
    gateway.publish("ann@phone")
    assert gateway.follower.run() == 0
    assert gateway.connected("ann") == []
    assert known.lost_packets(0.3, "10.91.0.1") == 0
    gateway.try_again(client, "ann@phone")


def test_a_record_of_an_earlier_session_is_none(gateway: Gateway) -> None:
    """The last one could not be written; what is there tells of the certificate that the name had before."""
    gateway.vpn.connect("cat@phone")
    path = record_of(gateway, "cat@phone", "udp")
    path.write_text("1234\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    gateway.publish("cat@phone")
    assert gateway.follower.run() == 0
    assert gateway.connected("cat") == []


def test_who_is_not_revoked_has_to_connect_again_once_and_only_where_somebody_is(gateway: Gateway) -> None:
    connect_unrecorded(gateway, "dot@phone")
    first = sessions_of(gateway, "dot@phone")
    # Nobody is new in it.
    gateway.publish()
    assert gateway.follower.run() == 0
    assert sessions_of(gateway, "dot@phone") == first

    gateway.vpn.connect("eli@phone")
    gateway.publish("eli@phone")
    os.kill(gateway.vpn.server_pid("udp"), signal.SIGSTOP)
    try:
        # Not done, so that it is tried again and again.
        assert gateway.follower.run() == 1
        record = record_of(gateway, "dot@phone", "tcp")
        wait_for("another session", 20, record.exists)
        record.unlink()
        second = wait_for("its number", 10, lambda: sessions_of(gateway, "dot@phone"))
        assert second != first
        assert gateway.follower.run() == 1
    finally:
        os.kill(gateway.vpn.server_pid("udp"), signal.SIGCONT)
    assert gateway.follower.run() == 0
    assert sessions_of(gateway, "dot@phone") == second
    assert gateway.connected("eli") == []
