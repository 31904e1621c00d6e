# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name server has to know of gateways, as the role writes it on the controller."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.dns_role.role_runs import Role, failed, succeeded

NAMES = {"gw1": "ely.example.net", "gw2": "bath.example.net"}


@pytest.fixture
def role(tmp_path: Path) -> Role:
    return Role(tmp_path, {"gw1": {}, "gw2": {}}, dict(NAMES))


def test_without_a_name_server_in_the_inventory_the_files_are_on_the_controller(role: Role) -> None:
    succeeded(role.run("policy"))
    for name in NAMES.values():
        assert f'key "{name}"' in (role.policies / "keys.conf").read_text()
        assert f"grant {name}. name {name}. A AAAA;" in (role.policies / "policy.conf").read_text()
    assert "changed=0" in succeeded(role.run("policy"))


def test_without_the_authority_nobody_loses_anything(role: Role) -> None:
    succeeded(role.run("policy"))
    before = (role.policies / "keys.conf").read_text()
    role.given = None
    assert "Add it to --limit (--limit ca,gw1)" in failed(role.run("policy", "--limit", "gw1"))
    assert (role.policies / "keys.conf").read_text() == before
