"""A handshake of the real OpenVPN with everything that the authority makes: certificates, CRL, tls-crypt-v2 keys.

No tunnel device and no privileges are needed: the device is ``null``.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.hsm.authority import Authority, authority
from integration.hsm.openvpn_processes import UP, free_port, openvpn, running
from integration.softhsm import SoftToken

from ansible_collections.privatespace.gateway.plugins.module_utils._pki import profiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    make_client_key,
    make_server_key,
    unwrap_client_key,
)


def _server_options(port: str) -> tuple[str, ...]:
    identity = ("--cert", "gateway-cambridge.crt", "--key", "gateway-cambridge.key", "--crl-verify", "crl.pem")
    keys = ("--tls-crypt-v2", "server.key", "--tls-crypt-v2-verify", "./verify.sh", "--script-security", "2")
    address = ("--local", "127.0.0.1", "--port", port, "--tls-server", "--dh", "none", "--remote-cert-tls", "client")
    return (*address, *identity, *keys)


def _client_options(port: str, name: str) -> tuple[str, ...]:
    identity = ("--cert", f"{name}.crt", "--key", f"{name}.key", "--tls-crypt-v2", f"{name}.tc2")
    checks = ("--remote-cert-tls", "server", "--verify-x509-name", "gateway-", "name-prefix")
    return ("--remote", "127.0.0.1", port, "--nobind", "--tls-client", *identity, *checks)


@pytest.fixture
def ca(soft_token: SoftToken, tmp_path: Path) -> Iterator[Authority]:
    """An authority with a gateway and two devices, alice revoked, and all files that OpenVPN wants."""
    with authority(soft_token, tmp_path) as made:
        made.issue("gateway-cambridge", profiles.SERVER)
        alice = made.issue("alice@laptop", profiles.CLIENT)
        made.issue("bob@phone", profiles.CLIENT)
        made.revoke(alice)
        server_key = make_server_key(os.urandom(128))
        made.write("server.key", server_key)
        for name in ("alice@laptop", "bob@phone"):
            made.write(f"{name}.tc2", make_client_key(server_key, random_bytes=os.urandom(256), metadata=name))
        made.write("verify.sh", '#!/bin/sh\ncp "$metadata_file" metadata\nexit 0\n').chmod(0o755)
        yield made


def test_a_device_comes_in_and_its_key_tells_who_it_is(ca: Authority) -> None:
    port = free_port()
    with (
        running(ca.folder, "server", *_server_options(port)) as server,
        running(ca.folder, "client", *_client_options(port, "bob@phone")) as client,
    ):
        client.wait_for(UP)
        server.wait_for("VERIFY OK: depth=0, CN=bob@phone")
        assert (ca.folder / "metadata").read_bytes() == b"bob@phone"
        assert "WARNING: Failed CRL" not in server.text()


def test_a_revoked_device_is_refused(ca: Authority) -> None:
    port = free_port()
    with (
        running(ca.folder, "server", *_server_options(port)) as server,
        running(ca.folder, "client", *_client_options(port, "alice@laptop")) as client,
    ):
        assert server.wait_for("certificate revoked", UP) == "certificate revoked"
        assert UP not in client.text()


def test_the_programs_own_keys_are_read(ca: Authority) -> None:
    """Keys that openvpn made: its server key wraps ours, and we unwrap its client key."""
    program = openvpn()
    subprocess.run([program, "--genkey", "tls-crypt-v2-server", "own.key"], cwd=ca.folder, check=True)
    client = ("--tls-crypt-v2", "own.key", "--genkey", "tls-crypt-v2-client", "own.tc2")
    subprocess.run([program, *client], cwd=ca.folder, check=True, capture_output=True)
    server_key = (ca.folder / "own.key").read_text()
    assert len(unwrap_client_key(server_key, (ca.folder / "own.tc2").read_text()).key) == 256
    ours = make_client_key(server_key, random_bytes=os.urandom(256), metadata="alice@laptop")
    assert unwrap_client_key(server_key, ours).metadata == "alice@laptop"
