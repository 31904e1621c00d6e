"""What clients are told, seen from real clients of real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Client, Vpn, command, running, wait_for
from integration.run_module import ModuleResult, RunModule

ROUTES = [f"10.{second}.{third}.0/24" for second in (100, 101) for third in range(150)]
LISTENERS = (
    {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24", "network6": "fd00:91::/64"},
    {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.1.0/24"},
)
GROUPS = [{"name": "staff", "default": True}, {"name": "sales", "networks": ["10.20.7.0/24"]}]


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running(listeners=LISTENERS) as vpn:
        yield vpn


class Clients:
    """The module ``openvpn_clients`` for the folder of a test's servers."""

    def __init__(self, vpn: Vpn, run_module: RunModule) -> None:
        self.vpn = vpn
        self.run_module = run_module
        self.processes = [process.as_dict() for process in vpn.listeners]
        self.folder = vpn.folder / "ccd"

    def have(self, *names: str, disabled: tuple[str, ...] = (), **options: Any) -> ModuleResult:
        how = {key: options.pop(key) for key in ("check", "diff", "fails") if key in options}
        devices = [
            {**dict(zip(("user", "device"), name.split("@"), strict=True)), "disabled": name in disabled}
            for name in names
        ]
        paths = {"folder": str(self.folder), "service_user": "nobody", "processes": self.processes}
        settings = options.pop("settings", {"full_tunnel": False})
        return self.run_module("openvpn_clients", {**paths, "devices": devices, "settings": settings, **options}, **how)

    def session(self, **options: Any) -> ModuleResult:
        how = {"check": options.pop("check")} if "check" in options else {}
        return self.run_module("openvpn_session", {"management_sockets": self.vpn.sockets, **options}, **how)

    def reconnect(self, **how: Any) -> ModuleResult:
        return self.session(state="reconnected", processes=self.processes, client_folder=str(self.folder), **how)

    def addresses(self) -> dict[str, str]:
        found = self.run_module("openvpn_session_info", {"management_sockets": self.vpn.sockets})["sessions"]
        return {one["common_name"]: one["virtual_address"] for one in found}


@pytest.fixture
def clients(vpn: Vpn, run_module: RunModule) -> Clients:
    return Clients(vpn, run_module)


def routes(client: Client, *family: str) -> set[str]:
    found = json.loads(command("ip", "-n", client.namespace, "--json", *family, "route"))
    return {one["dst"] for one in found}


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_client_has_all_of_three_hundred_routes(vpn: Vpn, clients: Clients, protocol: str) -> None:
    clients.have(settings={"full_tunnel": False, "push_routes": ROUTES})
    client = vpn.connect(f"many@{protocol}", protocol)
    wait_for("300 routes", 5, lambda: set(ROUTES) <= routes(client))
    client.stop()


def test_a_second_run_changes_nothing_and_check_mode_writes_nothing(clients: Clients) -> None:
    raw: dict[str, Any] = {"groups": GROUPS, "users": [{"name": "al", "group": "sales"}]}
    clients.have()
    foretold = clients.have("al@x", check=True, diff=True, **raw)
    assert foretold.changed
    assert foretold["changed_clients"][0]["summary"].startswith("al@x moves to the group sales, gets 10.91.0.")
    assert "moves" not in foretold["diff"]["before"]
    assert not (clients.folder / "udp" / "al@x").exists()
    done = clients.have("al@x", **raw)
    assert (done.changed, done["groups"]) == (True, foretold["groups"])
    assert not clients.have("al@x", **raw).changed


def test_a_member_of_a_group_has_its_address_and_leaves_it_with_the_group(vpn: Vpn, clients: Clients) -> None:
    raw: dict[str, Any] = {"groups": GROUPS, "users": [{"name": "member", "group": "sales"}]}
    (sales,) = [one for one in clients.have("member@x", **raw)["groups"] if one["name"] == "sales"]
    client, bystander = vpn.connect("member@x"), vpn.connect("bystander@x")
    address = clients.addresses()["member@x"]
    assert address in sales["addresses"]
    held = command("ip", "-n", client.namespace, "-6", "address", "show", "scope", "global")
    assert sales["addresses6"][0] in held
    assert client.lost_packets(0.2, "10.91.0.1") == 0
    assert not clients.reconnect().changed

    clients.have("member@x", groups=GROUPS)
    before = clients.addresses()["bystander@x"]
    assert [one["common_name"] for one in clients.reconnect(check=True)["sessions_cut"]] == ["member@x"]
    assert clients.addresses()["member@x"] == address
    result = clients.reconnect()
    assert [one["common_name"] for one in result["sessions_cut"]] == ["member@x"]
    wait_for("another address", 20, lambda: clients.addresses().get("member@x") not in (None, address))
    assert clients.addresses()["bystander@x"] == before
    assert not clients.reconnect().changed
    client.stop()
    bystander.stop()


