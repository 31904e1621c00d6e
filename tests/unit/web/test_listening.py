# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a web server waits."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._web.listening import asking_url, listening_sockets


@pytest.mark.parametrize(
    ("addresses", "ipv6", "sockets", "url"),
    [
        ([], True, ("0.0.0.0:80", "[::]:80"), "http://127.0.0.1:80/crl.pem"),
        ([], False, ("0.0.0.0:80",), "http://127.0.0.1:80/crl.pem"),
        (["192.0.2.1"], True, ("192.0.2.1:80",), "http://192.0.2.1:80/crl.pem"),
        (["2001:DB8::1", "[2001:db8::1]"], True, ("[2001:db8::1]:80",), "http://[2001:db8::1]:80/crl.pem"),
        (["::"], True, ("[::]:80",), "http://[::1]:80/crl.pem"),
    ],
)
def test_sockets(addresses: list[str], ipv6: bool, sockets: tuple[str, ...], url: str) -> None:
    found = listening_sockets(addresses, "80", ipv6=ipv6)
    assert (found, asking_url(found, "/crl.pem")) == (sockets, url)


@pytest.mark.parametrize(
    ("addresses", "port", "words"),
    [
        (["authority"], 80, "'authority' is no address"),
        (["192.0.2.1; include x"], 80, "is no address"),
        ([], 0, "'0' is no port"),
        ([], "http", "'http' is no port"),
        ([], 65536, "no port"),
    ],
)
def test_what_is_refused(addresses: list[str], port: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        listening_sockets(addresses, port, ipv6=True)
