# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names a gateway shows its pages under."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.web_names import web_names
from ansible_collections.privatespace.gateway.plugins.filter.web_plan import web_plan

ZONE = "cambridge.example.net"


@pytest.mark.parametrize(
    ("web", "acme", "zone", "names"),
    [
        ([], [], ZONE, [ZONE]),
        ([], ["vpn.example.org", "www.example.org"], ZONE, ["vpn.example.org", "www.example.org"]),
        ([], ["vpn.example.org"], "", ["vpn.example.org"]),
        ([], ["*.example.net", "vpn.example.net"], ZONE, ["vpn.example.net"]),
        ([], ["*.example.net"], ZONE, [ZONE]),
        (["pages.example.org"], ["vpn.example.org"], ZONE, ["pages.example.org"]),
        ([], None, None, []),
        (None, [], "", []),
    ],
)
def test_which_names_it_has(web: Any, acme: Any, zone: Any, names: list[str]) -> None:
    assert web_names(web, acme, zone) == names


@pytest.mark.parametrize("given", ["vpn.example.org", ["*.example.org"], [7]])
def test_what_is_no_list_of_names_is_refused_where_it_is_used(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"web_server_names|has no name"):
        web_plan({"server_names": web_names(given, [], ZONE)})


def test_without_any_the_error_says_where_one_comes_from() -> None:
    with pytest.raises(AnsibleFilterError) as raised:
        web_plan({"server_names": web_names([], [], "")})
    assert all(name in str(raised.value) for name in ("dns_zone", "acme_names", "web_server_names"))
