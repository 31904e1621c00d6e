"""The authority after a converge: the key is in the token only, and its files are for root only."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://authority"]

STATE = "/var/lib/privatespace/authority"
PUBLIC = "/var/lib/privatespace/public"
LIST_KEYS = """
import pkcs11
from pkcs11 import Attribute, ObjectClass

slots = pkcs11.lib("/usr/lib/softhsm/libsofthsm2.so").get_slots(token_present=True)
token = next(slot.get_token() for slot in slots if slot.get_token().label == "privatespace")
with token.open() as session:
    print(len(list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: "ca"}))))
    print(len(list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))))
"""


ASK = f"""
from http.client import HTTPConnection
from pathlib import Path

for path in ("/crl.pem", "/", "/authority.db", "/../authority/authority.db", "/.crl.pem"):
    connection = HTTPConnection("127.0.0.1", timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    print(answer.status)
    if path == "/crl.pem":
        print(body == Path("{PUBLIC}/crl.pem").read_bytes())
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
        (PUBLIC, 0o755),
        (f"{PUBLIC}/ca.pem", 0o644),
        (f"{PUBLIC}/crl.pem", 0o644),
        (f"{PUBLIC}/crl.der", 0o644),
        ("/etc/privatespace/credentials", 0o700),
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


def test_the_crl_is_given_away_and_nothing_else(host: Host) -> None:
    assert host.service("privatespace-publish").is_running
    assert host.service("privatespace-publish").is_enabled
    asked = host.run(f"python3 - <<'END'\n{ASK}END")
    assert asked.stdout.split() == ["200", "True", "404", "404", "400", "404"], asked.stderr


def test_the_crl_is_kept_fresh(host: Host) -> None:
    assert host.service("privatespace-crl.timer").is_enabled
    shown = json.loads(host.check_output("privatespace-authority-crl --show"))
    assert shown["problem"] == ""
    assert shown["timer"]["active"]
    assert shown["last_run"]["checked_at"]


def test_the_pin_is_for_one_service_only(host: Host) -> None:
    found = host.check_output("find /etc/privatespace/credentials -type f -printf '%m:%u\\n'")
    assert found.split() == ["400:root"]
