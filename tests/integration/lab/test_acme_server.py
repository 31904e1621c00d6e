# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificate authority for web pages, as gateways see it; tests of gateways rely on its bad moods."""

from __future__ import annotations

import json

import pytest
from cryptography import x509
from integration.lab.lab_run import INSTANCE, INVENTORY
from privatespace_lab import topology
from privatespace_lab.acme import AcmeServer
from privatespace_lab.engine import LabError
from privatespace_lab.remote import LabHost

SERVER = f"https://{topology.ACME_NAME}:{topology.ACME_PORT}"
ASK = "curl --silent --show-error --include --max-time 10 --cacert /run/lab-acme-ca.pem"


@pytest.fixture
def acme(hosts: None) -> AcmeServer:
    """The server."""
    return AcmeServer(INSTANCE)


@pytest.fixture
def gateway(gateways: tuple[LabHost, LabHost]) -> LabHost:
    """A gateway that knows the certificate from which that of the server is."""
    gateways[0].write("/run/lab-acme-ca.pem", (INVENTORY.parent / "acme-ca.pem").read_text())
    return gateways[0]


def test_a_gateway_reads_the_directory(acme: AcmeServer, gateway: LabHost) -> None:
    head, _blank, body = gateway.run(f"{ASK} {SERVER}/dir").partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    directory = json.loads(body)
    assert directory["newOrder"].startswith(f"{SERVER}/")
    assert "renewalInfo" in directory


def test_it_names_the_root_of_what_it_issues(acme: AcmeServer) -> None:
    root = x509.load_pem_x509_certificate(acme.root().encode())
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert root.subject == root.issuer


@pytest.mark.parametrize(("briefly", "seconds"), [(False, 3600), (True, 5)])
def test_it_can_be_short_of_orders(acme: AcmeServer, gateway: LabHost, briefly: bool, seconds: int) -> None:
    with acme.limited(briefly=briefly):
        answer = gateway.run(f"{ASK} --data '{{}}' {SERVER}/order-plz")
        assert answer.startswith("HTTP/1.1 429")
        assert f"\nRetry-After: {seconds}\n" in answer
        assert json.loads(answer.partition("\n\n")[2])["type"] == "urn:ietf:params:acme:error:rateLimited"
        assert gateway.run(f"{ASK} {SERVER}/dir").startswith("HTTP/1.1 200")
    assert not gateway.run(f"{ASK} --data '{{}}' {SERVER}/order-plz").startswith("HTTP/1.1 429")


def test_it_can_be_broken_and_down_and_comes_back_the_same(acme: AcmeServer, gateway: LabHost) -> None:
    root = acme.root()
    with acme.broken():
        assert gateway.run(f"{ASK} {SERVER}/dir").startswith("HTTP/1.1 503")
    with acme.down(), pytest.raises(LabError, match="connect"):
        gateway.run(f"{ASK} {SERVER}/dir")
    assert gateway.run(f"{ASK} {SERVER}/dir").startswith("HTTP/1.1 200")
    assert acme.root() == root
