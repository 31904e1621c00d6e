# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP listener on the port of the web hands browsers over, unless it says otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_listeners import openvpn_listeners
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_server_config import openvpn_server_config

UDP = {"name": "udp", "protocol": "udp", "port": 443, "network": "10.91.0.0/20"}
TCP = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20"}
WEB = "127.0.0.1:8443"


@pytest.mark.parametrize(
    ("listener", "shared"),
    [
        (TCP, WEB),
        ({**TCP, "port": "443"}, WEB),
        ({**TCP, "port_share": "127.0.0.1:4443"}, "127.0.0.1:4443"),
        ({**TCP, "port_share": ""}, None),
        ({**TCP, "port": 8080}, None),
        (UDP, None),
    ],
)
def test_who_hands_browsers_over(listener: dict[str, Any], shared: str | None) -> None:
    assert openvpn_listeners([listener], port_share=WEB)[0]["port_share"] == shared


def test_nobody_does_without_being_asked_to() -> None:
    assert openvpn_listeners([TCP])[0]["port_share"] is None


def test_every_process_of_a_listener_does() -> None:
    processes = openvpn_listeners([{**TCP, "per_core": True}], 2, port_share=WEB)
    assert [one["port_share"] for one in processes] == [WEB, WEB]


def test_what_is_wrong_with_the_default_is_told_for_the_listener() -> None:
    with pytest.raises(AnsibleFilterError, match="Listener 'tcp': port_share is the listener itself"):
        openvpn_listeners([TCP], port_share="127.0.0.1:443")


def test_where_browsers_come_from_is_noted_where_that_is_wanted() -> None:
    process = openvpn_listeners([TCP], port_share=WEB)[0]
    assert "\nport-share 127.0.0.1 8443\n" in openvpn_server_config(process)
    noted = openvpn_server_config(process, port_share_journal="/run/privatespace-visitors")
    assert "\nport-share 127.0.0.1 8443 /run/privatespace-visitors\n" in noted


@pytest.mark.parametrize("value", ["relative", "/run/x\nup /bin/sh", "/run/../etc", "/run/a b", 7])
def test_no_folder_becomes_a_directive_of_its_own(value: object) -> None:
    with pytest.raises(AnsibleFilterError, match="port_share_journal"):
        openvpn_server_config(openvpn_listeners([TCP])[0], port_share_journal=value)
