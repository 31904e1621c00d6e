# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name server has to know of gateways, as the role writes it on the controller."""

from __future__ import annotations

import shutil
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


def test_who_does_not_announce_has_no_key_and_nothing_to_change(role: Role) -> None:
    succeeded(role.run("policy"))
    role.gateways["gw2"] = {"dns_announce": False}
    (role.folder / "gw2.key").unlink()
    succeeded(role.run("policy"))
    assert not (role.folder / "gw2.key").exists()
    for name in ("keys.conf", "policy.conf"):
        text = (role.policies / name).read_text()
        assert (NAMES["gw1"] in text, NAMES["gw2"] in text) == (True, False)
    assert "changed=0" in succeeded(role.run("policy"))


def test_keys_that_nobody_can_ask_for_are_not_lost(role: Role) -> None:
    told = failed(role.run("policy", "--limit", "ca,gw1"))
    assert "bath.example.net could not be asked" in told
    assert "Set dns_policy_host, keep dns_policy_folder on a volume, or run without --limit" in told
    assert not role.policies.exists()
    succeeded(role.run("policy"))
    succeeded(role.run("policy", "--limit", "ca,gw1"))
    role.gateways["gw3"] = {}
    assert role.given is not None
    role.given["gw3"] = "york.example.net"
    told = succeeded(role.run("policy", "--limit", "ca,gw1"))
    assert "No key of york.example.net is known." in told
    assert all(f'key "{name}"' in (role.policies / "keys.conf").read_text() for name in NAMES.values())


def test_policies_for_amazon_need_the_zone_and_say_so(role: Role) -> None:
    role.shared = {"dns_provider": "route53"}
    assert "because dns_route53_zone_id is empty" in succeeded(role.run("policy"))
    assert not role.policies.exists()
    role.gateways["gw2"] = {"dns_announce": False}
    role.shared["dns_route53_zone_id"] = "Z0123456789"
    succeeded(role.run("policy"))
    assert [path.name for path in role.policies.iterdir()] == ["iam-ely.example.net.json"]
    role.gateways["gw1"] = {"dns_announce": False}
    role.shared["dns_route53_zone_id"] = ""
    assert "dns_route53_zone_id is empty" not in succeeded(role.run("policy"))


def test_a_name_server_keeps_the_keys_where_the_controller_keeps_no_files(role: Role) -> None:
    there = role.folder / "there"
    role.shared = {"dns_policy_host": "ns", "dns_policy_host_folder": str(there), "dns_policy_command": ["true"]}
    succeeded(role.run("policy"))
    before = (there / "keys.conf").read_text()
    shutil.rmtree(role.policies)
    assert "is known" not in succeeded(role.run("policy", "--limit", "ca,gw1"))
    assert (there / "keys.conf").read_text() == before == (role.policies / "keys.conf").read_text()
