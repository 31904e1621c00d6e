"""A client's log and profile: what is told of them, and that nothing secret is."""

from __future__ import annotations

import random

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.client_log import parse_client_log
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.client_profile import plan_client_profile

LOG = """2026-11-23 18:00:00 us=1 OpenVPN 2.6.14 x86_64-pc-linux-gnu
2026-11-23 18:00:01 us=2 PUSH: Received control message: 'PUSH_REPLY,redirect-gateway def1 ipv6,\
dhcp-option DNS 10.91.0.1,dns server 0 address fd91::1,block-outside-dns,route-gateway 10.91.8.1,\
ifconfig 10.91.0.2 255.255.255.0,auth-token SESS_ID_secret,tun-mtu 1400,\
compress lz4-v2,cipher AES-256-GCM'
2026-11-23 18:00:01 us=3 Data Channel: cipher 'AES-256-GCM', peer-id: 0, compression: 'lz4v2'
2026-11-23 18:00:01 us=4 Initialization Sequence Completed
"""
OLD = """Outgoing Data Channel: Cipher 'AES-256-GCM' initialized with 256 bit key
PUSH: Received control message: 'PUSH_REPLY,dhcp-option DNS 10.8.0.1,route 10.8.0.1,ifconfig 10.8.0.6 10.8.0.5'
Initialization Sequence Completed
"""
PROFILE = """client
dev tun
remote gw.example.net 1194 udp
up /etc/openvpn/update-resolv-conf
script-security 2
redirect-gateway def1
management 127.0.0.1 7505
cipher AES-256-GCM
# a comment
<connection>
remote other.example.net 443 tcp
</connection>
<key>
up is no directive here
</key>
"""


def test_what_is_agreed_and_pushed() -> None:
    state = parse_client_log(LOG)
    assert (state.connected, state.address, state.device_mtu) == (True, "10.91.0.2", 1400)
    assert (state.cipher, state.compression, state.resolvers) == ("AES-256-GCM", "lz4v2", ("10.91.0.1", "fd91::1"))
    assert {"redirect-gateway def1 ipv6", "block-outside-dns"} <= set(state.pushed)
    assert "secret" not in repr(state)
    assert (state.gateway, state.answered) == ("10.91.8.1", True)


def test_that_the_port_answered_is_known_before_anything_is_agreed() -> None:
    asked = "2026-11-23 18:00:00 UDPv4 link remote: [AF_INET]192.0.2.1:1194\n"
    came = "2026-11-23 18:00:01 TLS: Initial packet from [AF_INET]192.0.2.1:1194, sid=0a1b2c3d 4e5f6071\n"
    assert not parse_client_log(asked).answered
    late = parse_client_log(asked + came)
    assert (late.answered, late.connected, late.gateway) == (True, False, "")


def test_lines_of_2_4() -> None:
    state = parse_client_log(OLD)
    assert (state.address, state.cipher, state.resolvers) == ("10.8.0.6", "AES-256-GCM", ("10.8.0.1",))
    assert not state.compression


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("AUTH: Received control message: AUTH_FAILED", "refused the profile"),
        ("VERIFY ERROR: depth=0, error=certificate has expired: CN=gateway", "certificate was not accepted"),
        ("Options error: Unrecognized option or missing parameter(s) in stdin:3: nonsense (2.6.14)", "nonsense"),
        ("TCP: connect to [AF_INET]10.0.0.1:443 failed: Connection refused", "refuses connections"),
    ],
)
def test_why_it_did_not_connect(line: str, named: str) -> None:
    assert named in parse_client_log(f"2026-11-23 18:00:00 {line}\n").error


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_log_is_read_as_far_as_it_goes(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    letters = list(LOG + OLD)
    for _change in range(40):
        letters[chance.randrange(len(letters))] = chance.choice("\x00', []:\n0123456789é")
    assert len(parse_client_log("".join(letters)).pushed) <= 60


def test_a_profile_keeps_what_connects_and_nothing_that_changes_the_host() -> None:
    assert plan_client_profile(PROFILE).splitlines() == [
        "client", "cipher AES-256-GCM", "<key>", "up is no directive here", "</key>",
    ]  # fmt: skip
