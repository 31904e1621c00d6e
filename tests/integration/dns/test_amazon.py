"""The module against an imitation of Route 53 (moto), and what is left in the zone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from integration.dns.amazon import ACCOUNT, Amazon
from integration.dns.runs import have, have_all
from integration.run_module import RunModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    ForeignRecordError,
    NameServerTimeoutError,
    NoZoneError,
)

MARKER = (['"heritage=privatespace.gateway"'], 300)
ALIAS = {"HostedZoneId": "Z1", "DNSName": "lb.example.", "EvaluateTargetHealth": False}
_numbers = itertools.count()


@pytest.fixture
def zone() -> str:
    """A zone name of this test's own."""
    return f"zone{next(_numbers)}.example"


def test_a_name_through_its_life(amazon: Amazon, zone: str, run_module: RunModule) -> None:
    """Created, right, changed, removed, by the name of the zone; and nothing of it shows the secret."""
    zone_id = amazon.make_zone(zone)
    present = amazon.options(zone, name="exeter", addresses=["192.0.2.7", "2001:db8::7"])
    told = run_module("dns_address", present, check=True, diff=True)
    assert told.changed
    assert amazon.records(zone_id) == {}
    done = run_module("dns_address", present, diff=True)
    assert (done["diff"], done["verified"], done["changed_names"]) == (told["diff"], True, [f"exeter.{zone}"])
    name = f"exeter.{zone}"
    assert amazon.records(zone_id) == {
        (name, "A", ""): (["192.0.2.7"], 60), (name, "AAAA", ""): (["2001:db8::7"], 60), (name, "TXT", ""): MARKER,
    }  # fmt: skip
    again = run_module("dns_address", present, environment={"ANSIBLE_VERBOSITY": "4"})
    assert not again.changed
    assert again["api_calls"] == 2
    assert ACCOUNT["secret_key"] not in done.output + again.output
    have(present, "exeter", "192.0.2.8", ttl=30)
    assert amazon.records(zone_id) == {(name, "A", ""): (["192.0.2.8"], 30), (name, "TXT", ""): MARKER}
    assert have(present, "exeter").changed == (name,)
    assert amazon.records(zone_id) == {}
    assert have(present, "exeter").changed == ()


def test_zones_of_one_name(amazon: Amazon, zone: str) -> None:
    """A private one is never meant by a name; of two public ones nobody knows which is meant."""
    private = amazon.make_zone(zone, private=True)
    options = amazon.options(zone)
    with pytest.raises(NoZoneError, match=f"as a private zone only: {private}"):
        have(options, "bath", "192.0.2.1")
    public = amazon.make_zone(zone)
    have(options, "bath", "192.0.2.1")
    assert (len(amazon.records(public)), amazon.records(private)) == (2, {})
    have({**options, "zone_id": private}, "bath", "10.0.0.1")
    assert len(amazon.records(private)) == 2
    second = amazon.make_zone(zone)
    with pytest.raises(InputError, match="has 2 public zones") as got:
        have(options, "bath", "192.0.2.2")
    assert public in str(got.value)
    assert second in str(got.value)
    have({**options, "zone": None, "zone_id": f"/hostedzone/{second}"}, "bath", "192.0.2.2")
    assert amazon.records(second)[f"bath.{zone}", "A", ""] == (["192.0.2.2"], 60)


def test_no_such_zone(amazon: Amazon, zone: str) -> None:
    with pytest.raises(NoZoneError, match=f"no hosted zone {zone}"):
        have(amazon.options(zone), "bath", "192.0.2.1")
    with pytest.raises(NoZoneError, match="no such hosted zone"):
        have(amazon.options(zone, zone_id="Z0000000000000000000"), "bath", "192.0.2.1")


def test_nobody_answers(zone: str) -> None:
    options = {
        "provider": "route53",
        "zone": zone,
        "endpoint_url": "http://127.0.0.1:9",
        **ACCOUNT,
        "timeout_seconds": 1,
    }
    with pytest.raises(NameServerTimeoutError, match=r"http://127.0.0.1:9 did not answer"):
        have(options, "bath", "192.0.2.1")


def test_a_name_of_another_zone(amazon: Amazon, zone: str) -> None:
    """By the identifier alone, the zone's name is asked for first."""
    options = amazon.options("", zone_id=amazon.make_zone(zone))
    with pytest.raises(InputError, match=f"not in the zone {zone}"):
        have(options, "bath.elsewhere.example", "192.0.2.1")


