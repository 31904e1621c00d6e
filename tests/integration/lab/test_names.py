# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of gateways as users and administrators see them: they follow the gateway, and nobody else can take them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.lab.lab_run import INSTANCE, INTERNET, PAGE, Playbooks, variables_beside_the_inventory
from privatespace_lab import topology
from privatespace_lab.remote import Client, LabHost

GATEWAY = topology.gateway_addresses(INSTANCE)["gateway1"]
GATEWAY6 = topology.gateway_addresses6(INSTANCE)["gateway1"]
OTHER = topology.gateway_addresses(INSTANCE)["gateway2"]
MOVED = GATEWAY.rpartition(".")[0] + ".41"
FLEET = f"vpn.{topology.ZONE}"
LIMIT = ("--limit", "authority1,gateway1,nameserver")
KEY = "/etc/privatespace/dns.key"
# Debian's library on the gateway, so that the update is what anybody with the key could send.
FORGE = """\
import re, sys, dns.query, dns.rcode, dns.tsigkeyring, dns.update
name, secret = re.search(r'key "([^"]+)".*?secret "([^"]+)"', open(sys.argv[1]).read(), re.DOTALL).groups()
update = dns.update.Update(sys.argv[2], keyring=dns.tsigkeyring.from_text({name: secret}), keyalgorithm="hmac-sha256")
update.replace(sys.argv[3] + ".", 60, "A", "192.0.2.66")
print(dns.rcode.to_text(dns.query.tcp(update, sys.argv[4], timeout=5).rcode()))
"""


@pytest.fixture(scope="module")
def names(playbooks: Playbooks, authority: LabHost) -> dict[str, str]:
    """The names of both gateways, as the authority has them."""
    found = authority.run(
        "/opt/privatespace/authority/bin/python -c 'import json, sqlite3;"
        ' print(json.dumps(dict(sqlite3.connect("/var/lib/privatespace/authority/authority.db")'
        '.execute("SELECT gateway, label FROM gateway_names WHERE released_at IS NULL"))))\''
    )
    return {gateway: f"{label}.{topology.ZONE}" for gateway, label in json.loads(found).items()}


def addresses(host: LabHost, name: str) -> list[str]:
    """What the users' resolver says about a name, both families."""
    return sorted(host.run(f"dig +short {name} A; dig +short {name} AAAA").split())


def wait_for(host: LabHost, name: str, expected: list[str], *, seconds: float = 60) -> float:
    """Seconds until a name leads where it should."""
    start = time.monotonic()
    while addresses(host, name) != sorted(expected):
        assert time.monotonic() - start < seconds, f"{name} is {addresses(host, name)}, not {expected}"
        time.sleep(0.5)
    return time.monotonic() - start


def test_every_gateway_has_a_town_and_the_fleet_a_name(names: dict[str, str], bob: Client) -> None:
    assert sorted(names) == ["gateway1", "gateway2"]
    assert all(re.fullmatch(r"[a-z-]+[0-9]*\.lab\.example", name) for name in names.values())
    assert addresses(bob, names["gateway1"]) == sorted([GATEWAY, GATEWAY6])
    assert OTHER in addresses(bob, names["gateway2"])
    assert {GATEWAY, OTHER} <= set(addresses(bob, FLEET))


def test_a_gateway_can_change_its_own_name_and_no_other(
    names: dict[str, str], gateways: tuple[LabHost, LabHost], bob: Client
) -> None:
    before = addresses(bob, names["gateway1"])
    for name in (names["gateway1"], FLEET, f"www.{topology.ZONE}"):
        command = f"{KEY} {topology.ZONE} {name} {topology.nameserver_address(INSTANCE)}"
        assert gateways[1].run(f"python3 - {command}", feed=FORGE) == "REFUSED"
    assert addresses(bob, names["gateway1"]) == before
    assert gateways[1].run(f"stat -c %a {KEY}") == "600"


def test_a_gateway_in_maintenance_leaves_the_name_of_the_fleet(playbooks: Playbooks, bob: Client) -> None:
    with variables_beside_the_inventory("gateway2", {"dns_maintenance": True}):
        playbooks.succeed("dns_update")
        assert OTHER not in addresses(bob, FLEET)
        assert GATEWAY in addresses(bob, FLEET)
    playbooks.succeed("dns_update")
    assert {GATEWAY, OTHER} <= set(addresses(bob, FLEET))


def test_a_hostile_name_is_refused_before_anything_is_touched(playbooks: Playbooks) -> None:
    with variables_beside_the_inventory("gateway1", {"dns_label": "leeds\nx IN A 192.0.2.1"}):
        outcome = playbooks.run("site", *LIMIT)
    assert outcome.status != 0
    assert "control character" in outcome.output
    assert outcome.changed == 0


@pytest.fixture
def profile(playbooks: Playbooks, names: dict[str, str]) -> Iterator[Path]:
    """A profile that names gateway1 by its name, as it does where nobody wrote an address."""
    with variables_beside_the_inventory("gateway1", {"openvpn_public_address": ""}):
        found = playbooks.add("nora", "laptop")
        assert f"remote {names['gateway1']} 1194 udp" in found.read_text()
        assert GATEWAY not in found.read_text()
        yield found


def test_a_gateway_that_comes_back_elsewhere_is_found_with_the_old_profile(
    profile: Path, names: dict[str, str], alice: Client, bob: Client, gateways: tuple[LabHost, LabHost]
) -> None:
    """It is moved while it restarts, as a cloud does it; then it moves back while it runs. No human does anything."""
    gateway = gateways[0]
    alice.install_profile(profile)
    alice.connect(protocol="udp", address=names["gateway1"])
    assert alice.fetch(PAGE) is not None
    gateway.write("/etc/systemd/system/lab-moved.service", moving_unit())
    try:
        gateway.run("systemctl daemon-reload && systemctl enable lab-moved.service")
        start = time.monotonic()
        gateway.reboot()
        wait_for(bob, names["gateway1"], [MOVED, GATEWAY6])
        print(f"\nrestart at a new address: the name leads there after {time.monotonic() - start:.1f} s")
        wait_for_packets(alice)
        print(f"restart at a new address: a connected client has packets after {time.monotonic() - start:.1f} s")
    finally:
        gateway.run("systemctl disable --now lab-moved.service; rm -f /etc/systemd/system/lab-moved.service; true")
        gateway.run(f"ip address del {MOVED}/24 dev outside; ip address add {GATEWAY}/24 dev outside; true")
    seconds = wait_for(bob, names["gateway1"], [GATEWAY, GATEWAY6])
    print(f"a new address while it runs: the name follows in {seconds:.1f} s")
    start = time.monotonic()
    wait_for_packets(alice)
    print(f"a new address while it runs: the client has packets {time.monotonic() - start:.1f} s later")


def moving_unit() -> str:
    return (
        "[Unit]\nDefaultDependencies=no\nBefore=network-online.target openvpn.service\nAfter=network.target\n"
        "[Service]\nType=oneshot\nRemainAfterExit=true\n"
        f"ExecStart=/usr/sbin/ip address del {GATEWAY}/24 dev outside\n"
        f"ExecStart=/usr/sbin/ip address add {MOVED}/24 dev outside\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def wait_for_packets(client: Client, *, seconds: float = 150) -> None:
    """The lifetime of the record is the longest that a client may hold on to the old address."""
    start = time.monotonic()
    while not client.succeeds(f"ping -c 1 -W 1 -I tun0 {INTERNET}"):
        assert time.monotonic() - start < seconds, client.log()[-2000:]
