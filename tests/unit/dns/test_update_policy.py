# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name server lets each key change."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.filter.dns_iam_policy import dns_iam_policy
from ansible_collections.privatespace.gateway.plugins.filter.dns_update_policy import dns_update_policy
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.update_policy import render_update_policy


def test_each_gateway_may_change_its_own_addresses_only() -> None:
    text = render_update_policy(
        ["ely.example.net", "bath.example.net"], zone="example.net", controller_key="controller"
    )
    assert text.splitlines()[1:] == [
        "update-policy {",
        "\tgrant controller. zonesub ANY;",
        "\tgrant bath.example.net. name bath.example.net. A AAAA;",
        "\tgrant ely.example.net. name ely.example.net. A AAAA;",
        "};",
    ]


def test_a_gateway_that_proves_its_name_by_dns_may_change_that_proof_too() -> None:
    names = ["ely.example.net", "bath.example.net"]
    text = render_update_policy(names, zone="example.net", challenges=["Ely.example.net."])
    assert text.splitlines()[2:-1] == [
        "\tgrant bath.example.net. name bath.example.net. A AAAA;",
        "\tgrant ely.example.net. name ely.example.net. A AAAA;",
        "\tgrant ely.example.net. name _acme-challenge.ely.example.net. TXT;",
    ]
    # A name that no gateway has grants nothing.
    assert "york" not in render_update_policy(names, zone="example.net", challenges=["york.example.net"])
    with pytest.raises(InputError):
        render_update_policy(names, zone="example.net", challenges=["ely.example.net. ANY;\n"])


def test_nobody_may_change_anything_where_nobody_is_known() -> None:
    assert "allow-update { none; };" in render_update_policy([], zone="example.net")


@pytest.mark.parametrize("name", ["ely.example.org", "example.net", "*.example.net", "ely.example.net. ANY;\n"])
def test_a_name_that_would_grant_more_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        render_update_policy([name], zone="example.net")


@pytest.mark.parametrize("key", ["*", "controller. zonesub ANY; grant x", 'x"', "x;", "x\n", "x{", "x" * 300])
def test_the_name_of_a_key_that_would_grant_more_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="name of the TSIG key"):
        render_update_policy([], zone="example.net", controller_key=key)


def test_zones_and_keys_are_taken_as_everywhere() -> None:
    text = dns_update_policy(["ely.example.net"], "Example.NET.", "Ansible_Controller.")
    assert "grant ansible_controller. zonesub ANY;" in text
    assert "grant ely.example.net. name ely.example.net. A AAAA;" in text
    policy = dns_iam_policy("ely.example.net", "Example.NET.", "Z1")
    assert policy == dns_iam_policy("ely.example.net", "example.net", "Z1")
