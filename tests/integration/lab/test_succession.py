"""A new authority takes over while people work, from its first day until the old one is gone; in this order."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from integration.lab.lab_run import PAGE, Playbooks
from privatespace_lab.remote import Client, LabHost

LABEL = "ca-next"
NEXT = {"ca_rollover_label": LABEL}
RECONNECT_SECONDS = 60
CERTIFICATE = "/etc/openvpn/server/privatespace/server.crt"
ISSUER = f"openssl x509 -noout -issuer -nameopt RFC2253 -in {CERTIFICATE}"
TRUSTED = "grep -c BEGIN /etc/openvpn/server/privatespace/ca.crt"

STATES = """
import sqlite3
store = sqlite3.connect("file:/var/lib/privatespace/authority/authority.db?mode=ro", uri=True)
print(store.execute("select label, state from authorities order by id").fetchall())
"""


def states(authority: LabHost) -> str:
    """The authorities of the store with their states."""
    return authority.run(f"/opt/privatespace/authority/bin/python - <<'END'\n{STATES}END")


def comes_back(client: Client) -> bool:
    """Whether a client reaches the internet through its tunnel again, by itself."""
    deadline = time.monotonic() + RECONNECT_SECONDS
    while client.fetch(PAGE, seconds=2) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


@pytest.fixture(scope="module")
def old_profile(playbooks: Playbooks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice's profile from before there was a second authority."""
    kept = tmp_path_factory.mktemp("old") / "alice.ovpn"
    kept.write_text(playbooks.add("alice", "laptop").read_text())
    return kept


def test_it_takes_over_while_people_are_connected(
    alice: Client,
    bob: Client,
    old_profile: Path,
    playbooks: Playbooks,
    authority: LabHost,
    gateways: tuple[LabHost, LabHost],
) -> None:
    alice.install_profile(old_profile)
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    bob.install_profile(playbooks.add("bob", "laptop"))
    bob.connect(protocol="tcp", address=playbooks.addresses["gateway2"])

    outcome = playbooks.succeed("ca_rollover", variables=NEXT)

    assert f"('{LABEL}', 'active')" in states(authority)
    assert "('ca', 'retiring')" in states(authority)
    assert re.search(r"ca '.*': retiring, \d+ device certificates? and 2 gateway certificates in use", outcome.output)
    assert all(gateway.run(TRUSTED) == "2" for gateway in gateways)
    assert comes_back(alice)
    assert comes_back(bob)
    assert playbooks.succeed("ca_rollover", variables=NEXT).changed == 0


@pytest.mark.soak
def test_the_web_pages_show_both_and_a_second_run_changes_nothing(playbooks: Playbooks) -> None:
    playbooks.succeed("site", "--skip-tags", "dns")
    assert playbooks.succeed("site", "--skip-tags", "dns").changed == 0


def test_a_new_device_gets_in_everywhere(
    alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    profile = playbooks.add("mallory", "laptop")
    assert profile.read_text().count("BEGIN CERTIFICATE") == 3, "its own, and two authorities"
    alice.install_profile(profile)
    for gateway, protocol in zip(gateways, ("udp", "tcp"), strict=False):
        assert LABEL not in gateway.run(ISSUER), "the old profiles know the old authority only"
        alice.connect(protocol=protocol, address=playbooks.addresses[gateway.name])
        assert alice.fetch(PAGE) is not None


def test_a_removal_works_for_both(alice: Client, bob: Client, old_profile: Path, playbooks: Playbooks) -> None:
    """Mallory's certificate is of the new authority, one of bob's devices has one of the old."""
    alice.install_profile(playbooks.profiles / "mallory@laptop.ovpn")
    bob.install_profile(playbooks.add("bob", "laptop"))
    for client in (alice, bob):
        client.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    for name, client in (("mallory", alice), ("bob", bob)):
        outcome = playbooks.remove(name)
        assert f"{name}@laptop" in outcome.output
        assert client.fetch(PAGE, seconds=2) is None
        client.start(protocol="tcp", address=playbooks.addresses["gateway2"])
        assert not client.is_connected_within(6), f"{name} came back"
        (playbooks.profiles / f"{name}@laptop.ovpn").unlink()
    alice.install_profile(old_profile)
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None


@pytest.mark.soak
def test_devices_move_without_a_hurry(alice: Client, bob: Client, old_profile: Path, playbooks: Playbooks) -> None:
    users = [{"name": "alice", "devices": [{"name": "laptop"}]}]
    playbooks.succeed("users", variables={"vpn_users": users, "vpn_users_renew_retiring": "true"})
    renewed = playbooks.profiles / "alice@laptop.ovpn"
    assert renewed.read_text() != old_profile.read_text()
    assert playbooks.succeed("users", variables={"vpn_users": users, "vpn_users_renew_retiring": "true"}).changed == 0
    for client, profile in ((alice, renewed), (bob, old_profile)):
        client.install_profile(profile)
        client.connect(protocol="udp", address=playbooks.addresses["gateway2"])
        assert client.fetch(PAGE) is not None, f"{profile} was locked out"
        client.stop()


@pytest.mark.soak
def test_the_old_authority_goes_with_its_last_certificate(
    alice: Client,
    bob: Client,
    old_profile: Path,
    playbooks: Playbooks,
    authority: LabHost,
    gateways: tuple[LabHost, LabHost],
) -> None:
    users = [{"name": "alice", "devices": [{"name": "laptop", "reissue": True}]}]
    playbooks.succeed("users", variables={"vpn_users": users, "vpn_users_purge": "true"})
    outcome = playbooks.succeed("ca_rollover")
    assert "retiring, 0 device certificates and 0 gateway certificates in use" in outcome.output, outcome.output
    for gateway in gateways:
        assert LABEL in gateway.run(ISSUER)
    playbooks.succeed("ca_rollover")
    assert "('ca', 'retired')" in states(authority)
    assert all(gateway.run(TRUSTED) == "1" for gateway in gateways)
    alice.install_profile(playbooks.profiles / "alice@laptop.ovpn")
    alice.connect(protocol="tcp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None
    bob.install_profile(old_profile)
    bob.start(protocol="udp", address=playbooks.addresses["gateway1"])
    assert not bob.is_connected_within(6)
    said = "an inventory may keep the label of the old one"
    assert playbooks.succeed("site", "--limit", "authority1", "--skip-tags", "dns").changed == 0, said


@pytest.mark.soak
def test_the_web_pages_show_the_new_one_and_a_second_run_changes_nothing(playbooks: Playbooks) -> None:
    playbooks.succeed("site", "--skip-tags", "dns")
    assert playbooks.succeed("site", "--skip-tags", "dns").changed == 0
