# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policies for Route 53: each gateway may change its own addresses, and nothing else.

The condition keys are those of "Using IAM policy conditions for fine-grained access control to manage resource record
sets" in the developer guide of Amazon Route 53. ``ForAllValues`` is also true where a request has no such key, so each
condition is joined by one that wants the key to be there.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name_in_zone
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.update_policy import CHALLENGE

VERSION = "2012-10-17"
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
_NAMES = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
_TYPES = "route53:ChangeResourceRecordSetsRecordTypes"
_ACTIONS = "route53:ChangeResourceRecordSetsActions"


def build_iam_policy(
    name: str, *, zone: str, zone_id: str, partition: str = "aws", challenge: bool = False
) -> dict[str, Any]:
    """The policy of one gateway.

    :param name: The gateway's name, in full.
    :param zone_id: The hosted zone, as ``Z0123456789`` or ``/hostedzone/Z0123456789``.
    :param challenge: Whether the gateway also proves to a CA by DNS that the name is its own (RFC 8555, dns-01).
    :raises InputError: the name is outside the zone, or the zone's id is none.
    """
    own = parse_name_in_zone(name, zone, what="The name of a gateway")
    identity = zone_id.rsplit("/", maxsplit=1)[-1]
    if not identity.isascii() or not identity.isalnum() or len(identity) > 32:
        raise InputError(
            f"dns_route53_zone_id is needed for an IAM policy, and '{shown(zone_id)}' is no id of a hosted zone.",
            remedy="Read it with: aws route53 list-hosted-zones-by-name",
        )
    if partition not in PARTITIONS:
        raise InputError(f"The partition is '{shown(partition)}'; {', '.join(PARTITIONS)} are known.")
    hosted_zone = f"arn:{partition}:route53:::hostedzone/{identity}"
    statements = [
        _allow("ChangeOwnAddresses", ["route53:ChangeResourceRecordSets"], hosted_zone),
        _allow("ReadZone", ["route53:GetHostedZone", "route53:ListResourceRecordSets"], hosted_zone),
        _allow("WaitForChange", ["route53:GetChange"], f"arn:{partition}:route53:::change/*"),
    ]
    statements[0]["Condition"] = _only(own, ["A", "AAAA"])
    if challenge:
        # One statement for each name: together they would also allow the types of the one for the other.
        proof = _allow("ChangeOwnChallenge", ["route53:ChangeResourceRecordSets"], hosted_zone)
        statements += [{**proof, "Condition": _only(f"{CHALLENGE}.{own}", ["TXT"])}]
        # certbot looks for the zone by its name, among all that the account has.
        statements.append(_allow("FindZone", ["route53:ListHostedZones"], "*"))
    return {"Version": VERSION, "Statement": statements}


def _only(name: str, types: list[str]) -> dict[str, Any]:
    return {
        # A name that was checked holds no wildcard, and nothing that needs an escape.
        "ForAllValues:StringEquals": {_NAMES: [name], _TYPES: types, _ACTIONS: ["CREATE", "DELETE", "UPSERT"]},
        "Null": {_NAMES: "false", _TYPES: "false", _ACTIONS: "false"},
    }


def _allow(identity: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {"Sid": identity, "Effect": "Allow", "Action": actions, "Resource": resource}
