# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a profile: a playbook prints a link, a browser opens it, and the device is connected."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.browser import OpenBrowser
from integration.lab.lab_run import INSTANCE, INTERNET, Playbooks
from integration.portal_pages.walk import Walker, wait_until
from privatespace_lab.acme import AcmeServer
from privatespace_lab.remote import Client, LabHost
from selenium.common.exceptions import WebDriverException

LINK = re.compile(r"https://[a-z0-9.-]+/link#[A-Za-z0-9_-]{43}")
SPOOL = "/var/lib/privatespace/portal/links"


@dataclass(frozen=True)
class Portal:
    """The portal of the first gateway, which gives out the links.

    :param name: Under which browsers find it.
    :param address: Where that name leads.
    """

    host: LabHost
    name: str
    address: str

    @property
    def url(self) -> str:
        return f"https://{self.name}"


@pytest.fixture(scope="module")
def portal(gateways: tuple[LabHost, LabHost], playbooks: Playbooks) -> Portal:
    host = gateways[0]
    name = str(json.loads(host.run("cat /etc/privatespace/announce.json"))["name"])
    return Portal(host, name, playbooks.addresses[host.name])


@pytest.fixture
def person(portal: Portal, open_browser: OpenBrowser) -> Walker:
    """Somebody whose browser trusts the CA of the lab, as everybody's trusts those of the world."""
    root = AcmeServer(INSTANCE).root()
    return Walker(open_browser(root=root, addresses={portal.name: portal.address}))


def make_link(playbooks: Playbooks, user: str, device: str) -> str:
    variables = {"user_name": user, "user_device": device, "user_reissue": "true", "user_delivery": "link"}
    outcome = playbooks.succeed("user_add", variables=variables)
    (link,) = set(LINK.findall(outcome.output))
    return str(link)


def test_a_link_becomes_a_connected_device_and_leaves_nothing_behind(
    portal: Portal, person: Walker, playbooks: Playbooks, alice: Client
) -> None:
    link = make_link(playbooks, "alice", "portal")
    assert link.startswith(f"{portal.url}/link#")
    person.open(link)
    person.wait_for_state("offer")
    assert person.run("return isSecureContext")
    assert (person.part("user").text, person.part("device").text) == ("alice", "portal")
    person.part("button").click()
    person.wait_for_state("done")
    wait_until(lambda: person.part("erased").is_displayed())
    profile = person.browser.wait_for_download("alice@portal.ovpn")
    assert portal.host.run(f"ls -A {SPOOL}") == ""
    assert person.complaints() == []
    assert all(url.startswith((f"{portal.url}/", "data:")) for url in person.loaded())

    alice.install_profile(profile)
    alice.connect(protocol="tcp", address=portal.address)
    alice.run(f"ping -c 1 -W 5 {INTERNET}")

    person.open(f"{portal.url}/connect")
    person.run("sessionStorage.clear()")
    person.open(link)
    person.wait_for_state("unknown")

    token = link.partition("#")[2]
    for secret in (token, *key_lines(profile)):
        found = portal.host.run(
            f"grep -rlF -e '{secret}' /var/log /var/lib/privatespace /run/privatespace* 2>/dev/null; "
            f"journalctl --no-pager --quiet | grep -cF -e '{secret}' || true"
        )
        assert found == "0"


def test_a_browser_that_does_not_know_the_root_does_not_trust_it(portal: Portal, open_browser: OpenBrowser) -> None:
    browser = open_browser(addresses={portal.name: portal.address})
    with pytest.raises(WebDriverException, match="ERR_CERT_AUTHORITY_INVALID"):
        browser.open(portal.url)


def test_the_first_page_tells_the_state_and_gives_the_files_of_the_gateway(portal: Portal, person: Walker) -> None:
    # The timer does so twice a minute.
    portal.host.run("systemctl start privatespace-metrics.service")
    person.open(f"{portal.url}/")
    person.wait_for_text("[data-word]", "Working")
    assert portal.name in person.text
    files = "/etc/openvpn/server/privatespace"
    for name in ("ca.crt", "crl.pem"):
        person.find(f'a[href="/{name}"]').click()
        content = person.browser.wait_for_download(name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == portal.host.run(f"sha256sum {files}/{name}").split()[0]
    assert person.find("[data-crl-sha256]").text == portal.host.run(f"sha256sum {files}/crl.pem").split()[0]
    assert person.find_barriers() == []
    assert person.complaints() == []


def key_lines(profile: Path) -> list[str]:
    """A line of each private key of a profile."""
    return re.findall(r"-----BEGIN [A-Z ]*KEY[A-Z 0-9-]*-----\n(\S{20,})", profile.read_text())
