# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the gateway against a real BIND that lets it change its own name, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from integration.dns.amazon import ACCOUNT, Amazon
from integration.dns.name_server import CONTROLLER, ZONE, NameServer
from integration.dns.runs import have
from integration.dns_announce.conftest import OTHER, OWN, Gateway
from integration.dns_announce.services import TOKEN, Service

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import RefusedError

V4, V6 = "8.8.4.4", "2001:4860:4860::8844"
METADATA = "/latest/meta-data/"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _clean(bind: NameServer) -> None:
    have(bind.options(), "ely", overwrite=True)


def announced(gateway: Gateway, service: Service, *addresses: str) -> int:
    """One run on an instance that has these addresses."""
    paths = {True: "ipv6", False: "public-ipv4"}
    service.answers = {f"{METADATA}{paths[':' in one]}": one.encode() for one in addresses}
    gateway.write(metadata_url=service.url)
    return gateway.run()


def test_it_follows_the_address_and_says_so_once(
    gateway: Gateway, service: Service, bind: NameServer, capsys: Captured
) -> None:
    assert announced(gateway, service, V4, V6) == 0
    assert (bind.ask("ely"), bind.ask("ely", "AAAA"), bind.ask("ely", "TXT")) == ([V4], [V6], [])
    assert (service.refused, service.asked[0]) == ([], "PUT /latest/api/token")
    assert f"{OWN} now shows {V4}, {V6} (IPv4 by metadata, IPv6 by metadata)" in capsys.readouterr().err
    state = gateway.state
    assert (state["name"], state["addresses"], state["problem"]) == (OWN, [V4, V6], "")
    assert state["source"] == {"4": "metadata", "6": "metadata"}
    assert (gateway.folder / "run/state.json").stat().st_mode & 0o777 == 0o644

    updates = bind.updates()
    assert announced(gateway, service, V4, V6) == 0
    assert (capsys.readouterr().err, bind.updates()) == ("", updates)
    assert gateway.state["changed_at"] == state["changed_at"] < gateway.state["checked_at"]

    assert announced(gateway, service, "8.8.8.8", V6) == 0
    assert (bind.ask("ely"), bind.ask("ely", "AAAA")) == (["8.8.8.8"], [V6])
    text = json.dumps(gateway.state) + capsys.readouterr().err
    assert bind.key_secrets[OWN] not in text
    assert TOKEN not in text


def test_somebody_who_changes_the_record_is_corrected(gateway: Gateway, service: Service, bind: NameServer) -> None:
    assert announced(gateway, service, V4) == 0
    have(bind.options(), "ely", "192.0.2.66", overwrite=True)
    assert announced(gateway, service, V4) == 0
    assert bind.ask("ely") == [V4]
    # What marks the name as ours is not for its key to change.
    assert bind.ask("ely", "TXT") == ['"heritage=privatespace.gateway"']


def test_what_somebody_else_has_at_its_name_is_left_alone_until_it_is_claimed(
    gateway: Gateway, service: Service, bind: NameServer, capsys: Captured
) -> None:
    have(bind.options(), "ely", "192.0.2.66", claim=False)
    assert announced(gateway, service, V4) == 1
    assert bind.ask("ely") == ["192.0.2.66"]
    assert "somebody else's" in gateway.state["problem"]
    assert "dns_update" in gateway.state["problem"]
    capsys.readouterr()
    assert gateway.run("--check") == 0
    told = capsys.readouterr().out
    assert "somebody else's" in told
    assert "would be changed" not in told
    have(bind.options(), "ely", "192.0.2.66")
    assert gateway.run("--now") == 0
    assert (bind.ask("ely"), gateway.state["problem"]) == ([V4], "")


@pytest.mark.parametrize("breakage", ["nothing listens", "no token", "private", "words"])
def test_a_source_that_fails_deletes_nothing(
    gateway: Gateway, service: Service, bind: NameServer, breakage: str, capsys: Captured
) -> None:
    assert announced(gateway, service, V4, V6) == 0
    service.answers = {}
    if breakage == "nothing listens":
        gateway.write(metadata_url="http://127.0.0.1:1")
    elif breakage == "no token":
        gateway.write(metadata_url=f"{service.url}/none")
    else:
        service.answers[f"{METADATA}public-ipv4"] = {"private": b"10.0.0.1", "words": b"<html>8.8.8.8"}[breakage]
    assert gateway.run() == 1
    assert (bind.ask("ely"), bind.ask("ely", "AAAA")) == ([V4], [V6])
    assert "the record stays as it is" in gateway.state["problem"]
    assert gateway.state["addresses"] == [V4, V6]
    assert capsys.readouterr().err.count("stays as it is") == 1
    assert gateway.run() == 1
    assert capsys.readouterr().err == ""
    assert announced(gateway, service, V4, V6) == 0
    assert "is right again" in capsys.readouterr().err


def test_one_family_that_is_not_found_stays(gateway: Gateway, service: Service, bind: NameServer) -> None:
    assert announced(gateway, service, V4, V6) == 0
    assert announced(gateway, service, "8.8.8.8") == 0
    assert (bind.ask("ely"), bind.ask("ely", "AAAA")) == (["8.8.8.8"], [V6])
    assert list(gateway.state["none_since"]) == ["6"]


def test_addresses_by_hand_win(gateway: Gateway, service: Service, bind: NameServer) -> None:
    gateway.write(addresses=["192.0.2.7"])
    assert announced(gateway, service, V4, V6) == 0
    assert (bind.ask("ely"), bind.ask("ely", "AAAA")) == (["192.0.2.7"], [])
    assert service.asked == []


