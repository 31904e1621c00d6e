# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that browsers trust, on whole gateways, from a CA that rejects good nonces and takes its time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from integration.lab.lab_run import INSTANCE, Playbooks, variables_beside_the_inventory
from privatespace_lab import topology
from privatespace_lab.acme import AcmeServer
from privatespace_lab.remote import Client, LabHost

Gateways = tuple[LabHost, LabHost]
LIMIT = ("--tags", "dns,web", "--limit", "authority1,gateway1,nameserver")
ROOT = "/run/lab-acme-root.pem"


@pytest.fixture(scope="module")
def acme(hosts: None) -> AcmeServer:
    """The CA."""
    return AcmeServer(INSTANCE)


def state(gateway: LabHost) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gateway.run("privatespace-acme --show"))
    return found


def name_of(gateway: LabHost) -> str:
    return str(json.loads(gateway.run("cat /etc/privatespace/acme.json"))["names"][0])


def served(client: LabHost, name: str, family: int = 4) -> str:
    """The serial number of the certificate that a browser trusts; empty where there is none."""
    ask = f"curl --silent --show-error -{family} --max-time 10 --cacert {ROOT} --output /dev/null"
    if not client.succeeds(f"{ask} --write-out '%{{http_version}}' https://{name}/"):
        return ""
    address = f"{name}:443"
    shown = client.run(
        f"openssl s_client -{family} -connect {address} -servername {name} </dev/null 2>/dev/null"
        " | openssl x509 -noout -serial"
    )
    return shown.partition("=")[2].lower().lstrip("0")


@pytest.fixture
def browser(acme: AcmeServer, bob: Client) -> Client:
    """Somebody who trusts the CA."""
    bob.write(ROOT, acme.root())
    return bob


@pytest.fixture
def gateway(gateways: Gateways) -> Iterator[LabHost]:
    """The first gateway, which tries at once afterwards, whatever the CA has said."""
    yield gateways[0]
    gateways[0].run(
        "python3 -c \"import json; p = '/var/lib/privatespace/acme/state.json'; s = json.load(open(p));"
        " s.update(failures=0, retry_at=0, ca_said=False); json.dump(s, open(p, 'w'))\"; privatespace-acme --now"
    )
    assert state(gateways[0])["problem"] == ""


def test_browsers_trust_every_gateway_over_both_families(gateways: Gateways, browser: Client) -> None:
    for gateway in gateways:
        found = state(gateway)
        assert found["problem"] == ""
        assert 89 < found["days_left"] <= 90
        for family in (4, 6):
            assert served(browser, name_of(gateway), family) == found["serial"]


def test_all_gateways_renew_at_once_and_nothing_else_is_reloaded(
    playbooks: Playbooks, gateways: Gateways, browser: Client
) -> None:
    before = [state(gateway) for gateway in gateways]
    outcome = playbooks.succeed("acme_renew")
    assert "good until" in outcome.output
    after = [state(gateway) for gateway in gateways]
    assert all(new["serial"] != old["serial"] for new, old in zip(after, before, strict=True))
    assert [served(browser, name_of(gateway)) for gateway in gateways] == [one["serial"] for one in after]
    # The timer's own run finds nothing to do.
    reloads = "systemctl show -p StateChangeTimestampMonotonic privatespace-web"
    for gateway in gateways:
        loaded = gateway.run(reloads)
        gateway.run("systemctl start privatespace-acme.service")
        assert gateway.run(reloads) == loaded


def test_a_ca_that_is_away_leaves_the_certificate_and_status_says_so(
    playbooks: Playbooks, acme: AcmeServer, gateway: LabHost, browser: Client
) -> None:
    before = state(gateway)
    with acme.down():
        assert not gateway.succeeds("systemctl start privatespace-acme.service")
        found = state(gateway)
        assert "cannot be reached: Connection refused" in found["problem"]
        assert found["serial"] == before["serial"] == served(browser, name_of(gateway))
        assert "privatespace-acme-retry.timer" in gateway.run("systemctl list-timers --no-pager")
        output = playbooks.succeed("status").output
    assert "is not renewed: The CA at acme.outside.example" in output
    assert "tried again in" in output


