# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web server of a gateway is told, where it waits, and what it is not told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.web_plan import web_plan

NAME = "cambridge2.example.net"
TCP = {"name": "tcp", "protocol": "tcp", "port": 443}
SHARE = "127.0.0.1:8443"
DEBIAN_13 = "nginx version: nginx/1.26.3\nbuilt with OpenSSL 3.5.1 1 Jul 2025\nTLS SNI support enabled"


def plan(**more: Any) -> dict[str, Any]:
    return web_plan({"server_names": [NAME], **more})


def refused(**more: Any) -> str:
    with pytest.raises(AnsibleFilterError) as raised:
        plan(**more)
    return str(raised.value)


@pytest.mark.parametrize(
    ("listeners", "ipv6", "https"),
    [
        ([], True, ["443", "[::]:443"]),
        ([], False, ["443"]),
        ([{"name": "udp", "protocol": "udp", "port": 443}], True, ["443", "[::]:443"]),
        ([{**TCP, "port": 1194}], True, ["443", "[::]:443"]),
        ([TCP], True, [SHARE]),
        ([{**TCP, "port_share": SHARE}], False, [SHARE]),
        # OpenVPN has the port in one family only; the web server takes it in the other one.
        ([{**TCP, "address": "192.0.2.1"}], True, [SHARE, "[::]:443"]),
        ([{**TCP, "address": "192.0.2.1"}], False, [SHARE]),
        ([{**TCP, "address": "2001:db8::1"}], True, [SHARE, "443"]),
        ([{**TCP, "address": "2001:db8::1"}, {**TCP, "address": "192.0.2.1"}], True, [SHARE]),
    ],
)
def test_where_it_waits(listeners: list[Any], ipv6: bool, https: list[str]) -> None:
    found = plan(listeners=listeners, port_share=SHARE, ipv6=ipv6)
    assert found["sockets"] == ["80", *(["[::]:80"] if ipv6 else []), *https]
    assert found["shared"] == (SHARE if SHARE in https else "")
    for socket in https:
        assert f"listen {socket} ssl http2 default_server;" in found["files"]["nginx.conf"]
        assert f"listen {socket} ssl http2;" in found["files"]["available/https.conf"]


@pytest.mark.parametrize(
    ("listeners", "https"),
    [
        ([TCP], [SHARE, "[::]:443"]),
        ([{**TCP, "address": "2001:db8::1"}], [SHARE, "443"]),
        ([{**TCP, "address": "2001:db8::1"}, TCP], [SHARE]),
    ],
)
def test_it_answers_ipv6_itself_where_openvpn_does_not(listeners: list[Any], https: list[str]) -> None:
    found = plan(listeners=listeners, port_share=SHARE, listeners_ipv6=False)
    assert found["sockets"] == ["80", "[::]:80", *https]
    assert plan(listeners=[TCP], port_share=SHARE, listeners_ipv6=False, ipv6=False)["sockets"] == ["80", SHARE]


def test_a_listener_that_hands_browsers_elsewhere_is_refused() -> None:
    told = refused(listeners=[{**TCP, "port_share": "127.0.0.1:4443"}])
    assert "hands browsers to 127.0.0.1:4443" in told
    assert "remove port_share from the listener" in told
    assert "hands browsers to nobody" in refused(listeners=[TCP], port_share="")
    assert "hands browsers to nobody" in refused(listeners=[{**TCP, "port_share": ""}], port_share=SHARE)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"server_names": []}, "or web_server_names"),
        ({"server_names": None}, "or web_server_names"),
        ({"server_names": ["192.0.2.1"]}, "not the full name of a host"),
        ({"server_names": ["localhost"]}, "not the full name of a host"),
        ({"server_names": ["*.example.net"]}, "not the full name of a host"),
        ({"server_names": ["a.example.net; }"]}, "not the full name of a host"),
        ({"server_names": ["a.example.net\n"]}, "control character"),
        ({"server_names": [7]}, "an entry is not a name"),
        ({"http_port": 0}, "web_http_port"),
        ({"https_port": "443;"}, "web_https_port"),
        ({"shared_port": True}, "web_shared_port"),
        ({"shared_port": 443}, "three different ports"),
        ({"tls_profile": "old"}, "none of intermediate, modern"),
        ({"hsts_seconds": -1}, "web_hsts_seconds"),
        ({"listeners": [{**TCP, "port": 80}]}, "is on 80/tcp, which is web_http_port"),
        ({"listeners": [{**TCP, "port": 8443}]}, "is on 8443/tcp, which is web_shared_port"),
        ({"listeners": "tcp"}, "not a list of dictionaries"),
        ({"server_name": NAME}, "Unknown setting of the web server: server_name"),
    ],
)
def test_what_nginx_could_not_be_told_is_refused(more: dict[str, Any], told: str) -> None:
    assert told in refused(**more)


def test_names_are_written_once_and_in_one_way() -> None:
    found = plan(server_names=["Cambridge2.Example.Net.", NAME, "vpn.example.net"])
    assert found["names"] == [NAME, "vpn.example.net"]
    assert f"server_name {NAME} vpn.example.net;" in found["files"]["available/https.conf"]


def test_a_newer_nginx_is_told_what_it_knows() -> None:
    files = plan(version=DEBIAN_13)["files"]
    assert "http2 on;" in files["available/https.conf"]
    assert not re.search(r"listen .* http2", files["nginx.conf"] + files["available/https.conf"])
    assert "ssl_ecdh_curve X25519MLKEM768:" in files["nginx.conf"]
    assert "MLKEM" not in plan()["files"]["nginx.conf"]


def test_the_modern_profile_has_no_older_tls() -> None:
    text = plan(tls_profile="modern")["files"]["nginx.conf"]
    assert "ssl_protocols TLSv1.3;" in text
    assert "ssl_ciphers" not in text


def test_visitors_are_sent_to_the_port_that_they_reach() -> None:
    assert "return 301 https://$host$request_uri;" in plan(listeners=[TCP], port_share=SHARE)["files"]["nginx.conf"]
    assert "return 301 https://$host:4433$request_uri;" in plan(https_port=4433)["files"]["nginx.conf"]


def test_how_long_browsers_keep_to_tls_can_be_chosen() -> None:
    assert '"max-age=63072000"' in plan()["files"]["headers.conf"]
    assert '"max-age=0"' in plan(hsts_seconds=0)["files"]["headers.conf"]