def test_an_echo_service_is_asked_over_each_family(gateway: Gateway, service: Service, bind: NameServer) -> None:
    """Both answers are addresses of the loopback, which are never announced."""
    urls = [f"{service.url}/moved", f"{service.url}/none", f"{service.url}/ip", f"{service.url6}/ip"]
    gateway.write(sources=["echo"], echo_urls=urls, private_addresses=True)
    assert gateway.run() == 1
    told = gateway.state["problem"]
    for part in (
        "a redirect, which is not followed",
        "status 404",
        "127.0.0.1 is no address",
        "::1 is no address",
    ):
        assert part in told
    assert bind.ask("ely") == []


def test_a_key_that_the_server_does_not_know_is_tried_less_and_less(
    gateway: Gateway, service: Service, bind: NameServer, capsys: Captured
) -> None:
    gateway.have_key(f"york.{ZONE}", bind.key_secrets[OWN])
    assert announced(gateway, service, V4) == 1
    first = gateway.state
    assert "dns_policy" in first["problem"]
    assert (first["failures"], first["retry_at"] > first["checked_at"]) == (1, True)
    asked = bind.log().count("ely")
    assert gateway.run() == 1
    assert (gateway.state["failures"], bind.log().count("ely")) == (1, asked)
    gateway.have_key(OWN, bind.key_secrets[OWN])
    assert gateway.run() == 1
    assert gateway.run("--now") == 0
    assert bind.ask("ely") == [V4]


def test_another_address_is_worth_an_attempt_at_once(gateway: Gateway, service: Service, bind: NameServer) -> None:
    gateway.have_key(f"york.{ZONE}", bind.key_secrets[OWN])
    assert announced(gateway, service, V4) == 1
    assert announced(gateway, service, "8.8.8.8") == 1
    assert gateway.state["failures"] == 2


def test_a_server_that_is_away_is_found_again(gateway: Gateway, service: Service, bind: NameServer) -> None:
    assert announced(gateway, service, V4) == 0
    bind.stop()
    try:
        assert announced(gateway, service, "8.8.8.8") == 1
        assert "127.0.0.1" in gateway.state["problem"]
    finally:
        bind.start()
    assert gateway.run("--now") == 0
    assert bind.ask("ely") == ["8.8.8.8"]


def test_its_key_changes_its_own_addresses_and_nothing_else(bind: NameServer) -> None:
    own = bind.options(OWN, verify_seconds=0)
    have(own, "ely", V4, claim=False)
    assert bind.ask("ely") == [V4]
    for name in ("bath", "york", "vpn", "ns"):
        with pytest.raises(RefusedError):
            have(own, name, V4, claim=False, overwrite=True)
    with pytest.raises(RefusedError):
        have(own, "ely", "8.8.8.8", claim=True, overwrite=True)
    assert (bind.ask("bath"), bind.ask("ns"), bind.ask("ely", "TXT")) == ([], ["127.0.0.1"], [])
    have(bind.options(OTHER, verify_seconds=0), "bath", V4, claim=False)
    have(bind.options(CONTROLLER), "bath", overwrite=True)


def test_a_person_is_told_what_would_be_done(
    gateway: Gateway, service: Service, bind: NameServer, capsys: Captured
) -> None:
    service.answers = {f"{METADATA}public-ipv4": V4.encode()}
    gateway.write(metadata_url=service.url)
    assert gateway.run("--check") == 0
    told = capsys.readouterr().out
    assert f"IPv4: {V4} (metadata)" in told
    assert f"The record shows nothing: it would be changed to {V4} (TTL 60)." in told
    assert bind.ask("ely") == []
    assert gateway.run("--look") == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": OWN, "addresses": [V4], "source": {"4": "metadata"}, "notes": [],
    }  # fmt: skip
    assert not (gateway.folder / "run").exists()
    assert gateway.run() == 0
    assert gateway.run("--check") == 0
    assert "nothing would be changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "ely..example"}, "is empty"),
        ({"metadata_url": "file:///etc/shadow"}, "no URL"),
        ({"key_file": "/nonexistent/key"}, "There is no /nonexistent/key"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused(
    gateway: Gateway, changes: dict[str, Any], message: str, capsys: Captured
) -> None:
    assert gateway.run("--validate") == 0
    gateway.write(**changes)
    for option in ("--validate", "--look", "--check", "--now"):
        assert gateway.run(option) == 1
        assert message in capsys.readouterr().err
    (gateway.folder / "announce.json").write_text("{")
    assert gateway.run() == 1
    assert "is no JSON" in capsys.readouterr().err


def test_a_key_file_with_something_else_shows_nothing_of_it(gateway: Gateway, capsys: Captured) -> None:
    Path(gateway.settings["key_file"]).write_text("canary of the key file")
    assert gateway.run() == 1
    assert "canary" not in capsys.readouterr().err


def test_route_53_is_changed_where_it_differs_and_left_alone_otherwise(
    gateway: Gateway, service: Service, amazon: Amazon
) -> None:
    zone_id = amazon.make_zone("announced.example")
    provider = amazon.options("announced.example", zone_id=zone_id, timeout_seconds=5)
    gateway.write(name="ely.announced.example", key_file="", provider=provider)
    assert announced(gateway, service, V4, V6) == 0
    name = "ely.announced.example"
    expected = {(name, "A", ""): ([V4], 60), (name, "AAAA", ""): ([V6], 60)}
    assert amazon.records(zone_id) == expected
    changed_at = gateway.state["changed_at"]
    assert announced(gateway, service, V4, V6) == 0
    assert (amazon.records(zone_id), gateway.state["changed_at"]) == (expected, changed_at)
    assert announced(gateway, service, "8.8.8.8", V6) == 0
    assert amazon.records(zone_id)[name, "A", ""] == (["8.8.8.8"], 60)
    assert ACCOUNT["secret_key"] not in json.dumps(gateway.state)