@pytest.mark.parametrize(
    ("kind", "values", "more", "shown"),
    [
        ("A", ["192.0.2.66"], {}, "192.0.2.66"),
        ("CNAME", ["elsewhere.example."], {}, "CNAME"),
        (
            "A",
            [],
            {"AliasTarget": ALIAS},
            "ALIAS",
        ),
        ("A", ["192.0.2.66"], {"SetIdentifier": "x", "Failover": "PRIMARY"}, "ROUTED"),
        ("A", ["192.0.2.66"], {"SetIdentifier": "x", "Weight": 1}, "WEIGHTED"),
    ],
)
def test_records_of_others(
    amazon: Amazon, zone: str, kind: str, values: list[str], more: dict[str, Any], shown: str
) -> None:
    """Refused; with overwrite, replaced in the same request."""
    zone_id = amazon.make_zone(zone)
    amazon.write(zone_id, kind, f"bath.{zone}", *values, **more)
    before = amazon.records(zone_id)
    with pytest.raises(ForeignRecordError, match=shown):
        have(amazon.options(zone), "bath", "192.0.2.1")
    with pytest.raises(ForeignRecordError, match=shown):
        have(amazon.options(zone), "bath")
    assert amazon.records(zone_id) == before
    have(amazon.options(zone), "bath", "192.0.2.1", overwrite=True)
    assert amazon.records(zone_id) == {
        (f"bath.{zone}", "A", ""): (["192.0.2.1"], 60), (f"bath.{zone}", "TXT", ""): MARKER,
    }  # fmt: skip


def test_other_texts_of_the_name_stay(amazon: Amazon, zone: str) -> None:
    zone_id = amazon.make_zone(zone)
    amazon.write(zone_id, "TXT", f"bath.{zone}", '"v=spf1 -all"')
    have(amazon.options(zone), "bath", "192.0.2.1")
    assert amazon.records(zone_id)[f"bath.{zone}", "TXT", ""] == (['"v=spf1 -all"', *MARKER[0]], 300)
    have(amazon.options(zone), "bath")
    assert amazon.records(zone_id) == {(f"bath.{zone}", "TXT", ""): (['"v=spf1 -all"'], 300)}


def test_weighted_sets_of_one_name(amazon: Amazon, zone: str) -> None:
    """Each comes, changes and goes by itself; the mark goes with the last of them."""
    zone_id, name = amazon.make_zone(zone), f"vpn.{zone}"
    options = amazon.options(zone)
    both = [
        {"name": "vpn", "set_identifier": "bath", "weight": 10, "addresses": ["192.0.2.1"]},
        {"name": "vpn", "set_identifier": "exeter", "weight": 20, "addresses": ["192.0.2.2"]},
    ]
    assert have_all(options, both).changed == (name,)
    assert amazon.records(zone_id) == {
        (name, "A", "bath"): (["192.0.2.1"], 60), (name, "A", "exeter"): (["192.0.2.2"], 60), (name, "TXT", ""): MARKER,
    }  # fmt: skip
    assert have_all(options, both).changed == ()
    assert have(options, "vpn", "192.0.2.1", set_identifier="bath", weight=0).changed == (name,)
    have(options, "vpn", set_identifier="bath")
    assert set(amazon.records(zone_id)) == {(name, "A", "exeter"), (name, "TXT", "")}
    have(options, "vpn", set_identifier="exeter")
    assert amazon.records(zone_id) == {}


def test_from_one_address_for_all_to_weights_and_back(amazon: Amazon, zone: str) -> None:
    """What an earlier run of ours wrote in the other form is ours to replace."""
    zone_id, name = amazon.make_zone(zone), f"vpn.{zone}"
    options = amazon.options(zone)
    have(options, "vpn", "192.0.2.1", "192.0.2.2")
    sets = [
        {"name": "vpn", "set_identifier": one, "weight": 1, "addresses": [f"192.0.2.{number}"]}
        for number, one in enumerate(("bath", "exeter"), 1)
    ]
    have_all(options, sets)
    assert set(amazon.records(zone_id)) == {(name, "A", "bath"), (name, "A", "exeter"), (name, "TXT", "")}
    have(options, "vpn", "192.0.2.3")
    assert amazon.records(zone_id) == {(name, "A", ""): (["192.0.2.3"], 60), (name, "TXT", ""): MARKER}


def test_many_names_in_few_calls(amazon: Amazon, zone: str) -> None:
    """300 gateways with both families, among 400 records of others: the calls are counted."""
    zone_id = amazon.make_zone(zone)
    others = [
        {"Action": "CREATE", "ResourceRecordSet": {
            "Name": f"{letter}{number}.{zone}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.9"}]}}
        for letter in "ay" for number in range(200)
    ]  # fmt: skip
    amazon.client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": others})
    options = amazon.options(zone, zone_id=zone_id)
    records = [{"name": f"g{number}", "addresses": ["192.0.2.1", "2001:db8::1"]} for number in range(300)]
    created = have_all(options, records)
    assert len(created.changed) == 300
    assert len(amazon.records(zone_id)) == 400 + 900
    # The 200 records behind them are one page; 900 new values are one request.
    assert created.api_calls == 2
    unchanged = have_all(options, records)
    assert (unchanged.changed, unchanged.api_calls) == ((), 3)
    changed = have_all(options, [{**one, "addresses": ["192.0.2.2", "2001:db8::2"]} for one in records])
    # 600 values go and 600 come: two requests beside the three that read.
    assert (len(changed.changed), changed.api_calls) == (300, 5)
