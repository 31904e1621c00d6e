"""What goes wrong: bad names, a wrong PIN, a gateway that is down, restarts; a clear error each, and nothing lost."""

from __future__ import annotations

import re

import pytest
from integration.lab.lab_run import INTERNET, INVENTORY, PAGE, Playbooks
from privatespace_lab.remote import Client, LabHost

ROWS = """
import sqlite3
store = sqlite3.connect("file:/var/lib/privatespace/authority/authority.db?mode=ro", uri=True)
names = [name for (name,) in store.execute("select name from sqlite_master where type = 'table'")]
print({name: len(store.execute(f"select * from {name}").fetchall()) for name in names})
"""
COUNT = f"/opt/privatespace/authority/bin/python - <<'END'\n{ROWS}END"

BAD_NAMES = {
    "empty": "",
    "10,000 characters": "a" * 10_000,
    "unicode": "zoë",
    "look-alike": "аlice",
    "path": "../../etc",
    "newline": "alice\nup /bin/sh",
    "quote": 'ali"ce',
    "apostrophe": "o'brien",
    "colon": "alice:bob",
    "space": "alice smith",
    "upper case": "Alice",
    "at sign": "alice@phone",
}


@pytest.mark.parametrize("field", ["user_name", "user_device"])
def test_bad_names_are_refused_before_anything_changes(playbooks: Playbooks, authority: LabHost, field: str) -> None:
    before = authority.run(COUNT)
    for case, value in BAD_NAMES.items():
        if field == "user_device" and not value:
            continue  # no device named means the device `default`
        names = {"user_name": "heidi", "user_device": "laptop", field: value}
        outcome = playbooks.run("user_add", variables=names)
        assert outcome.status != 0, f"{case} was accepted"
        assert re.search(r"(user|device) name", outcome.output, re.IGNORECASE), f"{case}: {outcome.output}"
        assert len(outcome.output) < 8_000, f"{case}: the error is no longer readable"
    assert authority.run(COUNT) == before
    assert not list(playbooks.profiles.glob("heidi*"))


def test_an_unknown_user_is_named_and_nothing_changes(playbooks: Playbooks, authority: LabHost) -> None:
    before = authority.run(COUNT)
    outcome = playbooks.run("user_remove", variables={"user_name": "nobody-here"})
    assert outcome.status != 0
    assert "nobody-here" in outcome.output
    assert authority.run(COUNT) == before


def test_a_wrong_pin_is_tried_once_and_told(playbooks: Playbooks, authority: LabHost) -> None:
    before = authority.run(COUNT)
    outcome = playbooks.run("user_add", variables={"user_name": "ivan", "pki_hsm_pin": "00000000"})
    assert outcome.status != 0
    assert "PIN" in outcome.output
    assert "00000000" not in outcome.output
    assert authority.run(COUNT) == before


def test_a_missing_token_is_named(playbooks: Playbooks) -> None:
    outcome = playbooks.run("user_add", variables={"user_name": "ivan", "pki_hsm_token": "no-such-token"})
    assert outcome.status != 0
    assert "no-such-token" in outcome.output


