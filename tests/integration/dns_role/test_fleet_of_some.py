# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of the fleet in runs that are about some gateways only."""

from __future__ import annotations

from pathlib import Path

from integration.dns import amazon as amazon_server
from integration.dns import name_server
from integration.dns.name_server import ZONE
from integration.dns.runs import have, have_all
from integration.dns_role.role_runs import Role, role_options, succeeded

FLEET = "vpn.weighted.example"
IN_MAINTENANCE = {"dns_maintenance": True, "dns_addresses": ["192.0.2.1"]}


def test_a_gateway_in_maintenance_leaves_the_weighted_name_by_itself(tmp_path: Path) -> None:
    names = {"gw1": "ely.weighted.example", "gw2": "bath.weighted.example"}
    with amazon_server.running() as amazon:
        zone_id = amazon.make_zone("weighted.example")
        options = amazon.options("weighted.example", zone_id=zone_id, timeout_seconds=5)
        shares = [
            {"name": FLEET, "addresses": [f"192.0.2.{number}"], "set_identifier": f"gw{number}", "weight": 10}
            for number in (1, 2)
        ]
        have_all(options, shares)
        shared = {**role_options(options), "dns_fleet_label": "vpn", "dns_fleet_weight": 10}
        role = Role(tmp_path, {"gw1": IN_MAINTENANCE, "gw2": {}}, names, shared)
        succeeded(role.run("fleet", "--limit", "ca,gw1"))
        sets = amazon.client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
        assert [one["SetIdentifier"] for one in sets if one["Type"] == "A"] == ["gw2"]


def test_addresses_that_leave_the_name_are_told(tmp_path: Path) -> None:
    names = {name: f"{label}.{ZONE}" for name, label in {"gw1": "ely", "gw2": "bath", "gw3": "york"}.items()}
    (tmp_path / "bind").mkdir()
    with name_server.running(tmp_path / "bind") as bind:
        # gw3 has moved since the name of the fleet was written.
        have(bind.options(), "vpn", "192.0.2.1", "192.0.2.2", "192.0.2.3")
        have(bind.options(), "bath", "192.0.2.2")
        have(bind.options(), "york", "192.0.2.33")
        shared = {**role_options(bind.options()), "dns_zone": f"{ZONE.upper()}.", "dns_fleet_label": "VPN"}
        role = Role(tmp_path, {"gw1": IN_MAINTENANCE, "gw2": {}, "gw3": {}}, names, shared)
        told = succeeded(role.run("fleet report", "--limit", "ca,gw1"))
        assert bind.ask("vpn") == ["192.0.2.2"]
        assert "left the fleet: 192.0.2.1, 192.0.2.3" in told
