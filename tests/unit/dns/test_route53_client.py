# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to Route 53 with the answers that an imitation of it never gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, PartialError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import WantedName
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_run import Verification, update_names
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.backoff import Patience
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    BadKeyError,
    LostRaceError,
    NoZoneError,
    RefusedError,
    ServerFailedError,
    ThrottledError,
    UnverifiedError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import parse_provider
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import RecordKey
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.route53 import Route53Provider

SECRET = "canary-of-the-secret-access-key"
SETTINGS = parse_provider(
    {"provider": "route53", "zone": "example.net", "zone_id": "Z1", "access_key": "AKID", "secret_key": SECRET}
)
EMPTY: dict[str, Any] = {"ResourceRecordSets": [], "IsTruncated": False, "MaxItems": "300"}
BATH = WantedName("bath.example.net", ("192.0.2.1",), 60)


def change(status: str) -> dict[str, Any]:
    return {"ChangeInfo": {"Id": "/change/C1", "Status": status, "SubmittedAt": "2026-01-01T00:00:00Z"}}


def address(value: str) -> dict[str, Any]:
    return {"Name": "bath.example.net.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": value}]}


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def provider(waits: list[float]) -> Route53Provider:
    return Route53Provider(SETTINGS, Patience(sleep=waits.append, chance=lambda: 1.0))


@pytest.fixture
def stub(provider: Route53Provider) -> Iterator[Stubber]:
    with Stubber(provider._client._client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete", "ThrottlingException"])
def test_asked_too_often_and_then_let_in(
    provider: Route53Provider, stub: Stubber, waits: list[float], code: str
) -> None:
    for _time in range(3):
        stub.add_client_error("list_resource_record_sets", code, "Rate exceeded", 400)
    stub.add_response("list_resource_record_sets", EMPTY)
    found = provider.read([RecordKey("bath.example.net")], marker=True)
    assert found[RecordKey("bath.example.net")].addresses == ()
    assert (waits, provider.calls) == ([0.5, 1.0, 2.0], 4)


def test_asked_too_often_for_good(provider: Route53Provider, stub: Stubber, waits: list[float]) -> None:
    for _time in range(8):
        stub.add_client_error("list_resource_record_sets", "Throttling", "Rate exceeded", 400)
    with pytest.raises(ThrottledError, match=r"asked too often \(Throttling\)"):
        provider.read([RecordKey("bath.example.net")], marker=True)
    assert len(waits) == 7


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("AccessDenied", f"User: arn:x is not authorized with {SECRET}", RefusedError),
        ("NoSuchHostedZone", "No hosted zone found with ID: Z1", NoZoneError),
        ("InvalidClientTokenId", "The security token included in the request is invalid", BadKeyError),
        ("SignatureDoesNotMatch", "Signature expired", BadKeyError),
        ("ExpiredToken", "The security token included in the request is expired", BadKeyError),
        ("InternalFailure", "We are sorry", ServerFailedError),
        ("InvalidChangeBatch", "[RRSet with DNS name x. is not permitted in zone y.]", NoZoneError),
        ("InvalidChangeBatch", "[The request is longer than the limit]", RefusedError),
        ("InvalidChangeBatch", "[Tried to create resource record set [name='x', type='A'] but it already exists]",
         LostRaceError),
        ("InvalidChangeBatch", "[Tried to delete resource record set [name='x', type='A'] but it was not found]",
         LostRaceError),
        ("InvalidChangeBatch", "[x but the values provided do not match the current values]", LostRaceError),
    ],
)  # fmt: skip
def test_errors_are_told_apart(
    provider: Route53Provider, stub: Stubber, waits: list[float], code: str, message: str, kind: type[CollectionError]
) -> None:
    stub.add_client_error("change_resource_record_sets", code, message, 400)
    with pytest.raises(kind) as got:
        provider._client.call(
            "change_resource_record_sets", HostedZoneId="Z1",
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": address("192.0.2.1")}]},
        )  # fmt: skip
    assert got.type is kind
    assert SECRET not in str(got.value)
    assert waits == []


