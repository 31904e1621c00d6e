# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a hosted zone of Amazon Route 53."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import route53_changes
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import NameStep
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.backoff import Patience
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import NoZoneError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_zone
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    ProviderSettings,
    Server,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.route53_client import Route53Client

PAGE_RECORDS = "300"
PAGE_ZONES = "100"
INSYNC = "INSYNC"


class Route53Provider:
    """A hosted zone."""

    has_weights = True

    def __init__(self, settings: ProviderSettings, patience: Patience) -> None:
        self._client = Route53Client(settings, patience)
        self._zone = settings.zone
        self._zone_id = settings.zone_id
        self._pending: list[str] = []

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._client.calls

    @property
    def zone(self) -> str:
        """The zone's name."""
        if not self._zone:
            found = self._client.call("get_hosted_zone", Id=self._zone_id)
            self._zone = parse_zone(found["HostedZone"]["Name"])
        return self._zone

    def read(self, keys: Sequence[RecordKey], *, marker: bool) -> dict[RecordKey, NameState]:
        """List the zone from the first name to the last, and leave out what lies between if that saves requests."""
        found = self._list(sorted({key.name for key in keys}, key=route53_changes.order_of))
        states = {key: route53_changes.state_of(key, found[key.name]) for key in keys}
        return states if marker else {key: _unmarked(state) for key, state in states.items()}

    def batches(self, steps: Sequence[NameStep]) -> list[list[NameStep]]:
        """As few as Route 53 allows."""
        return route53_changes.split_steps(steps)

    def apply(self, steps: Sequence[NameStep]) -> None:
        """Send one batch, which Route 53 carries out whole or not at all."""
        answer = self._client.call(
            "change_resource_record_sets",
            HostedZoneId=self._id(),
            ChangeBatch={"Changes": route53_changes.unique_changes(steps)},
        )
        if answer["ChangeInfo"]["Status"] != INSYNC:
            self._pending.append(answer["ChangeInfo"]["Id"])

    def is_in_sync(self) -> bool:
        """Whether all servers of Route 53 have every change."""
        while self._pending:
            if self._client.call("get_change", Id=self._pending[0])["ChangeInfo"]["Status"] != INSYNC:
                return False
            del self._pending[0]
        return True

    def name_servers(self) -> tuple[Server, ...]:
        """Those that Route 53 gave the zone; a private zone has none that could be asked from here."""
        found = self._client.call("get_hosted_zone", Id=self._id())
        names = found.get("DelegationSet", {}).get("NameServers", [])
        return tuple(Server(name.rstrip(".").lower()) for name in names)

    def _id(self) -> str:
        if not self._zone_id:
            self._zone_id = self._find_zone()
        return self._zone_id

    def _find_zone(self) -> str:
        """The identifier of the one public zone of that name.

        :raises NoZoneError: there is none, or only a private one.
        :raises InputError: there are several.
        """
        answer = self._client.call("list_hosted_zones_by_name", DNSName=self._zone, MaxItems=PAGE_ZONES)
        named = [one for one in answer["HostedZones"] if one["Name"].rstrip(".").lower() == self._zone]
        public = [one["Id"].rpartition("/")[2] for one in named if not one.get("Config", {}).get("PrivateZone")]
        if len(public) == 1:
            return str(public[0])
        if public:
            raise InputError(
                f"Route 53 has {len(public)} public zones {self._zone}: {', '.join(sorted(public))}.",
                remedy="Say which one is meant by 'zone_id'.",
            )
        if named:
            private = ", ".join(sorted(one["Id"].rpartition("/")[2] for one in named))
            raise NoZoneError(
                f"Route 53 has the zone {self._zone} as a private zone only: {private}.",
                remedy="If that is meant, say so by 'zone_id'.",
            )
        raise NoZoneError(
            f"Route 53 has no hosted zone {self._zone} in this account.", remedy="Correct 'zone', or give 'zone_id'."
        )

    def _list(self, names: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        """The record sets of each name; the names are in Route 53's order."""
        found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
        left = list(names)
        start: dict[str, str] = {}
        while left:
            start = start or {"StartRecordName": left[0]}
            page = self._client.call(
                "list_resource_record_sets", HostedZoneId=self._id(), MaxItems=PAGE_RECORDS, **start
            )
            for one in page["ResourceRecordSets"]:
                name = route53_changes.name_of(one)
                if name in found:
                    found[name].append(one)
            if not page["IsTruncated"]:
                break
            following = str(page["NextRecordName"]).rstrip(".").lower()
            order = route53_changes.order_of(following)
            left = [name for name in left if route53_changes.order_of(name) >= order]
            start = _next_start(page) if left and left[0] == following else {}
        return found


def _next_start(page: Mapping[str, Any]) -> dict[str, str]:
    start = {"StartRecordName": page["NextRecordName"], "StartRecordType": page["NextRecordType"]}
    if page.get("NextRecordIdentifier"):
        start["StartRecordIdentifier"] = page["NextRecordIdentifier"]
    return start


def _unmarked(state: NameState) -> NameState:
    return NameState(**{**vars(state), "marked": False})
