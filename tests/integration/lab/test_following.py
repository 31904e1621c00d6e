"""Gateways follow the CRL by themselves, from the file or by serial numbers, and change between the two ways."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from integration.lab.lab_run import INSTANCE, OPENVPN_ALONE, PAGE, Playbooks, variables_beside_the_inventory
from integration.lab.test_removal import assert_kept_out, connect_as, forget, without_ssh
from privatespace_lab.engine import podman
from privatespace_lab.remote import Client, LabHost
from privatespace_lab.topology import container_name

FOLDER = "/etc/openvpn/server/privatespace"
LIMIT = ("--limit", "authority1,gateway1", *OPENVPN_ALONE)
DROP_IN = "/etc/systemd/system/openvpn-server@udp.service.d/privatespace.conf"
UNITS = "/etc/systemd/system/privatespace-revocation"


def state_of(gateway: LabHost) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gateway.run("cat /var/lib/privatespace/revocation/state.json"))
    return found


def follow(gateway: LabHost) -> None:
    """Look now instead of within a minute; by podman, so that it works without SSH, too."""
    podman("exec", container_name(INSTANCE, gateway.name), "systemctl", "restart", "privatespace-revocation.service")


def test_every_gateway_follows_and_says_so(playbooks: Playbooks, gateways: tuple[LabHost, LabHost]) -> None:
    for gateway in gateways:
        follow(gateway)
        assert gateway.succeeds("systemctl is-active privatespace-revocation.timer")
        state = state_of(gateway)
        assert (state["problem"], state["notes"]) == ("", [])
        assert state["enforced_sha256"] == gateway.run(f"sha256sum < {FOLDER}/crl.pem").split()[0]
        assert "CRL number" in gateway.run("privatespace-revocation --show")
        exposure = gateway.run("systemd-analyze security --no-pager privatespace-revocation.service | tail -1")
        assert float(re.findall(r"\d+\.\d", exposure)[0]) < 3
    assert re.search(r"CRL \d+, .* old, good for .*, checked \d+ s ago", playbooks.succeed("status").output)


def test_a_gateway_that_no_playbook_reaches_cuts_by_itself(
    alice: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    gateway = gateways[1]
    connect_as(alice, playbooks, "vera@laptop", protocol="tcp", gateway=gateway.name)
    connect_as(bob, playbooks, "veronica@laptop", protocol="tcp", gateway=gateway.name)
    with without_ssh(gateway):
        assert playbooks.run("user_remove", variables={"user_name": "vera"}).status != 0
        follow(gateway)
        assert alice.fetch(PAGE, seconds=2) is None
        assert bob.fetch(PAGE) is not None
    assert_kept_out(alice, playbooks, gateway, r"certificate revoked.*vera@laptop")
    assert "cut: vera@laptop on tcp" in gateway.run("journalctl --unit privatespace-revocation --output cat -n 20")
    playbooks.remove("vera")
    playbooks.remove("veronica")
    forget(playbooks, "vera@laptop", "veronica@laptop")


def test_an_authority_that_is_silent_for_a_moment_is_noted(
    authority: LabHost, gateways: tuple[LabHost, LabHost]
) -> None:
    authority.run("systemctl stop privatespace-publish")
    try:
        follow(gateways[0])
        state = state_of(gateways[0])
        assert (state["problem"], len(state["notes"])) == ("", 1)
        assert gateways[0].succeeds("! systemctl is-failed privatespace-revocation.service")
    finally:
        authority.run("systemctl start privatespace-publish")
    follow(gateways[0])
    assert state_of(gateways[0])["notes"] == []


@pytest.fixture
def revoked(alice: Client, playbooks: Playbooks) -> Iterator[Client]:
    """A device whose certificate is revoked, and which tries to connect to the first gateway all the time."""
    alice.install_profile(playbooks.add("vic", "laptop"))
    playbooks.remove("vic")
    alice.start(protocol="udp", address=playbooks.addresses["gateway1"], extra=("--connect-retry", "1", "1"))
    yield alice
    assert not alice.is_connected_within(0)
    forget(playbooks, "vic@laptop")


def test_no_moment_between_the_two_ways_lets_a_revoked_device_in(
    revoked: Client, bob: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    """From the file to serial numbers, and back."""
    gateway, complaint = gateways[0], "What follows the CRL on gateway1 complains: "
    (url,) = json.loads(gateway.run("cat /etc/privatespace/revocation.json"))["urls"]
    # Nobody is at the first of these addresses.
    serials = {"openvpn_revocation": "serials", "openvpn_crl_urls": [url.replace("/crl.pem", ":9/crl.pem"), url]}
    with variables_beside_the_inventory("gateway1", serials):
        assert complaint in playbooks.succeed("site", *LIMIT).output
        assert not revoked.is_connected_within(3)
        assert gateway.run(f"grep -c 'crl-verify {FOLDER}/revoked dir' /etc/openvpn/server/udp.conf") == "1"
        listed = int(gateway.run(f"openssl crl -in {FOLDER}/crl.pem -noout -text | grep -c 'Serial Number'"))
        assert int(gateway.run(f"ls {FOLDER}/revoked | wc -l")) == listed > 0
        assert "by serial numbers" in playbooks.succeed("status").output

        connect_as(bob, playbooks, "wyn@laptop", protocol="tcp", gateway=gateway.name)
        playbooks.remove("wyn")
        assert bob.fetch(PAGE, seconds=2) is None
        assert_kept_out(bob, playbooks, gateway, r"is revoked")
        assert int(gateway.run(f"ls {FOLDER}/revoked | wc -l")) == listed + 1
        forget(playbooks, "wyn@laptop")
    assert complaint not in playbooks.succeed("site", *LIMIT).output
    assert not revoked.is_connected_within(3)
    assert not gateway.succeeds(f"test -e {FOLDER}/revoked")
    assert gateway.succeeds("systemctl is-active privatespace-revocation.timer")


@pytest.mark.soak
def test_second_runs_change_nothing_and_a_gateway_may_stop_to_follow(
    revoked: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    """From serial numbers to a gateway that does not follow by itself; then as before."""
    gateway = gateways[0]
    with variables_beside_the_inventory("gateway1", {"openvpn_revocation": "serials"}):
        playbooks.succeed("site", *LIMIT)
        assert playbooks.succeed("site", *LIMIT).changed == 0
    with variables_beside_the_inventory("gateway1", {"openvpn_crl_urls": []}):
        playbooks.succeed("site", *LIMIT)
        assert not revoked.is_connected_within(3)
        assert not gateway.succeeds(f"test -e {FOLDER}/revoked")
        assert not gateway.succeeds(f"ls {UNITS}* /etc/privatespace/revocation.json /usr/local/sbin/privatespace-rev*")
        assert not gateway.succeeds(f"grep revocation {DROP_IN}")
        assert playbooks.succeed("site", *LIMIT).changed == 0
    playbooks.succeed("site", *LIMIT)
    assert not revoked.is_connected_within(3)
    assert gateway.succeeds("systemctl is-active privatespace-revocation.timer")


def test_a_policy_that_could_not_hold_is_refused_before_anything_is_touched(playbooks: Playbooks) -> None:
    """One for all; the others are tried where nothing has to be installed."""
    outcome = playbooks.run("site", *LIMIT, variables={"openvpn_revocation": "serials", "openvpn_crl_urls": []})
    assert outcome.status != 0
    assert "openvpn_crl_urls is empty" in outcome.output.replace("\n", " ")
    assert outcome.changed == 0
