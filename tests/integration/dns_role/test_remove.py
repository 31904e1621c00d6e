# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that are given up, on a real BIND and an imitation of Route 53: ours go, those of others stay."""

from __future__ import annotations

from pathlib import Path

from integration.dns import amazon as amazon_server
from integration.dns import name_server
from integration.dns.name_server import ZONE
from integration.dns.runs import have, have_all
from integration.dns_role.role_runs import Role, role_options, succeeded

FLEET = "vpn.removed.example"


def test_what_is_ours_goes_and_what_is_somebody_elses_is_told(tmp_path: Path) -> None:
    (tmp_path / "bind").mkdir()
    with name_server.running(tmp_path / "bind") as bind:
        role = Role(tmp_path, {"gw1": {}}, {}, role_options(bind.options()))
        have(bind.options(), "ely", "192.0.2.7")
        have(bind.options(), "york", "192.0.2.8", claim=False)
        names = [f"{label}.{ZONE}" for label in ("ely", "york", "bath")]
        told = succeeded(role.run("remove", dns_remove_names=names))
        assert (bind.ask("ely"), bind.ask("york")) == ([], ["192.0.2.8"])
        assert f"york.{ZONE}: no gateway has this name any more" in told
        assert "changed=1" in told.split("gw1")[-1]
        assert "changed=0" in succeeded(role.run("remove", dns_remove_names=names)).split("gw1")[-1]
        succeeded(role.run("remove", dns_remove_names=names, dns_overwrite=True))
        assert bind.ask("york") == []


def test_a_gateway_that_is_released_leaves_the_weighted_name(tmp_path: Path) -> None:
    with amazon_server.running() as amazon:
        zone_id = amazon.make_zone("removed.example")
        options = amazon.options("removed.example", zone_id=zone_id, timeout_seconds=5)
        shares = [
            {"name": FLEET, "addresses": [f"192.0.2.{number}"], "set_identifier": f"gw{number}", "weight": 10}
            for number in (1, 2)
        ]
        have_all(options, shares)
        shared = {**role_options(options), "dns_fleet_label": "VPN", "dns_fleet_weight": 10}
        role = Role(tmp_path, {"gw1": {}}, {}, shared)
        succeeded(role.run("remove", dns_remove_names=["ely.removed.example"], dns_remove_fleet_member="gw2"))
        sets = amazon.client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
        assert [one["SetIdentifier"] for one in sets if one["Type"] == "A"] == ["gw1"]
