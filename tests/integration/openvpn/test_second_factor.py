"""One-time passwords with a real server and real clients: who shows the right code comes in, once."""

from __future__ import annotations

import base64
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import LISTENERS, Client, Vpn, running, wait_for
from unit.openvpn.test_totp import PROGRAM, PYTHON, totp

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_totp_secrets import openvpn_totp_secrets

USERS = ("alice", "bob", "carol", "dora", "erin")
SECRETS = {user: base64.b32encode(user.ljust(20, "x").encode()).decode() for user in USERS}
SERVICE = ("nobody", "nogroup")
# The client leaves it to the server.
RENEGOTIATION_SECONDS = 3


@dataclass(frozen=True)
class Gateway:
    """A server that asks for codes, and where it keeps what it needs."""

    vpn: Vpn
    folder: Path

    def log(self) -> str:
        return self.vpn.server_log("udp")

    def client(self, common_name: str, password: str, *, name: str = "") -> Client:
        """A client that has begun to connect."""
        client = self.vpn.client()
        given = self.folder / f"{common_name}.pass"
        given.write_text(f"{name or common_name.partition('@')[0]}\n{password}\n")
        profile = self.vpn.profile(common_name, "udp")
        profile.write_text(f"auth-user-pass {given}\nauth-retry none\n{profile.read_text()}")
        self.vpn.start_client(client, profile)
        return client


def code(user: str, step: int = 0) -> str:
    """The code of this moment, or of so many steps later."""
    return str(totp.code_at(base64.b32decode(SECRETS[user]), int(time.time()) // totp.STEP_SECONDS + step))


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    folder = Path(tempfile.mkdtemp(prefix="psgtotp", dir="/tmp"))
    folder.chmod(0o755)
    program, secrets, state = folder / "totp_verify", folder / "secrets", folder / "state"
    program.write_text(f"#!{' '.join(PYTHON)}\n{PROGRAM.read_text()}")
    program.chmod(0o755)
    secrets.write_text(openvpn_totp_secrets(SECRETS))
    secrets.chmod(0o640)
    shutil.chown(secrets, "root", SERVICE[1])
    state.mkdir(mode=0o700)
    shutil.chown(state, *SERVICE)
    extra = (
        "script-security 2",
        f'auth-user-pass-verify "{program} --secrets {secrets} --state {state}" via-file',
        "auth-gen-token 43200 3600",
        f"reneg-sec {RENEGOTIATION_SECONDS}",
    )
    try:
        with running(extra=extra, listeners=LISTENERS[:1]) as vpn:
            yield Gateway(vpn, folder)
    finally:
        shutil.rmtree(folder)


def test_the_right_code_comes_in_and_nobody_is_asked_again(gateway: Gateway) -> None:
    client = gateway.client("alice@laptop", code("alice"))
    wait_for("connection of alice", 15, client.connected)
    wait_for("two renegotiations", 30, lambda: gateway.log().count("TLS: soft reset") >= 2)
    assert client.lost_packets(0.5, "10.91.0.1") == 0
    said = [line for line in gateway.log().splitlines() if "totp_verify: alice@laptop" in line]
    assert [line.partition("totp_verify: ")[2] for line in said] == ["alice@laptop is let in"]
    client.stop()


def test_a_code_comes_as_the_answer_to_a_challenge(gateway: Gateway) -> None:
    answer = base64.b64encode(code("bob").encode()).decode()
    client = gateway.client("bob@laptop", f"SCRV1::{answer}")
    wait_for("connection of bob", 15, client.connected)
    client.stop()


def wrong_code(gateway: Gateway) -> Any:
    right = {code("carol", step) for step in range(-1, 3)}
    return gateway.client("carol@laptop", next(each for each in map(str, range(100_000, 100_010)) if each not in right))


def used_code(gateway: Gateway) -> Any:
    shown = code("dora")
    first = gateway.client("dora@laptop", shown)
    wait_for("connection of dora", 15, first.connected)
    first.stop()
    return gateway.client("dora@phone", shown)


def no_secret(gateway: Gateway) -> Any:
    return gateway.client("zoe@laptop", "123456")


def code_of_another(gateway: Gateway) -> Any:
    return gateway.client("erin@laptop", code("carol"))


def name_of_another(gateway: Gateway) -> Any:
    return gateway.client("erin@phone", code("carol"), name="carol")


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (wrong_code, "carol@laptop is refused: wrong code"),
        (used_code, "dora@phone is refused: the code was used before"),
        (no_secret, "zoe@laptop is refused: there is no secret of this user"),
        (code_of_another, "erin@laptop is refused: wrong code"),
        (name_of_another, "erin@phone is refused: the name given is not that of the certificate's user"),
    ],
)
def test_who_shows_anything_else_stays_out(gateway: Gateway, attempt: Any, words: str) -> None:
    client = attempt(gateway)
    wait_for("refusal", 15, lambda: "AUTH_FAILED" in client.log.read_text())
    assert not client.connected()
    assert words in gateway.log()
    client.stop()


def test_the_log_holds_no_code_and_no_secret(gateway: Gateway) -> None:
    shown = code("alice")
    gateway.client("alice@phone", shown)
    wait_for("judgement of alice@phone", 15, lambda: "totp_verify: alice@phone" in gateway.log())
    assert shown not in gateway.log()
    assert not any(secret.rstrip("=") in gateway.log() for secret in SECRETS.values())