def test_a_disabled_device_is_cut_and_refused_until_it_is_enabled(vpn: Vpn, clients: Clients) -> None:
    clients.have("al@laptop")
    client = vpn.connect("al@laptop")
    result = clients.have("al@laptop", disabled=("al@laptop",))
    assert result["disabled"] == ["al@laptop"]
    cut = clients.session(state="absent", common_names=result["disabled"], cut_unnamed=False)
    assert [one["common_name"] for one in cut["sessions_cut"]] == ["al@laptop"]
    client.stop()

    vpn.start_client(client, vpn.folder / "al@laptop.ovpn")
    wait_for("refusal", 15, lambda: "AUTH_FAILED" in client.log.read_text())
    assert not client.connected()
    client.stop()

    clients.have("al@laptop")
    vpn.start_client(client, vpn.folder / "al@laptop.ovpn")
    wait_for("connection", 15, client.connected)
    client.stop()


def test_a_network_behind_a_device_is_reached_through_it(run_module: RunModule) -> None:
    users = [{"name": "site", "device": "router", "networks_behind": ["192.168.7.0/24"]}]
    with running(listeners=LISTENERS[:1], client_networks=["192.168.7.0/24"]) as vpn:
        Clients(vpn, run_module).have("site@router", users=users)
        router = vpn.connect("site@router")
        command("ip", "-n", router.namespace, "link", "set", "lo", "up")
        command("ip", "-n", router.namespace, "address", "add", "192.168.7.1/24", "dev", "lo")
        server = Client(vpn.server_namespace, vpn.folder / "unused")
        wait_for("an answer", 5, lambda: server.lost_packets(0.04, "192.168.7.1") == 0)


def test_a_file_that_openvpn_could_not_read_is_put_right(clients: Clients) -> None:
    clients.have("al@x", disabled=("al@x",))
    path = clients.folder / "udp" / "al@x"
    path.chmod(0o600)
    assert clients.have("al@x", disabled=("al@x",)).changed
    assert path.stat().st_mode & 0o7777 == 0o640
    clients.folder.chmod(0o700)
    assert clients.have("al@x", disabled=("al@x",)).changed
    assert clients.folder.stat().st_mode & 0o7777 == 0o750


def test_a_folder_that_the_service_cannot_pass_is_an_error(clients: Clients, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    result = clients.have("al@x", folder=str(tmp_path / "ccd"), fails=True)
    assert f"cannot pass through {tmp_path}" in result.message


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"users": [{"name": "al", "push_options": ["script-security 2"]}]},
            "'script-security' is not among the options",
        ),
        ({"settings": {"push_options": ["ping 10\nup /tmp/x"]}}, "control character"),
        ({"settings": {"push_options": ["route 10.0.0.0 255.0.0.0,up x"]}}, "the character ','"),
        ({"groups": [{"name": "sales"}]}, "0 groups have 'default: true'"),
        ({"users": [{"name": "al", "device": "x", "addresses": {"udp": "10.91.0.2"}}]}, "is not a static address"),
    ],
)
def test_hostile_and_wrong_input_changes_nothing(clients: Clients, options: dict[str, Any], reason: str) -> None:
    clients.have("al@x")
    before = {path: path.read_bytes() for path in clients.folder.rglob("*") if path.is_file()}
    assert reason in clients.have("al@x", fails=True, **options).message
    assert {path: path.read_bytes() for path in clients.folder.rglob("*") if path.is_file()} == before


def test_a_changed_route_drops_nobody(vpn: Vpn, clients: Clients) -> None:
    clients.have("steady@x")
    client = vpn.connect("steady@x")
    clients.have("steady@x", settings={"full_tunnel": False, "push_routes": ["10.99.0.0/16"]})
    time.sleep(0.2)
    assert client.lost_packets(0.5, "10.91.0.1") == 0
    assert "10.99.0.0/16" not in routes(client)
    client.stop()
    vpn.start_client(client, vpn.folder / "steady@x.ovpn")
    wait_for("the new route", 15, lambda: "10.99.0.0/16" in routes(client))
    client.stop()
