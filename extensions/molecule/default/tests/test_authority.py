"""The authority after a converge: the key is in the token only, and its files are for root only."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://authority"]

STATE = "/var/lib/privatespace/authority"
LIST_KEYS = """
import pkcs11
from pkcs11 import Attribute, ObjectClass

slots = pkcs11.lib("/usr/lib/softhsm/libsofthsm2.so").get_slots(token_present=True)
token = next(slot.get_token() for slot in slots if slot.get_token().label == "privatespace")
with token.open() as session:
    print(len(list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: "ca"}))))
    print(len(list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))))
"""


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (STATE, 0o700),
        (f"{STATE}/authority.db", 0o600),
        (f"{STATE}/tls-crypt-v2-server.key", 0o600),
        (f"{STATE}/ca.pem", 0o644),
        (f"{STATE}/crl.pem", 0o644),
        (f"{STATE}/crl.der", 0o644),
    ],
)
def test_modes(host: Host, path: str, mode: int) -> None:
    assert host.file(path).mode == mode
    assert host.file(path).user == "root"


def test_the_crl_is_signed_by_the_ca(host: Host) -> None:
    checked = host.run(f"openssl crl -noout -in {STATE}/crl.pem -CAfile {STATE}/ca.pem")
    assert "verify OK" in checked.stderr


def test_nobody_sees_the_ca_key_without_the_pin(host: Host) -> None:
    listed = host.run(f"/opt/privatespace/authority/bin/python - <<'END'\n{LIST_KEYS}END")
    assert listed.stdout.split() == ["1", "0"], listed.stderr


def test_no_private_key_lies_in_a_file(host: Host) -> None:
    found = host.run(f"grep -rl 'PRIVATE KEY' {STATE} /etc/privatespace /root")
    assert found.stdout == ""