def test_a_ca_that_is_busy_says_when_it_is_asked_again(acme: AcmeServer, gateway: LabHost, browser: Client) -> None:
    before = state(gateway)
    with acme.limited():
        assert not gateway.succeeds("privatespace-acme --renew")
    found = state(gateway)
    assert "too many new orders" in found["problem"]
    assert found["ca_said"] is True
    assert 3500 < found["retry_at"] - found["checked_at"] <= 3700
    assert not gateway.succeeds("privatespace-acme --now")
    assert state(gateway)["checked_at"] == found["checked_at"]
    assert served(browser, name_of(gateway)) == before["serial"]


def test_a_name_that_leads_elsewhere_is_seen_before_the_ca_is_asked(
    acme: AcmeServer, gateway: LabHost, browser: Client
) -> None:
    before, name = state(gateway), name_of(gateway)
    announcing = "privatespace-announce.timer privatespace-announce-watch.service privatespace-announce.service"
    orders = "journalctl -u lab-pebble --no-pager | grep -c 'order' || true"
    gateway.run(f"systemctl stop {announcing}")
    other = topology.gateway_addresses(INSTANCE)["gateway2"]
    # The gateway's own key may do that, and the gateway itself would put it right again.
    key = gateway.run("cat /etc/privatespace/dns.key") + "\n"
    asked = acme.run(orders)
    try:
        server = topology.nameserver_address(INSTANCE)
        said = f"server {server}\nupdate delete {name}. A\nupdate add {name}. 60 A {other}\nsend\n"
        acme.write("/run/lab-own.key", key)
        acme.run("nsupdate -k /run/lab-own.key", feed=said)
        assert not gateway.succeeds("privatespace-acme --renew")
        assert f"leads to {other}" in state(gateway)["problem"]
        assert acme.run(orders) == asked
        assert state(gateway)["serial"] == before["serial"]
    finally:
        acme.run("rm -f /run/lab-own.key")
        gateway.run(f"systemctl start {announcing}; privatespace-announce --now")


def test_a_revoked_certificate_is_out_of_service_until_the_next_installation(
    playbooks: Playbooks, gateways: Gateways, browser: Client
) -> None:
    """That one has the name proved by DNS, with the key of the gateway; the one after it by the web server."""
    gateway = gateways[0]
    before, name = state(gateway), name_of(gateway)
    playbooks.succeed("acme_revoke", "--limit", "gateway1", variables={"acme_revoke_reason": "keycompromise"})
    assert served(browser, name) == ""
    assert browser.succeeds(f"curl --silent --max-time 10 --output /dev/null http://{name}/")
    assert not gateway.succeeds("systemctl is-active privatespace-acme.timer")
    by_dns = {"acme_challenge": "dns-01", "acme_propagation_seconds": 2, "acme_curve": "secp384r1"}
    with variables_beside_the_inventory("gateway1", by_dns):
        playbooks.succeed("site", *LIMIT)
        by_key = state(gateway)["serial"]
        assert by_key not in ("", before["serial"])
        assert served(browser, name) == by_key
        assert browser.run(f"dig +short TXT _acme-challenge.{name}") == ""
        assert gateway.succeeds("systemctl is-active privatespace-acme.timer")
    # The revoked one is not taken up again.
    playbooks.succeed("site", *LIMIT)
    assert state(gateway)["serial"] not in ("", before["serial"], by_key)
    assert served(browser, name) == state(gateway)["serial"]


def test_a_gateway_that_starts_serves_what_it_has(gateways: Gateways, browser: Client) -> None:
    gateway = gateways[0]
    before = state(gateway)
    gateway.reboot()
    assert gateway.succeeds("timeout 60 sh -c 'until systemctl is-active privatespace-web; do sleep 1; done'")
    assert served(browser, name_of(gateway)) == before["serial"]


def test_nothing_secret_is_in_the_journal(gateways: Gateways) -> None:
    for gateway in gateways:
        secret = gateway.run("sed -n 's/.*secret \"\\(.*\\)\".*/\\1/p' /etc/privatespace/dns.key")
        assert len(secret) > 20
        assert secret not in gateway.run("journalctl -u privatespace-acme --no-pager")
        assert "PRIVATE KEY" not in gateway.run("journalctl -u privatespace-acme --no-pager")