def test_a_lost_race_is_run_again(provider: Route53Provider, stub: Stubber) -> None:
    """Somebody took the name in between, and gave it the very addresses; what is left is to claim it."""
    race = "[Tried to create resource record set [name='bath.example.net.', type='A'] but it already exists]"
    stub.add_response("list_resource_record_sets", EMPTY)
    stub.add_client_error("change_resource_record_sets", "InvalidChangeBatch", race, 400)
    stub.add_response("list_resource_record_sets", {**EMPTY, "ResourceRecordSets": [address("192.0.2.1")]})
    stub.add_response("change_resource_record_sets", change("INSYNC"))
    done = update_names(provider, [BATH], check=False, claim=True, verification=Verification(0), sleep=lambda _s: None)
    assert (done.changed, done.api_calls, done.verified) == (("bath.example.net",), 4, None)


def test_a_race_that_is_always_lost_ends(provider: Route53Provider, stub: Stubber) -> None:
    for _time in range(5):
        stub.add_response("list_resource_record_sets", EMPTY)
        stub.add_client_error("change_resource_record_sets", "InvalidChangeBatch", "[x but it already exists]", 400)
    with pytest.raises(LostRaceError, match="Somebody else changes the same records"):
        update_names(provider, [BATH], check=False, claim=True, verification=Verification(0), sleep=lambda _s: None)


def test_waiting_until_the_change_is_everywhere(provider: Route53Provider, stub: Stubber) -> None:
    now = [0.0]
    stub.add_response("list_resource_record_sets", EMPTY)
    stub.add_response("change_resource_record_sets", change("PENDING"))
    for status in ("PENDING", "PENDING", "INSYNC"):
        stub.add_response("get_change", change(status), {"Id": "/change/C1"})
    done = update_names(
        provider, [BATH], check=False, claim=True, verification=Verification(60, servers=()),
        clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
    )  # fmt: skip
    assert (done.verified, done.seconds, done.api_calls) == (True, 1.5, 5)


def test_a_change_that_never_is_everywhere(provider: Route53Provider, stub: Stubber) -> None:
    now = [0.0]
    stub.add_response("list_resource_record_sets", EMPTY)
    stub.add_response("change_resource_record_sets", change("PENDING"))
    for _time in range(3):
        stub.add_response("get_change", change("PENDING"))
    with pytest.raises(PartialError, match=r"has not told its name servers yet\. That is after 2 s") as got:
        update_names(
            provider, [BATH], check=False, claim=True, verification=Verification(2, servers=()),
            clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
        )  # fmt: skip
    assert isinstance(got.value.__cause__, UnverifiedError)
    assert got.value.results["changed_names"] == ["bath.example.net"]
    assert now[0] <= 2


def test_pages_of_a_name_with_very_many_sets(provider: Route53Provider, stub: Stubber) -> None:
    """A page may end in the middle of a name: the rest of it belongs to the name, too."""
    sets = [{**address(f"192.0.2.{number}"), "SetIdentifier": f"s{number}", "Weight": 1} for number in range(4)]
    following = {"IsTruncated": True, "NextRecordName": "bath.example.net.", "NextRecordType": "A",
                 "NextRecordIdentifier": "s2", "MaxItems": "300"}  # fmt: skip
    stub.add_response("list_resource_record_sets", {"ResourceRecordSets": sets[:2], **following})
    stub.add_response(
        "list_resource_record_sets", {**EMPTY, "ResourceRecordSets": sets[2:]},
        {"HostedZoneId": "Z1", "MaxItems": "300", "StartRecordName": "bath.example.net.", "StartRecordType": "A",
         "StartRecordIdentifier": "s2"},
    )  # fmt: skip
    key = RecordKey("bath.example.net", "s0")
    assert provider.read([key], marker=True)[key].neighbours == ("s1", "s2", "s3")


def test_a_profile_that_nobody_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    settings = parse_provider({"provider": "route53", "zone": "example.net", "profile": "nobody"})
    with pytest.raises(BadKeyError, match=r"profile \(nobody\) could not be found"):
        Route53Provider(settings, Patience(sleep=lambda _seconds: None, chance=lambda: 1.0))


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    settings = parse_provider({"provider": "route53", "zone": "example.net", "zone_id": "Z1"})
    provider = Route53Provider(settings, Patience(sleep=lambda _seconds: None, chance=lambda: 1.0))
    with pytest.raises(BadKeyError, match=r"no credentials for AWS.*or run this where there is an instance role"):
        provider.read([RecordKey("bath.example.net")], marker=True)
