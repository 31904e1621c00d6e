# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway that follows the CRL, with real OpenVPN processes: who is revoked is cut, and nobody else notices."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.test_denials import PROGRAM, SERVICE
from integration.openvpn.vpn import Client, Vpn, wait_for
from integration.revocation.follower import Follower
from integration.revocation.publisher import Publisher, publishing
from integration.revocation.test_pull import injecting
from integration.run_module import RunModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import revocation, revocation_run
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import download

GATEWAYS = {"udp": "10.91.0.1", "tcp": "10.91.1.1"}
MODES = ("crl", "serials")


@dataclass
class Gateway:
    """Servers that note who connects with which certificate, the program that follows the CRL, and who publishes it."""

    vpn: Vpn
    follower: Follower
    publisher: Publisher
    run_module: RunModule | None = None

    def publish(self, *revoked: str) -> None:
        for name in revoked:
            self.vpn.authority.revoke(name)
        self.publisher.content = self.vpn.authority.crl().encode()

    def connected(self, prefix: str) -> list[tuple[str, str]]:
        """Who is connected by UDP or TCP of those whose names begin so; others may be on their way out."""
        assert self.run_module is not None
        found = self.run_module("openvpn_session_info", {"management_sockets": self.vpn.sockets})["sessions"]
        sessions = [(one["listener"], one["common_name"]) for one in found if one["virtual_address"]]
        return sorted(one for one in sessions if one[1].startswith(prefix))

    def refusals(self, protocol: str) -> int:
        log = self.vpn.server_log(protocol)
        return log.count("certificate revoked") + log.count("is revoked")

    def try_again(self, client: Client, common_name: str, protocol: str = "udp") -> None:
        """See to it that a client with the certificate that it had is refused."""
        client.stop()
        before = self.refusals(protocol)
        self.vpn.start_client(client, self.vpn.folder / f"{common_name}.ovpn")
        wait_for(f"refusal of {common_name}", 15, lambda: self.refusals(protocol) > before)
        assert not client.connected()
        client.stop()


@contextmanager
def gateway_of(mode: str) -> Iterator[Gateway]:
    place = Path(tempfile.mkdtemp(prefix="psgcrl", dir="/tmp"))
    place.chmod(0o755)
    try:
        program = place / "client_connect"
        program.write_text(f"#!/bin/sh\n{PROGRAM.read_text()}")
        program.chmod(0o755)
        for name in GATEWAYS:
            (place / "sessions" / name).mkdir(parents=True)
            shutil.chown(place / "sessions" / name, *SERVICE)
        vpn = Vpn(connection_hook=str(program), sessions_folder=str(place / "sessions"), revocation=mode)
        if mode == "serials":
            (vpn.folder / "revoked").mkdir()
        with vpn, publishing() as publisher:
            follower = Follower(vpn.folder, authority=vpn.authority)
            follower.write(
                urls=[publisher.url], revocation=mode, management_sockets=vpn.sockets,
                sessions_folder=str(place / "sessions"),
            )  # fmt: skip
            made = Gateway(vpn, follower, publisher)
            made.publish()
            assert follower.run() == 0
            yield made
    finally:
        shutil.rmtree(place)


@pytest.fixture(scope="module", params=MODES)
def running(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    with gateway_of(request.param) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway, run_module: RunModule) -> Iterator[Gateway]:
    running.run_module = run_module
    running.publish()
    yield running
    for client in running.vpn.clients:
        client.stop()
    shutil.rmtree(running.vpn.folder / "denied", ignore_errors=True)
    running.follower.write(urls=[running.publisher.url])


@pytest.mark.parametrize("protocol", GATEWAYS)
def test_who_is_revoked_is_cut_and_refused_and_a_namesake_loses_no_packet(gateway: Gateway, protocol: str) -> None:
    """``al`` is revoked, ``alice`` is not; nobody but the gateway itself does anything."""
    removed, bystander = f"al.{protocol}", f"al.{protocol}ice"
    first, second = gateway.vpn.connect(removed, protocol), gateway.vpn.connect(bystander, protocol)
    gateway.publish(removed)
    lost: list[int] = []
    ping = threading.Thread(target=lambda: lost.append(second.lost_packets(4, GATEWAYS[protocol])))
    ping.start()
    assert gateway.follower.run() == 0
    assert first.lost_packets(0.3, GATEWAYS[protocol]) > 0
    ping.join()

    assert lost == [0]
    assert gateway.connected(removed) == [(protocol, bystander)]
    gateway.try_again(first, removed, protocol)


