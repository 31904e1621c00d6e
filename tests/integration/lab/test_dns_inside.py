# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name service of connected devices: through the tunnel or not at all, whatever becomes of the resolver outside."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from integration.lab.lab_run import INSTANCE, INTERNET, Playbooks, variables_beside_the_inventory
from privatespace_lab import topology
from privatespace_lab.remote import Client, LabHost

INSIDE = "www.internet.lab"
OUTSIDE = "www.outside.example"
NAMESERVER = topology.nameserver_address(INSTANCE)
ASK = (
    "python3 -c 'import dns.message, dns.query;"
    f' print(dns.query.udp(dns.message.make_query("{INSIDE}", "A"), "127.0.0.1", timeout=1).answer[-1][0])\''
)
POISON = "192.0.2.66"
# Answers every question for an A record with the same address.
POISONER = f"""\
import socket, socketserver
class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        question, connection = self.request
        end = question.index(0, 12) + 5
        head = question[:2] + bytes.fromhex("8180000100010000 0000".replace(" ", ""))
        record = bytes.fromhex("c00c00010001000000050004") + socket.inet_aton("{POISON}")
        connection.sendto(head + question[12:end] + record, self.client_address)
socketserver.UDPServer(("0.0.0.0", 53), Answer).serve_forever()
"""


@pytest.fixture(scope="module")
def groups(playbooks: Playbooks) -> Iterator[None]:
    """gateway2 with a group in split tunnel, which asks inside for one domain."""
    inside = {"full_tunnel": False, "push_routes": [f"{INTERNET}/32"], "dns_domains": ["internet.lab"]}
    wanted = {
        "openvpn_groups": [{"name": "staff", "default": True}, {"name": "field", **inside}],
        "openvpn_users": [{"name": "felix", "group": "field"}],
    }
    playbooks.add("felix", "laptop")
    with variables_beside_the_inventory("gateway2", wanted):
        playbooks.succeed("user_enable", variables={"user_name": "felix"})
        yield
    playbooks.succeed("user_enable", variables={"user_name": "felix"})


@pytest.fixture
def device(alice: Client, playbooks: Playbooks) -> Iterator[Client]:
    """A device on which all names go through systemd-resolved, which the profile for Linux tells whom to ask."""
    alice.run("systemctl start systemd-resolved && cp /etc/resolv.conf /run/resolv.before")
    alice.run(f"echo 'nameserver 127.0.0.53' > /etc/resolv.conf; resolvectl dns outside {NAMESERVER}")
    yield alice
    alice.stop()
    alice.run("cat /run/resolv.before > /etc/resolv.conf; systemctl stop systemd-resolved")


def connect(device: Client, playbooks: Playbooks, user: str, protocol: str) -> None:
    path = playbooks.profiles / f"{user}@laptop.linux.ovpn"
    if not path.is_file():
        given = {"user_name": user, "user_device": "laptop", "user_reissue": "true"}
        playbooks.succeed("user_add", variables={**given, "openvpn_profile_variants": ["generic", "linux"]})
    device.install_profile(path)
    device.connect(protocol=protocol, address=playbooks.addresses["gateway2"])


def browse(device: Client) -> list[str]:
    """Look up a name inside and one outside; the DNS packets that are seen on the interface outside meanwhile."""
    device.run("resolvectl flush-caches")
    # Not LLMNR: by that, systemd-resolved only asks whether another host on the link bears its own name.
    device.start_capture("outside", "port 53 or port 853")
    assert INTERNET in device.run(f"resolvectl --legend=no query {INSIDE}")
    assert NAMESERVER in device.run(f"resolvectl --legend=no query {OUTSIDE}")
    device.run(f"curl --silent --max-time 5 http://{INSIDE}/ | grep -q .")
    return device.stop_capture()


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_in_full_tunnel_not_one_question_leaves_around_it(device: Client, playbooks: Playbooks, protocol: str) -> None:
    connect(device, playbooks, "dora", protocol)
    assert browse(device) == []


def test_in_split_tunnel_exactly_the_names_outside_are_asked_outside(
    groups: None, device: Client, playbooks: Playbooks
) -> None:
    connect(device, playbooks, "felix", "udp")
    seen = browse(device)
    questions = [line for line in seen if "?" in line]
    assert questions
    assert all(OUTSIDE in line for line in questions), questions


@pytest.mark.parametrize("outside", ["dead", "poisoned"])
def test_a_resolver_outside_that_is_dead_or_lies_does_not_matter_inside(
    device: Client, bob: Client, playbooks: Playbooks, outside: str
) -> None:
    connect(device, playbooks, "dora", "udp")
    address = "192.0.2.53"
    if outside == "poisoned":
        address = topology.address(INSTANCE, next(host for host in topology.HOSTS if host.name == "bob"), "outside")
        bob.write("/run/poisoner.py", POISONER)
        bob.run("systemd-run --quiet --collect --unit lab-poisoner python3 /run/poisoner.py; sleep 0.5")
    try:
        device.run(f"resolvectl dns outside {address}; resolvectl flush-caches")
        if outside == "poisoned":
            assert device.run(f"dig +short @{address} {INSIDE}") == POISON
        assert INTERNET in device.run(f"resolvectl --legend=no query {INSIDE}")
        assert NAMESERVER in device.run(f"resolvectl --legend=no query {OUTSIDE}")
    finally:
        bob.run("systemctl stop lab-poisoner; true")


def test_dnsmasq_comes_back_when_it_is_killed(gateways: tuple[LabHost, LabHost]) -> None:
    for gateway in gateways:
        assert gateway.run(ASK) == INTERNET
        start = time.monotonic()
        gateway.run("systemctl kill --signal KILL privatespace-dnsmasq.service")
        while gateway.run(f"{ASK} 2>/dev/null; true") != INTERNET:
            assert time.monotonic() - start < 30
        print(f"\n{gateway.name}: dnsmasq answers again {time.monotonic() - start:.1f} s after it was killed")


def test_nobody_outside_is_answered(alice: Client, playbooks: Playbooks) -> None:
    """A resolver that is open to the world is used for attacks on others."""
    for address in playbooks.addresses.values():
        assert not alice.succeeds(f"dig +time=1 +tries=1 @{address} {INSIDE}")
