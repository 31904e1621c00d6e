# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the gateway with the real certbot against Pebble, BIND and nginx."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from integration.acme.servers import NAME, Gateway

Captured = pytest.CaptureFixture[str]


def served(gateway: Gateway) -> x509.Certificate:
    """What browsers get, which is what the state says."""
    found = gateway.web.served(gateway.state["serial"])
    assert found is not None
    assert f"{found.serial_number:x}" == gateway.state["serial"]
    return found


def names_of(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return sorted(found.value.get_values_for_type(x509.DNSName))


def test_one_call_issues_keeps_and_follows_every_change(gateway: Gateway, capsys: Captured) -> None:
    """Issue, nothing to do, other names, another type of key, another CA and back: no call is of another kind."""
    assert gateway.web.served() is None
    assert gateway.run() == 0, capsys.readouterr().err
    first = served(gateway)
    assert names_of(first) == [NAME]
    assert isinstance(first.public_key(), ec.EllipticCurvePublicKey)
    assert "good until" in capsys.readouterr().err

    reloads, orders = gateway.web.reloads(), gateway.authority.orders()
    assert gateway.run() == 0
    assert (served(gateway), gateway.web.reloads(), gateway.authority.orders()) == (first, reloads, orders)
    assert capsys.readouterr().err == ""

    gateway.zones.have("vpn", "127.0.0.1")
    gateway.write(names=[NAME, "vpn.lab.example"])
    assert gateway.run() == 0, capsys.readouterr().err
    second = served(gateway)
    assert names_of(second) == [NAME, "vpn.lab.example"]
    gateway.write(names=[NAME])
    assert gateway.run() == 0
    assert names_of(served(gateway)) == [NAME]

    gateway.write(key_type="rsa", key_bits=2048)
    assert gateway.run() == 0, capsys.readouterr().err
    third = served(gateway).public_key()
    assert isinstance(third, rsa.RSAPublicKey)
    assert third.key_size == 2048

    # One that was had before, and fits again, is taken up without asking the CA.
    orders = gateway.authority.orders()
    gateway.write(key_type="ecdsa")
    assert gateway.run() == 0
    assert isinstance(served(gateway).public_key(), ec.EllipticCurvePublicKey)
    assert gateway.authority.orders() == orders


def test_what_the_web_server_reads_is_for_root_only(gateway: Gateway) -> None:
    assert gateway.run() == 0
    live = gateway.web.folder / "tls/live"
    assert live.is_symlink()
    assert live.resolve().stat().st_mode & 0o777 == 0o700
    assert (live / "privkey.pem").stat().st_mode & 0o777 == 0o600
    keys = list((gateway.folder / "config/accounts").rglob("private_key.json"))
    assert [key.stat().st_mode & 0o777 for key in keys] == [0o400]
    assert (gateway.folder / "config").stat().st_mode & 0o777 == 0o700
    assert {one.name for one in (gateway.web.folder / "tls").iterdir()} == {"live", live.readlink().name}
