"""Removal in layers: names, then the CRL, then the proof; whatever is away meanwhile, and whatever happens at once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from integration.lab.lab_run import (
    INSTANCE,
    INTERNET,
    INVENTORY,
    OPENVPN_ALONE,
    PAGE,
    Outcome,
    Playbooks,
    variables_beside_the_inventory,
)
from privatespace_lab.engine import podman
from privatespace_lab.remote import Client, LabHost
from privatespace_lab.topology import container_name

REGISTER = "/etc/openvpn/server/privatespace/denied"
REFUSED_SECONDS = 15
NO_TOKEN = {"pki_hsm_token": "no-such-token"}
GROUPS = {
    "openvpn_groups": [{"name": "staff", "default": True}, {"name": "temps"}],
    "openvpn_users": [{"name": "zita", "group": "temps"}],
}


def denials(gateway: LabHost) -> list[str]:
    """Whom a gateway keeps out by name."""
    return gateway.run(f"cd {REGISTER} 2>/dev/null && find . -type f ! -name '.*' -printf '%P\\n' | sort; true").split()


def remove(playbooks: Playbooks, **variables: object) -> Outcome:
    """Remove, whatever comes of it."""
    return playbooks.run("user_remove", variables=variables)


def forget(playbooks: Playbooks, *names: str) -> None:
    """Profiles of who is gone: who is added again gets another one."""
    for name in names:
        (playbooks.profiles / f"{name}.ovpn").unlink(missing_ok=True)


def assert_kept_out(client: Client, playbooks: Playbooks, gateway: LabHost, pattern: str) -> None:
    """A gateway refuses a device over both protocols, and says why."""
    for protocol in ("udp", "tcp"):
        since = gateway.run("date +%s.%N")
        client.start(protocol=protocol, address=playbooks.addresses[gateway.name])
        deadline = time.monotonic() + REFUSED_SECONDS
        command = f"journalctl --unit openvpn-server@{protocol} --since @{since} --output cat"
        while not re.search(pattern, journal := gateway.run(command)):
            assert time.monotonic() < deadline, f"{gateway.name} refused nobody over {protocol}: {journal[-1500:]}"
            time.sleep(0.2)
        assert not client.is_connected_within(1)
    client.stop()


def connect_as(client: Client, playbooks: Playbooks, name: str, *, protocol: str, gateway: str) -> None:
    """Have a device connected, under a name of the form USER@DEVICE."""
    user, _at, device = name.partition("@")
    client.install_profile(playbooks.add(user, device))
    client.connect(protocol=protocol, address=playbooks.addresses[gateway])


@contextmanager
def running_on(host: LabHost, command: str) -> Iterator[None]:
    """A shell command over and over again on a host, for the time of a block."""
    host.run(f"systemd-run --quiet --collect --unit lab-again sh -c 'while :; do {command}; done'")
    try:
        yield
    finally:
        host.run("systemctl stop lab-again; true")


@contextmanager
def without_ssh(host: LabHost) -> Iterator[None]:
    """A host that Ansible does not reach, for the time of a block."""
    host.stop_ssh()
    try:
        yield
    finally:
        host.start_ssh()


@contextmanager
def frozen(host: LabHost) -> Iterator[None]:
    """A host that has taken a connection and stands still with everything on it, for the time of a block."""
    host.run("true")
    podman("pause", container_name(INSTANCE, host.name))
    try:
        yield
    finally:
        podman("unpause", container_name(INSTANCE, host.name))


@pytest.fixture
def grouped(playbooks: Playbooks) -> Iterator[None]:
    """Two groups on both gateways, of which zita is in the second; afterwards none."""
    playbooks.add("zita", "laptop")
    playbooks.add("zack", "laptop")
    with variables_beside_the_inventory("gateway1", GROUPS), variables_beside_the_inventory("gateway2", GROUPS):
        playbooks.succeed("site", *OPENVPN_ALONE)
        yield
    playbooks.succeed("site", *OPENVPN_ALONE)


@pytest.fixture
def clean(gateways: tuple[LabHost, LabHost]) -> Iterator[None]:
    """Nobody is denied by name, before and after."""
    assert [denials(gateway) for gateway in gateways] == [[], []]
    yield
    left = [denials(gateway) for gateway in gateways]
    for gateway in gateways:
        gateway.run(f"rm -rf {REGISTER}/users/* {REGISTER}/devices/* {REGISTER}/lockdown")
    assert left == [[], []]


def test_two_devices_on_both_gateways_and_protocols_are_cut_at_once(
    clean: None, alice: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    connect_as(alice, playbooks, "kim@laptop", protocol="udp", gateway="gateway1")
    connect_as(bob, playbooks, "kim@phone", protocol="tcp", gateway="gateway2")
    outcome = playbooks.remove("kim")
    assert re.search(r"gateway1 +1 session cut \(kim@laptop on udp\)", outcome.output)
    assert re.search(r"gateway2 +1 session cut \(kim@phone on tcp\)", outcome.output)
    for gateway in gateways:
        assert re.search(rf"{gateway.name} +denied by name", outcome.output)
        assert re.search(rf"{gateway.name} +verified: not connected, and would be refused", outcome.output)
    assert re.search(r"First task to last proof: \d+\.\d\d s", outcome.output)
    for client in (alice, bob):
        assert client.fetch(PAGE, seconds=2) is None
        client.stop()
    forget(playbooks, "kim@laptop", "kim@phone")


def test_a_list_of_users_and_devices(clean: None, alice: Client, bob: Client, playbooks: Playbooks) -> None:
    """Of mo the phone goes and the laptop stays; li is another user than lia."""
    playbooks.add("mo", "phone")
    playbooks.add("li", "laptop")
    connect_as(alice, playbooks, "mo@laptop", protocol="tcp", gateway="gateway1")
    connect_as(bob, playbooks, "lia@laptop", protocol="udp", gateway="gateway2")
    alice.start_ping(INTERNET)
    outcome = playbooks.succeed("user_remove", variables={"user_names": "lia, mo@phone"})
    assert "Removed: lia@laptop, mo@phone" in outcome.output
    assert alice.stop_ping().lost == 0
    assert bob.fetch(PAGE, seconds=2) is None
    connect_as(bob, playbooks, "li@laptop", protocol="udp", gateway="gateway2")
    assert bob.fetch(PAGE) is not None
    outcome = playbooks.succeed("user_remove", variables={"user_names": ["mo", "li"]})
    assert "mo@laptop" in outcome.output
    forget(playbooks, "mo@phone", "mo@laptop", "lia@laptop", "li@laptop")


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_who_connects_again_and_again_does_not_slip_through(
    clean: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost], protocol: str
) -> None:
    connect_as(alice, playbooks, "nell@laptop", protocol=protocol, gateway="gateway1")
    with running_on(alice, "systemctl kill --signal USR1 lab-vpn; sleep 0.7"):
        playbooks.remove("nell")
        time.sleep(3)
        assert alice.fetch(PAGE, seconds=2) is None
    alice.stop()
    assert_kept_out(alice, playbooks, gateways[0], r"certificate revoked.*nell@laptop")
    forget(playbooks, "nell@laptop")


def test_who_negotiates_new_keys_all_the_time_is_cut(
    clean: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    alice.install_profile(playbooks.add("olga", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway2"], extra=["reneg-sec 2"])
    time.sleep(3)
    playbooks.remove("olga")
    assert alice.fetch(PAGE, seconds=2) is None
    alice.stop()
    assert_kept_out(alice, playbooks, gateways[1], r"certificate revoked.*olga@laptop")
    forget(playbooks, "olga@laptop")


def test_without_the_token_names_hold_until_the_name_is_issued_again(
    clean: None, alice: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    connect_as(alice, playbooks, "pia@laptop", protocol="udp", gateway="gateway1")
    outcome = remove(playbooks, user_name="pia", **NO_TOKEN)
    assert outcome.status != 0
    assert re.search(r"gateway1 +1 session cut \(pia@laptop on udp\)", outcome.output)
    assert "OWED by authority1: The certificates are revoked in its store, but no CRL" in outcome.output
    assert "DENIED by name on gateway1, gateway2 meanwhile: pia" in outcome.output
    command = f"ansible-playbook privatespace.gateway.user_remove -i {INVENTORY} -e user_names=pia"
    assert f"TO FINISH: {command}" in outcome.output
    assert alice.fetch(PAGE, seconds=2) is None
    assert [denials(gateway) for gateway in gateways] == [["users/pia"]] * 2
    for gateway in gateways:
        assert_kept_out(alice, playbooks, gateway, r"pia@laptop")

    shown = playbooks.succeed("status")
    assert re.search(r"Denied by name since .*: pia\.", shown.output)
    assert '"serials": ["' in gateways[0].run(f"cat {REGISTER}/users/pia"), "a CRL could end it without anybody"

    forget(playbooks, "pia@laptop")
    connect_as(bob, playbooks, "pia@laptop", protocol="udp", gateway="gateway2")
    assert bob.fetch(PAGE) is not None
    assert [denials(gateway) for gateway in gateways] == [[], []]
    for gateway in gateways:
        assert_kept_out(alice, playbooks, gateway, r"certificate revoked.*pia@laptop")
    playbooks.remove("pia")
    forget(playbooks, "pia@laptop")


def test_without_the_token_a_second_run_finishes(
    clean: None, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    playbooks.add("quin", "laptop")
    assert remove(playbooks, user_name="quin", **NO_TOKEN).status != 0
    outcome = playbooks.remove("quin")
    assert re.search(r"authority1 +CRL \d+ signed", outcome.output)
    assert outcome.output.count("and would be refused") == len(gateways)
    forget(playbooks, "quin@laptop")


def test_without_the_authority_names_hold(
    clean: None,
    alice: Client,
    playbooks: Playbooks,
    authority: LabHost,
    gateways: tuple[LabHost, LabHost],
) -> None:
    connect_as(alice, playbooks, "ria@laptop", protocol="tcp", gateway="gateway2")
    with without_ssh(authority):
        outcome = remove(playbooks, user_name="ria", user_device="laptop")
        assert outcome.status != 0
        assert "OWED by authority1: No certificate is revoked, and no CRL is signed: it could not be" in outcome.output
        assert "DENIED by name on gateway1, gateway2 meanwhile: ria@laptop" in outcome.output
        assert alice.fetch(PAGE, seconds=2) is None
        assert_kept_out(alice, playbooks, gateways[0], r"ria@laptop")
        assert re.search(r"authority  PROBLEM.*No answer", playbooks.run("status").output, re.DOTALL)
    playbooks.remove("ria", user_device="laptop")
    assert_kept_out(alice, playbooks, gateways[0], r"certificate revoked.*ria@laptop")
    forget(playbooks, "ria@laptop")


def test_a_gateway_that_was_off_refuses_from_its_first_connection_on(
    clean: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    """It learns who was removed before OpenVPN starts, from the authority and without Ansible."""
    second = gateways[1]
    alice.install_profile(playbooks.add("sam", "laptop"))
    podman("stop", "--time", "10", container_name(INSTANCE, second.name))
    try:
        outcome = remove(playbooks, user_name="sam")
    finally:
        podman("start", container_name(INSTANCE, second.name))
    assert outcome.status != 0
    assert re.search(rf"NOT PROVED on {second.name}: it could not be reached", outcome.output)
    assert re.search(rf"{gateways[0].name} +verified: not connected", outcome.output)
    second.wait_until_running()
    assert_kept_out(alice, playbooks, second, r"certificate revoked.*sam@laptop")
    asked = second.run("systemctl show --property ExecMainExitTimestampMonotonic --value privatespace-revocation-boot")
    began = second.run("systemctl show --property ExecMainStartTimestampMonotonic --value openvpn-server@udp")
    assert 0 < int(asked) <= int(began), "OpenVPN did not wait for the CRL"
    playbooks.remove("sam")
    forget(playbooks, "sam@laptop")


def test_a_gateway_that_is_frozen_holds_nobody_up(
    clean: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    first, second = gateways
    connect_as(alice, playbooks, "tess@laptop", protocol="udp", gateway=first.name)
    with frozen(second):
        outcome = remove(playbooks, user_name="tess", openvpn_removal_seconds=10)
    assert outcome.status != 0
    assert f"NOT PROVED on {second.name}: it did not answer within 10 s" in outcome.output
    assert f"TO FINISH: ansible-playbook privatespace.gateway.user_remove -i {INVENTORY} -e user_names=tess" in (
        outcome.output
    )
    assert re.search(rf"{first.name} +1 session cut \(tess@laptop on udp\)", outcome.output)
    assert re.search(rf"{first.name} +verified: not connected, and would be refused", outcome.output)
    assert "[DEPRECATION" not in outcome.output
    playbooks.remove("tess")
    assert_kept_out(alice, playbooks, second, r"certificate revoked.*tess@laptop")
    forget(playbooks, "tess@laptop")


def test_two_removals_at_once(
    clean: None, alice: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    connect_as(alice, playbooks, "tom@laptop", protocol="udp", gateway="gateway1")
    connect_as(bob, playbooks, "una@laptop", protocol="tcp", gateway="gateway1")
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda user: remove(playbooks, user_name=user), ("tom", "una")))
    assert [outcome.status for outcome in outcomes] == [0, 0], "\n".join(one.output for one in outcomes)
    for client, user in ((alice, "tom"), (bob, "una")):
        assert client.fetch(PAGE, seconds=2) is None
        assert_kept_out(client, playbooks, gateways[1], rf"certificate revoked.*{user}@laptop")
    forget(playbooks, "tom@laptop", "una@laptop")


def test_a_server_that_restarts_meanwhile_lets_nobody_through(
    clean: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    connect_as(alice, playbooks, "vic@laptop", protocol="udp", gateway="gateway1")
    with running_on(gateways[0], "sleep 2; systemctl restart openvpn-server@udp"):
        outcome = remove(playbooks, user_name="vic")
    gateways[0].run("systemctl reset-failed; systemctl start openvpn-server@udp")
    assert alice.fetch(PAGE, seconds=2) is None
    if outcome.status != 0:
        assert "NOT PROVED on gateway1" in outcome.output
        playbooks.remove("vic")
    assert_kept_out(alice, playbooks, gateways[0], r"certificate revoked.*vic@laptop")
    forget(playbooks, "vic@laptop")


def test_bad_names_are_refused_before_a_gateway_is_touched(
    clean: None, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    for variables in ({"user_names": "wim,../x"}, {"user_name": "wim", "user_reason": "boredom"}, {}):
        outcome = remove(playbooks, **variables)
        assert outcome.status != 0
        assert "Nothing was changed" in outcome.output
        assert outcome.changed == 0
        assert [denials(gateway) for gateway in gateways] == [[], []]


def test_who_was_never_known_is_told_and_not_denied_for_long(
    clean: None, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    playbooks.add("wim", "laptop")
    outcome = remove(playbooks, user_names="wim,nobody-here")
    assert outcome.status != 0
    assert "UNKNOWN to authority1: nobody-here" in outcome.output
    assert "Removed: wim@laptop" in outcome.output
    assert [denials(gateway) for gateway in gateways] == [[], []]
    forget(playbooks, "wim@laptop")


def test_check_mode_denies_and_cuts_nobody(
    clean: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    connect_as(alice, playbooks, "xena@laptop", protocol="udp", gateway="gateway2")
    alice.start_ping(INTERNET)
    outcome = playbooks.succeed("user_remove", "--check", "--diff", variables={"user_name": "xena"})
    assert "xena@laptop" in outcome.output
    everybody = {"lockdown_everybody": "true", "lockdown_except": "none"}
    outcome = playbooks.succeed("lockdown", "--check", "--diff", variables=everybody)
    assert "xena@laptop" in outcome.output
    assert [denials(gateway) for gateway in gateways] == [[], []]
    assert alice.stop_ping().lost == 0
    playbooks.remove("xena")
    forget(playbooks, "xena@laptop")


def test_a_lockdown_holds_without_the_authority_until_it_is_lifted(
    clean: None,
    alice: Client,
    bystander: Client,
    playbooks: Playbooks,
    authority: LabHost,
    gateways: tuple[LabHost, LabHost],
) -> None:
    connect_as(alice, playbooks, "yara@laptop", protocol="udp", gateway="gateway1")
    refused = playbooks.run("lockdown", variables={"lockdown_everybody": "true"})
    assert refused.status != 0
    assert "lockdown_except" in refused.output
    with without_ssh(authority):
        outcome = playbooks.succeed("lockdown", variables={"lockdown_everybody": "true", "lockdown_except": "bob"})
    assert re.search(r"gateway1 +1 session cut \(yara@laptop on udp\)", outcome.output)
    assert "Spared: bob" in outcome.output
    assert "Connected to gateway2 now: bob@laptop on tcp" in outcome.output
    assert "TO END IT: ansible-playbook privatespace.gateway.lockdown" in outcome.output
    assert alice.fetch(PAGE, seconds=2) is None
    for gateway in gateways:
        assert_kept_out(alice, playbooks, gateway, "yara@laptop")
    assert "A lockdown of everybody holds since" in playbooks.succeed("status").output
    assert bystander.stop_ping().lost == 0

    playbooks.succeed("lockdown", variables={"lockdown_state": "lifted"})
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None
    playbooks.remove("yara")
    forget(playbooks, "yara@laptop")


def test_a_lockdown_of_a_group_leaves_the_others_alone(
    clean: None, grouped: None, alice: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    connect_as(alice, playbooks, "zita@laptop", protocol="udp", gateway="gateway1")
    connect_as(bob, playbooks, "zack@laptop", protocol="tcp", gateway="gateway2")
    bob.start_ping(INTERNET)
    refused = playbooks.run("lockdown", variables={"lockdown_group": "tempts"})
    assert refused.status != 0
    assert "No gateway has a group" in refused.output
    outcome = playbooks.succeed("lockdown", variables={"lockdown_group": "temps"})
    assert re.search(r"gateway1 +1 session cut \(zita@laptop on udp\)", outcome.output)
    assert "Connected to gateway1 now: nobody" in outcome.output
    assert "Connected to gateway2 now: zack@laptop on tcp" in outcome.output
    assert [denials(gateway) for gateway in gateways] == [["lockdown/groups/temps"]] * 2
    assert alice.fetch(PAGE, seconds=2) is None
    for gateway in gateways:
        assert_kept_out(alice, playbooks, gateway, "zita@laptop")
    assert bob.stop_ping().lost == 0

    playbooks.succeed("lockdown", variables={"lockdown_group": "temps", "lockdown_state": "lifted"})
    assert [denials(gateway) for gateway in gateways] == [[], []]
    alice.connect(protocol="udp", address=playbooks.addresses["gateway2"])
    assert alice.fetch(PAGE) is not None
    playbooks.succeed("user_remove", variables={"user_names": "zita,zack"})
    forget(playbooks, "zita@laptop", "zack@laptop")


def test_status_tells_how_fresh_the_crl_is_at_every_link(playbooks: Playbooks) -> None:
    """Last, when every gateway has the CRL that was signed last."""
    outcome = playbooks.succeed("status", variables={"output": "json"})
    document = json.loads(json.loads(re.findall(r'"msg": ("\{.*\}")', outcome.output)[-1]))
    assert document["authority"]["gateways_behind"] == []
    assert document["authority"]["crls"][0]["number"] == document["gateways"][0]["crl"]["number"]
    assert document["authority"]["endpoint"].startswith("http://")
    assert [block["denials"] for block in document["gateways"]] == [[], []]
    assert all(block["revocation"]["agent"]["checked_at"] for block in document["gateways"])
