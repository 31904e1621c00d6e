# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has the ports of the web server."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.filter.web_ports import web_ports

SHARED = ["80", "[::]:80", "127.0.0.1:8443"]
OURS = """\
LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=12,fd=6),("nginx",pid=10,fd=6))
LISTEN 0 511 127.0.0.1:8443 0.0.0.0:* users:(("nginx",pid=12,fd=8),("nginx",pid=10,fd=8))
LISTEN 0 511 [::]:80 [::]:* users:(("nginx",pid=12,fd=7),("nginx",pid=10,fd=7))
LISTEN 0 32 *:443 *:* users:(("openvpn",pid=7,fd=6))
LISTEN 0 32 [fe80::1]%tun-udp:80 [::]:* users:(("nginx",pid=10,fd=9))
"""


def line(address: str, name: str = "apache2") -> str:
    return f'LISTEN 0 511 {address} *:* users:(("{name}",pid=4,fd=3))\n'


def test_our_own_web_server_is_in_nobodys_way() -> None:
    assert web_ports(OURS, SHARED, 10) == {"taken": [], "missing": []}


def test_another_nginx_is() -> None:
    taken = web_ports(OURS, SHARED)["taken"]
    assert "0.0.0.0:80 is taken by nginx (process 12). If nobody needs it: systemctl disable --now nginx." in taken
    assert len(taken) == 4


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("*:80", True),
        ("10.0.0.1:80", True),
        ("[::1]:80", True),
        ("0.0.0.0:8443", True),
        ("*:8443", True),
        ("127.0.0.1:8443", True),
        ("10.0.0.1:8443", False),
        ("[::]:8443", False),
        ("[::1]:8443", False),
        ("0.0.0.0:8080", False),
        ("0.0.0.0:443", False),
    ],
)
def test_which_addresses_are_in_the_way(address: str, is_taken: bool) -> None:
    assert bool(web_ports(line(address), SHARED)["taken"]) is is_taken


def test_what_it_does_not_wait_on_is_told() -> None:
    assert web_ports(OURS, ["80", "443", "[::]:443"], 10)["missing"] == ["0.0.0.0:443", "[::]:443"]
    assert web_ports("", SHARED, 10)["missing"] == ["0.0.0.0:80", "[::]:80", "127.0.0.1:8443"]


def test_a_holder_that_cannot_be_seen_is_told_all_the_same() -> None:
    (told,) = web_ports("LISTEN 0 5 0.0.0.0:80 0.0.0.0:*\n", ["80"])["taken"]
    assert told == "0.0.0.0:80 is taken by somebody. Stop it, or give it another port."


def test_who_leaves_before_we_come_has_taken_nothing() -> None:
    both = line("*:80", "openvpn") + line("127.0.0.1:8443")
    (told,) = web_ports(both, SHARED, 0, ["openvpn"])["taken"]
    assert "taken by apache2" in told
    assert web_ports("LISTEN 0 5 0.0.0.0:80 0.0.0.0:*\n", ["80"], 0, ["openvpn"])["taken"]
