# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode before anything is there: no name, no key, no program."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.dns_role.role_runs import Role, failed, succeeded


@pytest.mark.parametrize("given", [{}, {"gw2": "bath.example.net"}], ids=["nobody", "one"])
def test_what_chance_has_not_decided_is_passed_over(tmp_path: Path, given: dict[str, str]) -> None:
    role = Role(tmp_path, {"gw1": {}, "gw2": {}}, given, {"dns_fleet_label": "vpn"})
    told = succeeded(role.run("policy records fleet report", "--check"))
    assert "gw1 has no name yet" in told
    assert ("gw2 has no name yet" in told) is not bool(given)
    assert not role.policies.exists()
    assert "gw1 has no name in the zone" in failed(role.run("records"))


def test_a_gateway_without_a_name_is_not_configured(tmp_path: Path) -> None:
    told = succeeded(Role(tmp_path, {"gw1": {}}, {}).run("main", "--check"))
    assert "gw1 has no name yet" in told
    assert "changed=0" in told.split("PLAY RECAP")[1].split("gw1")[1]