def test_a_gateway_that_is_down_is_named_and_a_second_run_finishes(
    alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    first, second = gateways
    alice.install_profile(playbooks.add("judy", "laptop"))
    alice.connect(protocol="tcp", address=playbooks.addresses[second.name])
    (playbooks.profiles / "judy@laptop.ovpn").unlink()
    # By itself it would hear of the revocation within a minute.
    second.run("systemctl stop privatespace-revocation.timer")
    second.stop_ssh()
    try:
        outcome = playbooks.run("user_remove", variables={"user_name": "judy"})
        assert outcome.status != 0
        assert re.search(rf"NOT PROVED on {second.name}: it could not be reached", outcome.output)
        assert re.search(rf"{first.name} +verified: not connected", outcome.output)
        assert alice.fetch(PAGE) is not None
    finally:
        second.start_ssh()

    try:
        outcome = playbooks.succeed("user_remove", variables={"user_name": "judy"})
    finally:
        second.run("systemctl start privatespace-revocation.timer")
    assert re.search(rf"{second.name} +1 session cut \(judy@laptop on tcp\)", outcome.output)
    assert alice.fetch(PAGE, seconds=2) is None


def test_a_run_limited_to_one_gateway_does_not_claim_the_other(playbooks: Playbooks) -> None:
    playbooks.add("mallory", "laptop")
    outcome = playbooks.run("user_remove", "--limit", "authority,gateway1", variables={"user_name": "mallory"})
    assert outcome.status != 0
    assert re.search(r"NOT PROVED on gateway2: .*--limit", outcome.output)
    playbooks.remove("mallory")
    (playbooks.profiles / "mallory@laptop.ovpn").unlink()


def test_check_mode_tells_and_changes_nothing(alice: Client, playbooks: Playbooks, authority: LabHost) -> None:
    alice.install_profile(playbooks.add("oscar", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    before = authority.run(COUNT)
    playbooks.succeed("user_remove", "--check", "--diff", variables={"user_name": "oscar"})
    playbooks.succeed("user_add", "--check", "--diff", variables={"user_name": "peggy"})
    assert authority.run(COUNT) == before
    assert alice.fetch(PAGE) is not None
    assert not (playbooks.profiles / "peggy@default.ovpn").exists()


def test_nothing_secret_is_shown_or_left_behind(
    installation_output: str, playbooks: Playbooks, authority: LabHost, gateways: tuple[LabHost, LabHost]
) -> None:
    added = playbooks.succeed("user_add", "-vvv", "--diff", variables={"user_name": "trent", "user_device": "laptop"})
    assert "privatespace.gateway.openvpn : " in installation_output
    assert "+++ after" in installation_output
    profile = (playbooks.profiles / "trent@laptop.ovpn").read_text()
    pin = (INVENTORY.parent / "hsm-pin").read_text().strip()
    server_key = authority.run("cat /var/lib/privatespace/authority/tls-crypt-v2-server.key")
    dns_keys = [
        gateway.run("sed -n 's/.*secret \"\\(.*\\)\".*/\\1/p' /etc/privatespace/dns.key") for gateway in gateways
    ]
    dns_keys.append((INVENTORY.parent / "dns-key").read_text().strip())
    assert all(len(key) > 40 for key in dns_keys), dns_keys
    canaries = [pin, *dns_keys, *secret_lines(profile), *secret_lines(server_key)]
    assert len(canaries) > 8
    for canary in canaries:
        assert canary not in added.output
        assert canary not in installation_output
    for host in (authority, *gateways):
        journal = host.run("journalctl --output cat --no-pager | tail -n 4000")
        left = host.run("grep -rlsF -f - /tmp /var/tmp /root/.ansible || true", feed="\n".join(canaries))
        assert left == "", f"{host.name} keeps secrets in {left}"
        assert not [canary for canary in canaries if canary in journal], f"the journal of {host.name} shows a secret"


def secret_lines(text: str) -> list[str]:
    """The lines of private keys and of tls-crypt-v2 keys."""
    blocks = re.findall(r"-----BEGIN ([^\n]*(?:PRIVATE KEY|tls-crypt-v2)[^\n]*)-----\n(.*?)-----END", text, re.DOTALL)
    return [line for _title, body in blocks for line in body.split() if len(line) > 20]


def test_tunnels_survive_a_restart_of_nftables(
    alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    alice.install_profile(playbooks.add("rupert", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    gateways[0].run("systemctl restart nftables")
    assert alice.fetch(PAGE) is not None


def test_a_restarted_gateway_serves_and_refuses_as_before(
    alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    old = playbooks.add("sybil", "laptop")
    alice.install_profile(old)
    playbooks.remove("sybil")
    old.unlink()
    gateways[0].reboot()
    alice.start(protocol="udp", address=playbooks.addresses["gateway1"])
    assert not alice.is_connected_within(10)
    alice.install_profile(playbooks.add("rupert", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None
    alice.start_ping(INTERNET)
    assert alice.stop_ping().lost <= 1


@pytest.mark.soak
def test_a_check_of_converged_hosts_finds_nothing_to_change(playbooks: Playbooks) -> None:
    assert playbooks.succeed("site", "--check", "--diff", "--limit", "authority1,gateway2,nameserver").changed == 0
