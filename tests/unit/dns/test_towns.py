# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of towns: large enough, fit for host names, easy to tell apart, and with its source named."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._dns import towns
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_label
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.town_names import parse_towns
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.towns import TOWNS

# What a host of that name is taken for.
MISLEADING = {
    "www",
    "mail",
    "vpn",
    "ns",
    "ftp",
    "smtp",
    "api",
    "admin",
    "localhost",
    "gateway",
    "reading",
    "sale",
    "deal",
}


def test_there_are_enough_and_each_is_there_once() -> None:
    assert len(TOWNS) >= 300
    assert len(set(TOWNS)) == len(TOWNS)
    assert "cambridge" in TOWNS


def test_each_is_a_name_of_a_host_that_people_can_spell() -> None:
    for town in TOWNS:
        assert parse_label(town, what="A town") == town
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", town), town
        assert 3 <= len(town) <= 20, town
    assert not MISLEADING.intersection(TOWNS)


def test_they_pass_what_a_list_of_a_company_has_to_pass() -> None:
    assert parse_towns(TOWNS) == TOWNS


def test_source_and_licence_are_named() -> None:
    text = Path(str(towns.__file__)).read_text(encoding="utf-8")
    assert "GeoNames" in text
    assert "CC-BY-4.0" in text
