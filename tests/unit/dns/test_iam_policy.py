# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy that lets a gateway change its own addresses in Route 53."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.iam_policy import build_iam_policy

PREFIX = "route53:ChangeResourceRecordSets"


def test_it_may_change_its_own_addresses_in_its_own_zone_and_nothing_else() -> None:
    policy = build_iam_policy("ely.example.net", zone="example.net", zone_id="/hostedzone/Z0123456789")
    first, *others = policy["Statement"]
    assert (first["Action"], first["Resource"]) == ([PREFIX], "arn:aws:route53:::hostedzone/Z0123456789")
    assert first["Condition"]["ForAllValues:StringEquals"] == {
        f"{PREFIX}NormalizedRecordNames": ["ely.example.net"],
        f"{PREFIX}RecordTypes": ["A", "AAAA"],
        f"{PREFIX}Actions": ["CREATE", "DELETE", "UPSERT"],
    }
    # ForAllValues is true of a request that has no such key at all.
    assert first["Condition"]["Null"] == dict.fromkeys(first["Condition"]["ForAllValues:StringEquals"], "false")
    actions = {action.partition(":")[2] for one in others for action in one["Action"]}
    assert actions == {"GetHostedZone", "ListResourceRecordSets", "GetChange"}
    assert not [one for one in policy["Statement"] if one["Resource"] == "*" or "*" in str(one["Action"])]


@pytest.mark.parametrize(
    ("name", "zone_id"), [("ely.example.org", "Z1"), ("ely.example.net", ""), ("ely.example.net", "Z1/*"), ("*", "Z1")]
)
def test_what_would_grant_more_is_refused(name: str, zone_id: str) -> None:
    with pytest.raises(InputError):
        build_iam_policy(name, zone="example.net", zone_id=zone_id)


def test_an_unknown_partition_is_refused() -> None:
    with pytest.raises(InputError, match="aws-cn"):
        build_iam_policy("ely.example.net", zone="example.net", zone_id="Z1", partition="moon")


def test_a_gateway_that_proves_its_name_by_dns_may_change_that_proof_too_and_no_other_type_of_either() -> None:
    plain = build_iam_policy("ely.example.net", zone="example.net", zone_id="Z1")["Statement"]
    *same, proof, find = build_iam_policy("ely.example.net", zone="example.net", zone_id="Z1", challenge=True)[
        "Statement"
    ]
    assert same == plain
    only = proof["Condition"]["ForAllValues:StringEquals"]
    assert only[f"{PREFIX}NormalizedRecordNames"] == ["_acme-challenge.ely.example.net"]
    assert only[f"{PREFIX}RecordTypes"] == ["TXT"]
    assert proof["Resource"] == "arn:aws:route53:::hostedzone/Z1"
    assert (find["Action"], find["Resource"]) == (["route53:ListHostedZones"], "*")
