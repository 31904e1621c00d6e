"""Two authorities at once on a real OpenVPN server: one file of trust, one file with the CRL of each.

Old CA -> gateway, alice (revoked), bob          New CA -> carol (revoked), dave
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from integration.hsm.openvpn_processes import UP, Process, free_port, running
from integration.openvpn.vpn import Authority

REVOKED, EXPIRED = "certificate revoked", "CRL has expired"
MISSING = "unable to get certificate CRL"
ACCEPTED = "VERIFY OK: depth=0"


@pytest.fixture
def cas(tmp_path: Path) -> tuple[Authority, Authority]:
    """The two authorities; certificates and keys of all are files named after their owners."""
    old, new = Authority("Old CA"), Authority("New CA")
    for authority, name in ((old, "gateway-x"), (old, "alice"), (old, "bob"), (new, "carol"), (new, "dave")):
        certificate, key = authority.issue(name, server=name.startswith("gateway-"))
        (tmp_path / f"{name}.crt").write_text(certificate)
        (tmp_path / f"{name}.key").write_text(key)
    old.revoke("alice")
    new.revoke("carol")
    (tmp_path / "ca.crt").write_text(old.pem + new.pem)
    return old, new


@contextmanager
def server(folder: Path, crls: str) -> Iterator[tuple[Process, str]]:
    (folder / "crl.pem").write_text(crls)
    port = free_port()
    address = ("--local", "127.0.0.1", "--port", port, "--tls-server", "--dh", "none", "--remote-cert-tls", "client")
    identity = ("--cert", "gateway-x.crt", "--key", "gateway-x.key", "--crl-verify", "crl.pem")
    with running(folder, "server", *address, *identity) as process:
        process.wait_for("UDPv4 link local")
        yield process, port


def verdict(folder: Path, gateway: Process, port: str, name: str) -> str:
    """What the server says of a device, once the device has tried."""
    said = {f"{ACCEPTED}, CN={name}": ACCEPTED}
    said.update({f"error={text}: CN={name}": text for text in (REVOKED, EXPIRED)})
    identity = ("--cert", f"{name}.crt", "--key", f"{name}.key", "--remote-cert-tls", "server")
    options = ("--remote", "127.0.0.1", port, "--nobind", "--tls-client", *identity)
    with running(folder, name, *options) as client:
        found = said[gateway.wait_for(*said)]
        if found == ACCEPTED:
            client.wait_for(UP)
        else:
            assert UP not in client.text()
        return found


def test_each_crl_speaks_for_its_own_issuer(tmp_path: Path, cas: tuple[Authority, Authority]) -> None:
    old, new = cas
    for crls in (old.crl() + new.crl(), new.crl() + old.crl()):
        with server(tmp_path, crls) as (gateway, port):
            said = {name: verdict(tmp_path, gateway, port, name) for name in ("alice", "bob", "carol", "dave")}
        assert said == {"alice": REVOKED, "bob": ACCEPTED, "carol": REVOKED, "dave": ACCEPTED}


def test_without_the_crl_of_an_issuer_its_revoked_devices_come_in(
    tmp_path: Path, cas: tuple[Authority, Authority]
) -> None:
    """OpenVPN only warns. That is why a gateway takes no file which lacks one."""
    old, _new = cas
    with server(tmp_path, old.crl()) as (gateway, port):
        said = {name: verdict(tmp_path, gateway, port, name) for name in ("alice", "bob", "carol")}
        assert f"VERIFY WARNING: depth=0, {MISSING}: CN=carol" in gateway.text()
    assert said == {"alice": REVOKED, "bob": ACCEPTED, "carol": ACCEPTED}


def test_an_expired_crl_shuts_out_the_devices_of_its_issuer(tmp_path: Path, cas: tuple[Authority, Authority]) -> None:
    old, new = cas
    with server(tmp_path, old.crl() + new.crl(age=timedelta(days=2))) as (gateway, port):
        said = {name: verdict(tmp_path, gateway, port, name) for name in ("bob", "dave")}
    assert said == {"bob": ACCEPTED, "dave": EXPIRED}
