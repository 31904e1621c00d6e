"""A second factor on one gateway, judged inside the unit's sandbox: the certificate alone is not enough there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator

import pytest
from integration.lab.lab_run import OPENVPN_ALONE, PAGE, Playbooks, variables_beside_the_inventory
from privatespace_lab.remote import Client, LabHost

SECRET = base64.b32encode(bytes(range(20))).decode()
LIMIT = ("--limit", "authority1,gateway2", *OPENVPN_ALONE)
ANSWER = "/run/lab-answer"


def code_at(seconds: float) -> str:
    """RFC 6238 with its defaults: SHA-1, 30 seconds, six digits."""
    digest = hmac.new(base64.b32decode(SECRET), int(seconds // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


@pytest.fixture(scope="module")
def guarded(playbooks: Playbooks) -> Iterator[None]:
    """One gateway asks for a code, for a while. The profile is older, so that the test decides what is answered."""
    playbooks.add("tina", "laptop")
    wanted = {"openvpn_second_factor": "totp", "openvpn_totp_secrets": {"tina": SECRET}}
    with variables_beside_the_inventory("gateway2", wanted):
        outcome = playbooks.succeed("site", "--diff", *LIMIT)
        assert SECRET not in outcome.output
        yield
    playbooks.succeed("site", *LIMIT)


def answer(client: Client, playbooks: Playbooks, name: str, password: str) -> bool:
    """Whether a name and a password, besides the certificate, let somebody in."""
    client.write(ANSWER, f"{name}\n{password}\n")
    address = playbooks.addresses["gateway2"]
    client.start(protocol="udp", address=address, extra=[f"auth-user-pass {ANSWER}", "connect-retry-max 1"])
    return client.is_connected_within(8)


def test_the_code_lets_in_once_and_nothing_else_does(
    guarded: None, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    alice.install_profile(playbooks.profiles / "tina@laptop.ovpn")
    alice.start(protocol="udp", address=playbooks.addresses["gateway2"])
    assert not alice.is_connected_within(5), "the certificate alone let somebody in"
    assert not answer(alice, playbooks, "tina", "000000" if code_at(time.time()) != "000000" else "111111")
    assert not answer(alice, playbooks, "oscar", code_at(time.time()))

    code = code_at(time.time())
    assert answer(alice, playbooks, "tina", code), alice.log()[-1500:]
    assert alice.fetch(PAGE) is not None
    alice.stop()
    assert not answer(alice, playbooks, "tina", code), "a code was good twice"
    secrets = gateways[1].run("stat -c '%a %U' /etc/openvpn/server/privatespace/totp/secrets")
    assert secrets == "640 root"