def test_who_is_revoked_is_cut_on_every_listener_at_once(gateway: Gateway) -> None:
    for name, protocol in (("b@one", "udp"), ("b@two", "tcp"), ("c@one", "tcp")):
        gateway.vpn.connect(name, protocol)
    gateway.publish("b@one", "b@two")
    assert gateway.follower.run() == 0
    assert gateway.connected("b@") == []
    assert gateway.connected("c@") == [("tcp", "c@one")]


def test_the_same_name_with_another_certificate_stays_connected(gateway: Gateway) -> None:
    """The name was issued again and connects by TCP; the old certificate is still connected by UDP. It alone goes."""
    old = gateway.vpn.connect("dora@phone", "udp")
    old_serial = gateway.vpn.authority.serials["dora@phone"]
    new = gateway.vpn.connect("dora@phone", "tcp")
    gateway.vpn.authority.revoked.append(old_serial)
    gateway.publish()
    assert gateway.follower.run() == 0
    assert gateway.connected("dora") == [("tcp", "dora@phone")]
    assert new.lost_packets(0.3, GATEWAYS["tcp"]) == 0
    assert old.lost_packets(0.3, GATEWAYS["udp"]) > 0
    # Whoever runs it again finds nothing to do, although the note of the old one is still there.
    gateway.publish()
    assert gateway.follower.run() == 0
    assert gateway.connected("dora") == [("tcp", "dora@phone")]


def test_a_run_that_was_killed_before_the_cut_is_finished_without_the_authority(gateway: Gateway) -> None:
    """The CRL is in place, the session lives, and nobody publishes any more: the cut is still owed, and done."""
    client = gateway.vpn.connect("eve@phone")
    bystander = gateway.vpn.connect("eva@phone")
    gateway.publish("eve@phone")
    fsyncs = 2 if gateway.follower.settings["revocation"] == "crl" else 3
    done = gateway.follower.start(prefix=injecting("fsync", f"signal=KILL:when={fsyncs}"))
    assert done.returncode == -signal.SIGKILL
    assert gateway.follower.crl == gateway.publisher.content.decode()
    assert client.lost_packets(0.3, GATEWAYS["udp"]) == 0

    gateway.follower.write(urls=["http://127.0.0.1:1/crl.pem"])
    assert gateway.follower.run() == 0

    assert client.lost_packets(0.3, GATEWAYS["udp"]) > 0
    assert bystander.lost_packets(0.3, GATEWAYS["udp"]) == 0
    state = gateway.follower.state
    assert (state["problem"], state["number"]) == ("", gateway.vpn.authority.number)


@pytest.mark.parametrize("bad", ["truncated", "page", "silence"])
def test_a_bad_crl_cuts_nobody_and_lets_nobody_in(gateway: Gateway, bad: str) -> None:
    removed = f"fay@{bad}"
    client, bystander = gateway.vpn.connect(removed), gateway.vpn.connect(f"{removed}2")
    gateway.publish(removed)
    assert gateway.follower.run() == 0
    good = gateway.follower.crl
    gateway.publish()
    if bad == "silence":
        gateway.follower.write(urls=["http://127.0.0.1:1/crl.pem"])
    gateway.publisher.content = {"truncated": gateway.publisher.content[:200], "page": b"<html>"}.get(bad, b"")
    assert gateway.follower.run() == (0 if bad == "silence" else 1)
    assert gateway.follower.crl == good
    assert bystander.lost_packets(0.3, GATEWAYS["udp"]) == 0
    gateway.try_again(client, removed)


def test_a_user_who_was_denied_while_the_cut_failed_is_cut(gateway: Gateway) -> None:
    for name, protocol in (("gil@one", "udp"), ("gil@two", "tcp"), ("gilbert@one", "udp")):
        gateway.vpn.connect(name, protocol)
    gateway.follower.deny("users/gil")
    assert gateway.follower.run() == 0
    assert gateway.connected("gil") == [("udp", "gilbert@one")]


def test_a_listener_that_hangs_is_told_of_and_cut_once_it_answers(gateway: Gateway) -> None:
    client = gateway.vpn.connect("hal@phone", "tcp")
    gateway.publish("hal@phone")
    before = gateway.follower.state["enforced_sha256"]
    os.kill(gateway.vpn.server_pid("tcp"), signal.SIGSTOP)
    try:
        assert gateway.follower.run() == 1
    finally:
        os.kill(gateway.vpn.server_pid("tcp"), signal.SIGCONT)
    state = gateway.follower.state
    assert "'tcp' did not answer" in state["problem"]
    assert (state["enforced_sha256"], gateway.follower.crl) == (before, gateway.publisher.content.decode())
    assert gateway.follower.run() == 0
    assert client.lost_packets(0.3, GATEWAYS["tcp"]) > 0
    assert gateway.follower.state["enforced_sha256"] != before


