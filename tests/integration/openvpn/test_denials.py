"""The register of denials with real OpenVPN processes: who is denied is cut and stays out, and nobody else notices."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import LISTENERS, Client, Vpn, command, wait_for
from integration.run_module import ModuleResult, RunModule

PROGRAM = Path(__file__).parents[3] / "roles" / "openvpn" / "files" / "client_connect"
SERVICE = ("nobody", "nogroup")
GATEWAYS = {"udp": "10.91.0.1", "tcp": "10.91.1.1"}
# A client that was cut over UDP is not told so; one that is to connect again at once gets this signal.
CONNECT_AGAIN = signal.SIGUSR1
PERSISTENT = ("auth-retry nointeract",)


@dataclass
class Gateway:
    """A server whose processes ask the register, and the module that keeps it."""

    vpn: Vpn
    place: Path
    run_module: RunModule | None = None

    @property
    def sessions(self) -> Path:
        return self.place / "sessions"

    @property
    def register(self) -> Path:
        return self.vpn.folder / "denied"

    @property
    def module(self) -> RunModule:
        return self.run_module or pytest.fail("there is no module to run outside a test")

    def deny(self, *, fails: bool = False, check: bool = False, **options: Any) -> ModuleResult:
        paths = {
            "path": str(self.register),
            "client_folder": str(self.vpn.folder / "ccd"),
            "management_sockets": self.vpn.sockets,
        }
        return self.module("openvpn_denial", {**paths, **options}, fails=fails, check=check)

    def lift(self, **options: Any) -> ModuleResult:
        return self.deny(state="absent", **options)

    def connected(self) -> list[str]:
        """The common names of those who have an address in the tunnel."""
        found = self.module("openvpn_session_info", {"management_sockets": self.vpn.sockets})["sessions"]
        return sorted(one["common_name"] for one in found if one["virtual_address"])

    def attempt(self, common_name: str, protocol: str = "udp", **options: Any) -> Client:
        """A client with a certificate of its own that has begun to connect."""
        client = self.vpn.client()
        self.vpn.start_client(client, self.vpn.profile(common_name, protocol, **options))
        return client

    def refusals(self, common_name: str, protocol: str = "udp") -> int:
        return self.vpn.server_log(protocol).count(f"client_connect: {common_name} is refused: ")

    def is_refused(self, common_name: str, protocol: str = "udp", **options: Any) -> Client:
        """See to it that a new connection is refused."""
        before = self.refusals(common_name, protocol)
        client = self.attempt(common_name, protocol, **options)
        wait_for(f"refusal of {common_name}", 15, lambda: self.refusals(common_name, protocol) > before)
        assert not client.connected()
        return client


@contextmanager
def gateway_of(run_module: RunModule | None = None, **options: Any) -> Iterator[Gateway]:
    place = Path(tempfile.mkdtemp(prefix="psghook", dir="/tmp"))
    try:
        place.chmod(0o755)
        program = place / "client_connect"
        program.write_text(f"#!/bin/sh\n{PROGRAM.read_text()}")
        program.chmod(0o755)
        for name in GATEWAYS:
            (place / "sessions" / name).mkdir(parents=True)
            shutil.chown(place / "sessions" / name, *SERVICE)
        hook = {"connection_hook": str(program), "sessions_folder": str(place / "sessions")}
        vpn = Vpn(**{**hook, **options})
        command("openvpn", "--genkey", "auth-token", str(vpn.folder / "auth-token.key"))
        with vpn:
            yield Gateway(vpn, place, run_module)
    finally:
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with gateway_of() as gateway:
        yield gateway


@pytest.fixture
def hooked(gateway: Gateway, run_module: RunModule) -> Iterator[Gateway]:
    """The gateway with an empty register, and with nobody on it afterwards."""
    yield replace(gateway, run_module=run_module)
    shutil.rmtree(gateway.register, ignore_errors=True)
    for client in gateway.vpn.clients:
        client.stop()
    # The server forgets a client when its farewell has come, or, over UDP without one, a minute later.
    replace(gateway, run_module=run_module).deny(lockdown="everybody")
    shutil.rmtree(gateway.register)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_denied_user_is_cut_and_stays_out_and_the_namesake_loses_no_packet(hooked: Gateway, protocol: str) -> None:
    address = GATEWAYS[protocol]
    laptop = hooked.vpn.connect("al@laptop", protocol, extra=PERSISTENT)
    phone = hooked.vpn.connect("al@phone", protocol)
    bystander = hooked.vpn.connect("alice@laptop", protocol)
    noted = {one.name: one.read_text().strip() for one in (hooked.sessions / protocol).iterdir()}
    assert {name: noted[name] for name in ("al@laptop", "al@phone", "alice@laptop")} == {
        name: str(hooked.vpn.authority.serials[name]) for name in ("al@laptop", "al@phone", "alice@laptop")
    }

    foretold = hooked.deny(users=["al"], check=True)
    assert sorted(one["common_name"] for one in foretold["sessions_cut"]) == ["al@laptop", "al@phone"]
    assert foretold["timeline"]["verified_at"] is None
    assert laptop.lost_packets(0.2, address) == 0

    lost: list[int] = []
    ping = threading.Thread(target=lambda: lost.append(bystander.lost_packets(5, address)))
    ping.start()
    result = hooked.deny(users=["al"], reason="stolen")
    os.kill(laptop.pid(), CONNECT_AGAIN)
    wait_for("two refusals", 20, lambda: hooked.refusals("al@laptop", protocol) > 1)
    ping.join()

    assert lost == [0]
    assert sorted(one["common_name"] for one in result["sessions_cut"]) == ["al@laptop", "al@phone"]
    assert all(one["refuses"] for one in result["listeners"])
    times = [result["timeline"][key] for key in ("denied_at", "snapshot_at", "cut_at", "verified_at")]
    assert times == sorted(times)
    assert [(one["entry"], one["reason"]) for one in result["denials"]] == [("users/al", "stolen")]
    assert laptop.lost_packets(0.2, address) > 0
    assert phone.lost_packets(0.2, address) > 0
    assert hooked.connected() == ["alice@laptop"]

    again = hooked.deny(users=["al"], reason="stolen")
    assert not again.changed
    assert again["sessions_cut"] == []
    assert again["timeline"]["verified_at"] is not None
    hooked.is_refused("al@tablet", protocol)

    assert hooked.lift(users=["al"])["denials"] == []
    wait_for("session of the laptop", 20, lambda: "al@laptop" in hooked.connected())
    assert hooked.vpn.connect("al@phone2", protocol).lost_packets(0.3, address) == 0


def test_a_handshake_that_began_before_the_denial_is_refused_when_it_ends(hooked: Gateway) -> None:
    """The client takes its time to judge the server, while a device is denied by a module that does not wait for it."""
    slow = hooked.place / "slow"
    slow.write_text("#!/bin/sh\nsleep 3\n")
    slow.chmod(0o755)
    client = hooked.vpn.client()
    profile = hooked.vpn.profile("al@slow", "udp", extra=("script-security 2", f"tls-verify {slow}"))
    hooked.vpn.start_client(client, profile)

    def handshakes() -> list[str]:
        found = hooked.module("openvpn_session_info", {"management_sockets": hooked.vpn.sockets})["sessions"]
        return [one["common_name"] for one in found]

    wait_for("handshake without a name", 10, lambda: handshakes() == ["UNDEF"])
    result = hooked.deny(common_names=["al@slow"])
    assert result["sessions_cut"] == []
    assert hooked.refusals("al@slow") == 0

    wait_for("refusal", 20, lambda: hooked.refusals("al@slow") > 0)
    assert not client.connected()
    assert hooked.connected() == []


def test_a_lockdown_spares_users_and_devices_by_whole_names(hooked: Gateway) -> None:
    spared = [hooked.vpn.connect("carol@desk"), hooked.vpn.connect("dora@x", "tcp")]
    cut = [hooked.vpn.connect(name) for name in ("carola@desk", "dora@y", "bob@x")]
    result = hooked.deny(lockdown="everybody", lockdown_except=["carol", "dora@x"])
    assert sorted(one["common_name"] for one in result["sessions_cut"]) == ["bob@x", "carola@desk", "dora@y"]
    assert [one["entry"] for one in result["denials"]] == [
        "lockdown/everybody", "lockdown/except/carol", "lockdown/except/dora@x",
    ]  # fmt: skip
    assert hooked.connected() == ["carol@desk", "dora@x"]
    assert spared[0].lost_packets(0.3, GATEWAYS["udp"]) == 0
    assert spared[1].lost_packets(0.3, GATEWAYS["tcp"]) == 0
    assert all(client.lost_packets(0.2, GATEWAYS["udp"]) > 0 for client in cut)

    hooked.is_refused("erin@x")
    assert hooked.vpn.connect("carol@phone", "tcp").lost_packets(0.3, GATEWAYS["tcp"]) == 0

    assert hooked.deny(lockdown="everybody")["sessions_cut"] == [], "nothing was said of those who are spared"
    nobody = hooked.deny(lockdown="everybody", lockdown_except=[])
    assert sorted(one["common_name"] for one in nobody["sessions_cut"]) == ["carol@desk", "carol@phone", "dora@x"]
    assert [one["entry"] for one in nobody["denials"]] == ["lockdown/everybody"]
    hooked.is_refused("carol@laptop")

    assert hooked.lift(lockdown="everybody")["denials"] == []
    assert hooked.vpn.connect("erin@y").lost_packets(0.3, GATEWAYS["udp"]) == 0


def test_a_lockdown_of_a_group_leaves_the_others(hooked: Gateway) -> None:
    ccd = hooked.vpn.folder / "ccd" / "udp"
    (ccd / "DEFAULT").write_text("# Managed\n# Group: staff\n")
    (ccd / "sam@x").write_text("# Managed\n# Group: sales\n")
    (ccd / "sam@y").write_text("# Managed\n# Group: sales\n")
    try:
        salesman, other = hooked.vpn.connect("sam@x"), hooked.vpn.connect("tom@x")
        result = hooked.deny(lockdown="groups", lockdown_groups=["sales"])
        assert [one["common_name"] for one in result["sessions_cut"]] == ["sam@x"]
        assert salesman.lost_packets(0.2, GATEWAYS["udp"]) > 0
        assert other.lost_packets(0.3, GATEWAYS["udp"]) == 0
        hooked.is_refused("sam@y")
        assert hooked.vpn.connect("tom@y").lost_packets(0.3, GATEWAYS["udp"]) == 0
        hooked.lift(lockdown="groups")
        assert hooked.vpn.connect("sam@x").lost_packets(0.3, GATEWAYS["udp"]) == 0
    finally:
        for path in ccd.iterdir():
            path.unlink()


def remove_register(gateway: Gateway) -> None:
    shutil.rmtree(gateway.register, ignore_errors=True)


def put_file_in_place(gateway: Gateway) -> None:
    remove_register(gateway)
    gateway.register.write_text("")


def shut_register(gateway: Gateway) -> None:
    gateway.deny(users=["nobody-else"], cut=False)
    gateway.register.chmod(0o700)


def shut_sessions(gateway: Gateway) -> None:
    shutil.chown(gateway.sessions / "udp", "root", "root")


def remove_sessions(gateway: Gateway) -> None:
    shutil.rmtree(gateway.sessions / "udp")


@pytest.mark.parametrize("harm", [remove_register, put_file_in_place, shut_register, shut_sessions, remove_sessions])
def test_nothing_that_is_broken_keeps_anybody_out(hooked: Gateway, harm: Callable[[Gateway], None]) -> None:
    harm(hooked)
    try:
        assert hooked.vpn.connect("al@laptop").lost_packets(0.3, GATEWAYS["udp"]) == 0
    finally:
        if hooked.register.is_file():
            hooked.register.unlink()
        (hooked.sessions / "udp").mkdir(exist_ok=True)
        shutil.chown(hooked.sessions / "udp", *SERVICE)


def test_a_listener_that_hangs_is_named_and_who_is_denied_is_cut_on_the_other(hooked: Gateway) -> None:
    client = hooked.vpn.connect("al@laptop")
    os.kill(hooked.vpn.server_pid("tcp"), signal.SIGSTOP)
    try:
        result = hooked.deny(users=["al"], timeout=1, fails=True)
    finally:
        os.kill(hooked.vpn.server_pid("tcp"), signal.SIGCONT)
    assert "'tcp' did not answer" in result.message
    assert "'udp'" not in result.message
    assert [one["common_name"] for one in result["sessions_cut"]] == ["al@laptop"]
    assert result["timeline"]["verified_at"] is None
    assert [one["entry"] for one in result["denials"]] == ["users/al"]
    assert client.lost_packets(0.2, GATEWAYS["udp"]) > 0
    assert hooked.deny(users=["al"])["timeline"]["verified_at"] is not None


def test_a_register_that_the_server_cannot_look_into_is_no_proof(hooked: Gateway) -> None:
    client = hooked.vpn.connect("mona@laptop")
    hooked.vpn.folder.chmod(0o700)
    try:
        result = hooked.deny(users=["mona"], fails=True)
    finally:
        hooked.vpn.folder.chmod(0o755)
    assert f"'udp' cannot look into {hooked.vpn.folder}, so it lets in whom" in result.message
    assert f"Run chmod a+x {hooked.vpn.folder} on this host." in result.message
    assert [(one["refuses"], one["barred_by"]) for one in result["listeners"]] == [(False, str(hooked.vpn.folder))] * 2
    assert result["timeline"]["verified_at"] is None
    assert [one["common_name"] for one in result["sessions_cut"]] == ["mona@laptop"]
    assert client.lost_packets(0.2, GATEWAYS["udp"]) > 0
    assert hooked.deny(users=["mona"])["timeline"]["verified_at"] is not None
    hooked.is_refused("mona@phone")


@pytest.mark.parametrize("options", [{"connection_hook": ""}, {"connection_hook": "", "chroot": True}])
def test_a_listener_that_does_not_ask_is_an_error_after_the_cut(run_module: RunModule, options: Any) -> None:
    with gateway_of(run_module, listeners=LISTENERS[:1], **options) as gateway:
        client = gateway.vpn.connect("al@laptop")
        for _time in range(2):
            result = gateway.deny(users=["al"], fails=True)
            assert "The listener 'udp' does not ask the register of denials, as with openvpn_chroot" in result.message
            assert result["timeline"]["verified_at"] is None
            assert [one["refuses"] for one in result["listeners"]] == [False]
            assert client.lost_packets(0.2, GATEWAYS["udp"]) > 0
        assert gateway.connected() == []


def test_the_hook_and_a_second_factor_go_together(run_module: RunModule) -> None:
    factor = {"second_factor": "command", "second_factor_command": "/bin/true"}
    with gateway_of(run_module, listeners=LISTENERS[:1], **factor) as gateway:
        (gateway.place / "pass").write_text("al\n123456\n")
        shown = (f"auth-user-pass {gateway.place / 'pass'}",)
        client = gateway.vpn.connect("al@laptop", extra=shown)
        assert client.lost_packets(0.3, GATEWAYS["udp"]) == 0
        gateway.deny(users=["al"])
        assert client.lost_packets(0.2, GATEWAYS["udp"]) > 0
        gateway.is_refused("al@phone", extra=shown)
        assert gateway.vpn.connect("alice@laptop", extra=shown).lost_packets(0.3, GATEWAYS["udp"]) == 0


def test_a_session_that_lost_its_name_is_cut(run_module: RunModule) -> None:
    """Its certificate was refused at a renegotiation; the old key goes on working."""
    with gateway_of(run_module, extra=("reneg-sec 6",), listeners=LISTENERS[:1]) as gateway:
        client = gateway.vpn.connect("gone@laptop")
        gateway.vpn.authority.revoke("gone@laptop")
        paths = {"crl_path": str(gateway.vpn.crl_path), "ca_path": str(gateway.vpn.folder / "ca.crt")}
        crl = {"crl_content": gateway.vpn.authority.crl(), "management_sockets": gateway.vpn.sockets}
        run_module("openvpn_session", {**paths, **crl})
        wait_for("session without a name", 40, lambda: gateway.connected() == ["UNDEF"])
        assert client.lost_packets(0.2, GATEWAYS["udp"]) == 0
        result = gateway.deny(users=["gone"])
        assert [one["virtual_address"] for one in result["sessions_cut"]] == ["10.91.0.2"]
        assert client.lost_packets(0.2, GATEWAYS["udp"]) > 0


def test_a_denial_while_the_device_connects_again_and_again_holds(hooked: Gateway) -> None:
    """Whenever the entry comes into being, the device is either cut or refused, and never stays."""
    client = hooked.vpn.connect("al@laptop", "tcp", extra=PERSISTENT)
    for _time in range(3):
        os.kill(client.pid(), CONNECT_AGAIN)
        time.sleep(0.4)
        hooked.deny(users=["al"])
        before = hooked.refusals("al@laptop", "tcp")
        wait_for("refusal", 20, lambda: hooked.refusals("al@laptop", "tcp") > before)  # noqa: B023
        assert hooked.connected() == []
        hooked.lift(users=["al"])
        wait_for("session", 20, lambda: hooked.connected() == ["al@laptop"])
