"""From the clients' files in place to those that are wanted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.client_files import DEFAULT, MARKER
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.client_plan import (
    Folder,
    FolderStep,
    plan_client_files,
)

UDP: dict[str, Any] = {
    "name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24", "network6": "fd00:91::/64",
}  # fmt: skip
TCP: dict[str, Any] = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.1.0/24"}
GROUPS = [{"name": "staff", "default": True}, {"name": "sales", "networks": ["10.20.7.0/24"], "reach_members": True}]
Found = dict[str, Folder]


def devices(*names: str, disabled: str = "") -> list[dict[str, Any]]:
    pairs = [name.split("@") for name in names]
    return [{"user": user, "device": device, "disabled": f"{user}@{device}" == disabled} for user, device in pairs]


def plan(found: Found | None = None, *, root_fit: bool = True, **raw: Any) -> Change[FolderStep]:
    return plan_client_files({"processes": [UDP, TCP], **raw}, found or {}, root_fit=root_fit)


def applied(change: Change[FolderStep], found: Found | None = None) -> Found:
    """What a gateway has once a change has been applied."""
    result = dict(found or {})
    for step in change.steps:
        texts = dict(result.get(step.process, Folder({})).texts)
        texts.update({name: content.decode() for name, content in step.write.items()})
        for name in step.remove:
            del texts[name]
        result[step.process] = Folder(texts)
    return result


def lines(found: Found, process: str, name: str) -> list[str]:
    return found[process].texts[name].splitlines()


def test_everybody_has_one_file_a_process() -> None:
    found = applied(plan(devices=devices("al@x"), settings={"dns_servers": ["10.91.0.1"]}))
    assert {name: sorted(folder.texts) for name, folder in found.items()} == {"udp": [DEFAULT], "tcp": [DEFAULT]}
    assert lines(found, "tcp", DEFAULT)[:3] == [MARKER, 'push "redirect-gateway def1 ipv6"', 'push "block-ipv6"']
    assert 'push "block-ipv6"' not in lines(found, "udp", DEFAULT)


def test_a_second_run_finds_nothing_to_do() -> None:
    raw: dict[str, Any] = {
        "devices": devices("al@x", "bo@x"),
        "groups": GROUPS,
        "users": [{"name": "al", "group": "sales"}],
    }
    found = applied(plan(**raw))
    assert not plan(found, **raw).needed
    assert plan(found, **raw).result["groups"] == plan(**raw).result["groups"]


def test_a_member_of_a_group_has_addresses_by_which_the_firewall_knows_it() -> None:
    change = plan(devices=devices("al@x", "bo@x"), groups=GROUPS, users=[{"name": "al", "group": "sales"}])
    found = applied(change)
    file = lines(found, "udp", "al@x")
    ((_word, address, netmask), (_word6, address6, server6)) = (file[2].split(), file[3].split())
    last = int(address.rpartition(".")[2])
    assert (netmask, address6, server6) == ("255.255.255.0", f"fd00:91::{0x1000 + last - 2:x}/64", "fd00:91::1")
    assert file[:2] == [MARKER, "# Group: sales"]
    assert [line for line in lines(found, "tcp", "al@x") if "ipv6-push" in line] == []
    sales = change.result["groups"][1]
    assert sales["addresses"] == [address, lines(found, "tcp", "al@x")[2].split()[1]]
    assert sales["addresses6"] == [address6.removesuffix("/64")]
    assert (sales["networks"], sales["reach_members"]) == (["10.20.7.0/24"], True)
    assert change.result["groups"][0]["addresses"] == []
    assert [one["common_name"] for one in change.result["clients"]] == ["al@x"]


def test_what_is_told_besides_the_group_is_in_the_same_file() -> None:
    users = [{
        "name": "al", "device": "x", "push_routes": ["10.5.0.0/16"], "addresses": {"tcp": "10.91.1.250"},
        "networks_behind": ["192.168.7.0/24"],
    }]  # fmt: skip
    found = applied(plan(devices=devices("al@x"), users=users, settings={"full_tunnel": False}))
    assert lines(found, "tcp", "al@x") == [
        MARKER,
        "ifconfig-push 10.91.1.250 255.255.255.0",
        "iroute 192.168.7.0 255.255.255.0",
        'push "route 10.5.0.0 255.255.0.0"',
    ]
    assert lines(found, "udp", "al@x") == [MARKER, 'push "route 10.5.0.0 255.255.0.0"']


def test_a_disabled_device_is_refused_everywhere_and_finds_its_address_again() -> None:
    raw: dict[str, Any] = {"groups": GROUPS, "users": [{"name": "al", "group": "sales"}]}
    before = applied(plan(devices=devices("al@x"), **raw))
    change = plan(before, devices=devices("al@x", disabled="al@x"), **raw)
    after = applied(change, before)
    for process in ("udp", "tcp"):
        assert [line for line in lines(after, process, "al@x") if not line.startswith("#")] == ["disable"]
    assert change.result["disabled"] == ["al@x"]
    assert [one["summary"] for one in change.result["changed_clients"]] == ["al@x is disabled"]
    moved = {**before, "udp": Folder({**before["udp"].texts, "al@x": before["udp"].texts["al@x"]})}
    again = applied(plan(after, devices=devices("al@x"), **raw), after)
    assert again == moved


def test_a_kept_address_survives_the_loss_of_every_other_device() -> None:
    raw: dict[str, Any] = {"groups": GROUPS, "users": [{"name": "al", "group": "sales"}]}
    found = applied(plan(devices=devices("al@x"), **raw))
    text = found["udp"].texts["al@x"]
    moved = text.replace(lines(found, "udp", "al@x")[2].split()[1], "10.91.0.222", 1)
    change = plan({**found, "udp": Folder({**found["udp"].texts, "al@x": moved})}, devices=devices("al@x"), **raw)
    assert "10.91.0.222" in change.result["groups"][1]["addresses"]


def test_it_is_said_what_becomes_of_a_device() -> None:
    before = applied(plan(devices=devices("al@x"), groups=GROUPS))
    change = plan(before, devices=devices("al@x"), groups=GROUPS, users=[{"name": "al", "group": "sales"}])
    ((said),) = change.result["changed_clients"]
    assert said["common_name"] == "al@x"
    assert said["changes"][0] == "moves to the group sales"
    assert said["changes"][1].startswith("gets 10.91.0.")
    assert change.before["udp/al@x"] is None
    assert change.after["udp/al@x"]["group"] == "sales"


def test_what_nobody_wants_is_removed() -> None:
    found = applied(plan(devices=devices("al@x")))
    litter = {**found, "udp": Folder({**found["udp"].texts, "gone@x": "", ".al@x.1": ""})}
    change = plan(litter, devices=devices("al@x"))
    assert [(step.process, step.remove) for step in change.steps] == [("udp", (".al@x.1", "gone@x"))]
    assert applied(change, litter) == found


def test_a_process_that_is_not_named_keeps_its_files() -> None:
    """It may still run: without DEFAULT its clients would send everything around the tunnel."""
    found = {**applied(plan(devices=devices("al@x"))), "old": Folder({DEFAULT: "push"})}
    change = plan(found, devices=devices("al@x"))
    assert change.steps == ()


def test_files_that_openvpn_could_not_read_are_written_again() -> None:
    found = applied(plan(devices=devices("al@x", disabled="al@x")))
    astray = {**found, "udp": Folder(found["udp"].texts, frozenset({"al@x"}))}
    change = plan(astray, devices=devices("al@x", disabled="al@x"))
    assert [(step.process, list(step.write)) for step in change.steps] == [("udp", ["al@x"])]
    assert (change.before["udp/al@x"]["readable"], change.after["udp/al@x"]["readable"]) == (False, True)
    assert plan(
        {**found, "tcp": Folder(found["tcp"].texts, fit=False)}, devices=devices("al@x", disabled="al@x")
    ).needed
    assert plan(found, devices=devices("al@x", disabled="al@x"), root_fit=False).needed


def test_without_word_from_the_authority_a_disabled_device_stays_out() -> None:
    found = applied(plan(devices=devices("al@x", "bo@x", disabled="al@x"), known_clients_only=True))
    assert not plan(found, known_clients_only=True).needed
    assert plan(found).result["disabled"] == ["al@x"]
    assert plan(found, devices=[]).result["disabled"] == []


def test_every_known_device_has_a_file_where_others_are_refused() -> None:
    found = applied(plan(devices=devices("al@x", "bo@x"), known_clients_only=True))
    assert sorted(found["udp"].texts) == [DEFAULT, "al@x", "bo@x"]
    assert found["udp"].texts["al@x"] == found["udp"].texts[DEFAULT]


@pytest.mark.parametrize(
    "raw",
    [
        {"users": [{"name": "al", "push_options": ["script-security 2"]}]},
        {"settings": {"push_options": ["ping 1\nup x"]}},
        {"groups": [{"name": "a"}]},
        {"devices": [{"user": "..", "device": "x"}]},
        {"processes": [{**UDP, "reserved": 0}], "groups": GROUPS, "users": [{"name": "al", "group": "sales"}]},
    ],
)
def test_bad_input_leaves_no_plan(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        plan(**{"devices": devices("al@x"), **raw})
