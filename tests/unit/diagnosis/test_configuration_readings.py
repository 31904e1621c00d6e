"""What a configuration says, by option, and that no secret of it gets out."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import configuration_readings as readings

TEXT = """# a comment
; another
port 1194
--proto tcp-server
dev tun
server 10.91.0.0 255.255.255.0   # the clients
server-ipv6 fd00:91::/64
management /run/openvpn-server/tcp.sock unix
push "route 10.0.0.0 255.0.0.0"
push "dhcp-option DNS 10.91.0.1; here it is text"
sndbuf 1
sndbuf\t393216
tcp-nodelay
setenv PASSWORD hunter2
plugin /usr/lib/x.so secret=hunter2
<key>
-----BEGIN PRIVATE KEY-----
hunter2
</key>
verb 3
"""


def test_options_are_read_as_the_file_has_them() -> None:
    options = readings.parse_options(TEXT)
    assert options["port"] == "1194"
    assert options["server"] == "10.91.0.0 255.255.255.0"
    assert options["sndbuf"] == "393216", "the last one counts"
    assert options["push"].splitlines() == [
        '"route 10.0.0.0 255.0.0.0"', '"dhcp-option DNS 10.91.0.1; here it is text"'
    ]  # fmt: skip
    assert options["tcp-nodelay"] == ""
    assert (options["key"], options["verb"]) == ("[inline]", "3")
    assert set(options) >= {"setenv", "plugin"}
    assert "hunter2" not in repr(options)
    assert "PRIVATE" not in repr(options)


def test_a_server_is_known_by_what_it_serves() -> None:
    options = readings.parse_options(TEXT)
    assert readings.is_server(options)
    assert (readings.transport_of(options), readings.port_of(options)) == ("tcp", 1194)
    assert readings.server_addresses(options) == ("10.91.0.1", "fd00:91::1")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("ifconfig 10.8.0.5 10.8.0.6", ("10.8.0.5",)),
        ("server 10.8.0.0", ()),
        ("server x y", ()),
        ("server 10.8.0.0 255.255.255.0\nifconfig 10.8.0.1 255.255.255.0", ("10.8.0.1",)),
    ],
)
def test_its_own_addresses_in_the_tunnel(text: str, addresses: tuple[str, ...]) -> None:
    assert readings.server_addresses(readings.parse_options(text)) == addresses


def test_a_client_is_no_server() -> None:
    assert not readings.is_server(readings.parse_options("client\nremote vpn.example.net 1194\n"))


@pytest.mark.parametrize(
    "text", ["", "\x00", "<key>", "</key>", "<key>\nport 1", "-", "--", '"', "port", "port x\nproto"]
)
def test_damaged_texts_are_read_without_an_error(text: str) -> None:
    options = readings.parse_options(text)
    assert readings.port_of(options) == 1194
    assert readings.transport_of(options) == "udp"
    assert readings.server_addresses(options) == ()
