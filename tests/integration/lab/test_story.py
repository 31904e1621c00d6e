"""What the collection promises, seen from devices: packets pass, the removed stay out, bystanders notice nothing."""

from __future__ import annotations

import re
import time

import pytest
from integration.lab.lab_run import INTERNET, PAGE, Playbooks
from privatespace_lab.remote import Client, LabHost

REFUSED_SECONDS = 15


def assert_refused(client: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost], common_name: str) -> None:
    """Every gateway refuses the device over both protocols, and its log says that it was for the revocation."""
    for gateway in gateways:
        for protocol in ("udp", "tcp"):
            since = gateway.run("date +%s.%N")
            client.start(protocol=protocol, address=playbooks.addresses[gateway.name])
            refusal = rf"certificate revoked.*{re.escape(common_name)}"
            assert finds_in_journal(gateway, protocol, since, refusal), f"{gateway.name} refused nobody over {protocol}"
            assert not client.is_connected_within(1), f"{gateway.name} let {common_name} in over {protocol}"
            assert client.fetch(PAGE, seconds=1) is None
    client.stop()


def finds_in_journal(gateway: LabHost, listener: str, since: str, pattern: str) -> bool:
    """Whether a listener logs a line that matches, within the time that a refusal may take."""
    deadline = time.monotonic() + REFUSED_SECONDS
    command = f"journalctl --unit openvpn-server@{listener} --since @{since} --output cat"
    while not re.search(pattern, gateway.run(command)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize(
    ("protocol", "gateway"), [("udp", "gateway1"), ("tcp", "gateway1"), ("udp", "gateway2"), ("tcp", "gateway2")]
)
def test_a_user_reaches_the_internet_through_the_tunnel_only(
    alice: Client, playbooks: Playbooks, protocol: str, gateway: str
) -> None:
    alice.install_profile(playbooks.add("alice", "laptop"))
    assert alice.fetch(PAGE, seconds=2) is None
    alice.connect(protocol=protocol, address=playbooks.addresses[gateway])
    page = alice.fetch(PAGE)
    assert page is not None
    assert playbooks.addresses[gateway].rpartition(".")[2] in page, (
        "the page shows the address of another host than the gateway"
    )


def test_a_profile_is_for_its_owner_only(playbooks: Playbooks) -> None:
    profile = playbooks.add("alice", "laptop")
    assert profile.stat().st_mode & 0o777 == 0o600
    remotes = [line.split() for line in profile.read_text().splitlines() if line.startswith("remote ")]
    addresses = list(playbooks.addresses.values())
    assert [(remote[1], remote[3][:3]) for remote in remotes] == [(a, "udp") for a in addresses] + [
        (a, "tcp") for a in addresses
    ]


def test_removal_cuts_proves_and_leaves_bystanders_alone(
    alice: Client, bystander: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    profile = playbooks.add("alice", "laptop")
    alice.install_profile(profile)
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    alice.start_ping(INTERNET)

    outcome = playbooks.remove("alice")

    assert re.search(r"authority1 +CRL \d+ signed", outcome.output)
    for gateway in gateways:
        assert re.search(rf"{gateway.name} +verified: not connected", outcome.output)
    assert re.search(r"gateway1 +1 session cut \(alice@laptop on udp\)", outcome.output)
    assert re.search(r"First task to last session cut: \d+\.\d\d s", outcome.output)
    assert alice.fetch(PAGE, seconds=2) is None
    assert alice.stop_ping().lost > 0
    alice.stop()
    assert_refused(alice, playbooks, gateways, "alice@laptop")
    assert bystander.stop_ping().lost == 0
    profile.unlink()


def test_a_name_that_begins_like_another_is_untouched(alice: Client, bob: Client, playbooks: Playbooks) -> None:
    for client, user in ((alice, "al"), (bob, "alan")):
        client.install_profile(playbooks.add(user, "laptop"))
        client.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    bob.start_ping(INTERNET)

    playbooks.remove("al")

    assert bob.stop_ping().lost == 0
    assert bob.fetch(PAGE) is not None
    assert alice.fetch(PAGE, seconds=2) is None


def test_one_device_is_removed_and_the_other_stays(alice: Client, bob: Client, playbooks: Playbooks) -> None:
    for client, device in ((alice, "laptop"), (bob, "phone")):
        client.install_profile(playbooks.add("carol", device))
        client.connect(protocol="tcp", address=playbooks.addresses["gateway1"])

    outcome = playbooks.remove("carol", user_device="laptop")

    assert "carol@phone" not in outcome.output
    assert alice.fetch(PAGE, seconds=2) is None
    assert bob.fetch(PAGE) is not None


def test_a_removed_name_works_again_at_once_and_the_old_profile_does_not(
    alice: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    old = playbooks.add("dave", "laptop")
    alice.install_profile(old)
    playbooks.remove("dave")
    old.unlink()

    bob.install_profile(playbooks.add("dave", "laptop"))
    bob.connect(protocol="udp", address=playbooks.addresses["gateway2"])

    assert bob.fetch(PAGE) is not None
    assert_refused(alice, playbooks, gateways, "dave@laptop")


def test_a_lost_device_is_cut_when_it_gets_a_new_certificate(
    alice: Client, playbooks: Playbooks, authority: LabHost
) -> None:
    alice.install_profile(playbooks.add("erin", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])

    lost = {"user_name": "erin", "user_device": "laptop", "user_reissue": "true", "user_reason": "keyCompromise"}
    assert playbooks.run("user_add", variables={**lost, "user_reason": "boredom"}).status != 0
    playbooks.succeed("user_add", variables=lost)

    crl = authority.run("openssl crl -noout -text -in /var/lib/privatespace/authority/crl.pem")
    assert "Key Compromise" in crl
    assert alice.fetch(PAGE, seconds=2) is None
    alice.install_profile(playbooks.profiles / "erin@laptop.ovpn")
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None


def test_the_declared_list_issues_and_removes_only_when_told(playbooks: Playbooks) -> None:
    names = ["frank", "grace"]
    everybody = {"vpn_users": [{"name": name, "devices": [{"name": "laptop"}, {"name": "phone"}]} for name in names]}
    playbooks.succeed("users", variables=everybody)
    assert all(
        (playbooks.profiles / f"{name}@{device}.ovpn").is_file() for name in names for device in ("laptop", "phone")
    )
    assert playbooks.succeed("users", variables=everybody).changed == 0

    kept = {"vpn_users": everybody["vpn_users"][:1]}
    assert playbooks.succeed("users", variables=kept).changed == 0
    outcome = playbooks.succeed("users", variables={**kept, "vpn_users_purge": "true"})
    assert "grace@laptop" in outcome.output
    assert "frank@laptop" not in outcome.output
    for profile in playbooks.profiles.glob("*.ovpn"):
        if not profile.name.startswith("frank@"):
            profile.unlink()


def test_status_shows_who_is_connected_and_how_old_the_crl_is(bystander: Client, playbooks: Playbooks) -> None:
    outcome = playbooks.succeed("status")
    assert outcome.changed == 0
    assert re.search(r"bob +laptop .*tcp", outcome.output)
    assert re.search(r"gateway1  [A-Z]+.*?CRL \d+, .* old", outcome.output, re.DOTALL)


def test_a_new_crl_on_request_reaches_every_gateway(playbooks: Playbooks, gateways: tuple[LabHost, LabHost]) -> None:
    number = "openssl crl -noout -crlnumber -in /etc/openvpn/server/privatespace/crl.pem"
    before = [int(gateway.run(number).partition("=")[2], 16) for gateway in gateways]
    playbooks.succeed("crl_refresh", variables={"crl_force": "true"})
    after = [int(gateway.run(number).partition("=")[2], 16) for gateway in gateways]
    assert after == [before[0] + 1] * 2