def test_a_playbook_and_the_gateway_itself_do_not_get_into_each_others_way(gateway: Gateway) -> None:
    """Both bring the same CRL at the same moment, and cut the same session."""
    gateway.vpn.connect("ida@phone")
    gateway.publish("ida@phone")
    assert gateway.run_module is not None
    options = {
        "management_sockets": gateway.vpn.sockets, "crl_path": str(gateway.vpn.crl_path),
        "ca_path": str(gateway.vpn.folder / "ca.crt"), "serial_folder": str(gateway.vpn.folder / "revoked"),
        "denial_folder": str(gateway.vpn.folder / "denied"), "crl_content": gateway.publisher.content.decode(),
        "common_names": ["ida@phone"], "serials": [str(gateway.vpn.authority.serials["ida@phone"])],
        "revocation": gateway.follower.settings["revocation"],
    }  # fmt: skip
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(gateway.follower.start().returncode))
    other.start()
    result = gateway.run_module("openvpn_session", options)
    other.join()
    assert (found, list(result["refused"].values())) == ([0], [True])
    assert gateway.connected("ida") == []
    assert gateway.follower.run() == 0


def test_a_removal_while_the_gateway_was_off_holds_from_the_first_connection_on(run_module: RunModule) -> None:
    for mode in MODES:
        with gateway_of(mode) as gateway:
            gateway.run_module = run_module
            client = gateway.vpn.connect("kim@phone")
            client.stop()
            gateway.vpn.stop_server("udp")
            gateway.publish("kim@phone")
            assert gateway.follower.run("--boot") == 0
            gateway.vpn.start_server("udp")
            gateway.try_again(client, "kim@phone")


def test_who_gets_in_by_the_old_crl_during_the_download_is_cut(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link so slow that OpenVPN was started meanwhile, by the CRL that it had."""
    for mode in MODES:
        with gateway_of(mode) as gateway:
            gateway.run_module = run_module
            client = gateway.vpn.connect("max@phone")
            client.stop()
            gateway.vpn.stop_server("udp")
            gateway.publish("max@phone")

            def slowly(*arguments: Any, gateway: Gateway = gateway, client: Client = client, **options: Any) -> Any:
                gateway.vpn.start_server("udp")
                gateway.vpn.start_client(client, gateway.vpn.folder / "max@phone.ovpn")
                wait_for("connection", 15, client.connected)
                return download(*arguments, **options)

            with monkeypatch.context() as patch:
                patch.setattr(revocation_run, "download", slowly)
                assert gateway.follower.run() == 0
            assert gateway.connected("max") == []
            gateway.try_again(client, "max@phone")


def test_an_expired_crl_locks_nobody_out_where_that_is_wanted(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway_of("serials") as gateway:
        gateway.run_module = run_module
        gateway.vpn.connect("lea@one")
        later = time.time() + 3 * 86400
        monkeypatch.setattr(revocation, "epoch_seconds", lambda: later)

        assert gateway.follower.run() == 1
        refused = gateway.vpn.client()
        gateway.vpn.start_client(refused, gateway.vpn.profile("lea@two", "udp"))
        wait_for("refusal", 15, lambda: "lea@two is refused" in gateway.vpn.server_log("udp"))
        refused.stop()
        assert gateway.connected("lea") == [("udp", "lea@one")]

        gateway.follower.write(expired_crl="keep_serving")
        assert gateway.follower.run() == 1
        gateway.vpn.connect("lea@three")
        assert gateway.connected("lea") == [("udp", "lea@one"), ("udp", "lea@three")]


def test_a_folder_that_is_missing_is_seen(run_module: RunModule) -> None:
    with gateway_of("serials") as gateway:
        folder = gateway.vpn.folder / "revoked"
        paths: dict[str, Any] = {"management_sockets": gateway.vpn.sockets}
        found = run_module("openvpn_session_info", paths)["revocation"]
        assert (found["mode"], found["missing_folders"]) == ("serials", [])
        folder.rename(gateway.vpn.folder / "elsewhere")
        assert run_module("openvpn_session_info", paths)["revocation"]["missing_folders"] == [str(folder)]
        assert gateway.follower.run() == 0
        assert run_module("openvpn_session_info", paths)["revocation"]["missing_folders"] == []


def test_a_folder_that_openvpn_cannot_look_into_is_seen(run_module: RunModule) -> None:
    with gateway_of("serials") as gateway:
        folder = gateway.vpn.folder
        paths: dict[str, Any] = {"management_sockets": gateway.vpn.sockets, "crl_path": str(folder / "crl.pem")}
        assert run_module("openvpn_session_info", paths)["revocation"]["barred_by"] == ""
        folder.chmod(0o700)
        assert run_module("openvpn_session_info", paths)["revocation"]["barred_by"] == str(folder)
