"""The verifier of one-time passwords: what it decides, with the vectors of RFC 6238, and what it refuses."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_totp_secrets import openvpn_totp_secrets

PROGRAM = Path(__file__).parents[3] / "roles" / "openvpn" / "files" / "totp_verify"
PYTHON = ("/usr/bin/python3", "-IS")
SECRET = b"12345678901234567890"  # that of RFC 6238, appendix B
BASE32 = base64.b32encode(SECRET).decode()
VECTORS = {
    59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037",
    20000000000: "65353130",
}  # fmt: skip


def _load() -> Any:
    loader = SourceFileLoader("totp_verify", str(PROGRAM))
    module = module_from_spec(spec_from_loader("totp_verify", loader) or pytest.fail("no such program"))
    # The program is copied to gateways as it lies here: nothing is to lie beside it.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


totp = _load()


def judge(code: str, now: float, *, counter: int = -1, failures: tuple[float, ...] = ()) -> Any:
    return totp.judge(SECRET, code, now=now, history=totp.History(counter, failures))


@pytest.mark.parametrize(("moment", "eight"), VECTORS.items())
def test_the_vectors_of_the_standard(moment: int, eight: str) -> None:
    """Those have eight digits; ours are the last six of them."""
    assert totp.code_at(SECRET, moment // 30) == eight[-6:]
    assert judge(eight[-6:], moment).accepted


@pytest.mark.parametrize(("step", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(step: int, accepted: bool) -> None:
    now = 1_800_000_015
    assert judge(totp.code_at(SECRET, now // 30 + step), now).accepted is accepted


def test_each_code_is_used_once_and_no_earlier_one_after_it() -> None:
    now = 1_800_000_015
    counter = now // 30
    first = judge(totp.code_at(SECRET, counter), now)
    assert (first.accepted, first.history) == (True, totp.History(counter, ()))
    for again in (counter, counter - 1):
        refused = judge(totp.code_at(SECRET, again), now, counter=counter)
        assert (refused.accepted, refused.why) == (False, "the code was used before")
        assert refused.history == totp.History(counter, (now,))
    assert judge(totp.code_at(SECRET, counter + 1), now, counter=counter).accepted


def test_five_wrong_codes_in_five_minutes_refuse_even_the_right_one_until_they_are_over() -> None:
    now = 1_800_000_000.0
    history = totp.UNKNOWN
    for number in range(5):
        history = totp.judge(SECRET, "000000", now=now + number, history=history).history
    right = totp.code_at(SECRET, int(now + 10) // 30)
    refused = totp.judge(SECRET, right, now=now + 10, history=history)
    assert (refused.accepted, refused.why) == (False, "too many wrong codes, refused for 291 s more")
    assert refused.history == history, "what is refused unread does not make the wait longer"
    later = now + 301
    assert totp.judge(SECRET, totp.code_at(SECRET, int(later) // 30), now=later, history=history).accepted


@pytest.mark.parametrize("name", ["", "alice"])
def test_the_name_is_that_of_the_certificate_or_none(name: str) -> None:
    assert totp.user_of("alice@laptop", name) == "alice"


@pytest.mark.parametrize(
    ("common_name", "name"),
    [("alice@laptop", "bob"), ("alice@laptop", "Alice"), ("alice@laptop", "alice@laptop"), ("gateway-one", ""),
     ("", ""), ("../x@a", ""), ("alice@laptop\n", ""), ("alice@a@b", "")],
)  # fmt: skip
def test_other_names_are_refused(common_name: str, name: str) -> None:
    with pytest.raises(totp.RefusedError):
        totp.user_of(common_name, name)


def challenge(password: str, answer: str) -> str:
    return ":".join(["SCRV1", *(base64.b64encode(part.encode()).decode() for part in (password, answer))])


@pytest.mark.parametrize(
    "password", ["123456", "123 456", challenge("whatever", "123456"), challenge("", " 123456")]
)  # fmt: skip
def test_a_code_comes_as_the_password_or_as_the_answer_to_a_challenge(password: str) -> None:
    assert totp.parse_credentials(f"alice\n{password}\n") == ("alice", "123456")


@pytest.mark.parametrize(
    "text",
    ["", "alice", "alice\n", "alice\n12345\n", "alice\n1234567\n", "alice\n12345a\n", "alice\n١٢٣٤٥٦\n",
     "alice\n123456\nmore\n", "alice\nSCRV1:MTIzNDU2\n", "alice\nSCRV1:a:b:c\n", "alice\nSCRV1:MTIz*:MTIzNDU2\n",
     "alice\nSCRV1:MTIzNDU2:\n"],
)  # fmt: skip
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(totp.RefusedError):
        totp.parse_credentials(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no secret"), (f"bob {BASE32}\n", "no secret"), (f"alice {BASE32}\n" * 2, "beyond doubt"),
     ("alice\n", "beyond doubt"), ("alice 1890\n", "cannot be read"), ("alice GEZDGNBV\n", "too short")],
)  # fmt: skip
def test_a_secret_that_is_not_beyond_doubt_is_none(text: str, words: str) -> None:
    with pytest.raises(totp.RefusedError, match=words):
        totp.find_secret(text, "alice")


@pytest.mark.parametrize("text", ["[]", "{", '{"alice": {}}', '{"alice": {"counter": "x", "failures": []}}', "7"])
def test_a_state_that_cannot_be_read_is_no_reason_to_let_anybody_in(text: str) -> None:
    with pytest.raises(totp.RefusedError, match="used codes"):
        totp.parse_states(text)


class Gateway:
    """The files of a gateway, and the program run as OpenVPN runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secrets, self.state = folder, folder / "secrets", folder / "state"
        self.state.mkdir()
        self.secrets.write_text(openvpn_totp_secrets({"alice": BASE32}))
        self.secrets.chmod(0o640)

    def __call__(self, password: str, *, name: str = "alice", common_name: str = "alice@laptop") -> tuple[int, str]:
        given = self.folder / "given"
        given.write_text(f"{name}\n{password}\n")
        argv = (*PYTHON, str(PROGRAM), "--secrets", str(self.secrets), "--state", str(self.state), str(given))
        done = subprocess.run(
            argv, env={"common_name": common_name}, capture_output=True, text=True, check=False, timeout=30
        )
        assert (done.stdout, done.stderr.count("\n")) == ("", 1), done.stderr
        assert password not in done.stderr
        assert BASE32 not in done.stderr
        return done.returncode, done.stderr

    def code(self, step: int = 0) -> str:
        return str(totp.code_at(SECRET, int(time.time()) // 30 + step))


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_the_role_installs_it_with_the_same_python() -> None:
    tasks = PROGRAM.parents[1] / "tasks" / "second_factor.yml"
    assert f"'#!{' '.join(PYTHON)}\\n'" in tasks.read_text()


def test_the_program_lets_in_once(gateway: Gateway) -> None:
    code = gateway.code()
    assert gateway(code) == (0, "totp_verify: alice@laptop is let in\n")
    assert "used before" in gateway(code)[1]
    kept = json.loads((gateway.state / "state").read_text())
    assert list(kept) == ["alice"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in gateway.state.iterdir()} == {0o600}
    assert sorted(path.name for path in gateway.state.iterdir()) == ["lock", "state"]


def test_two_devices_of_a_user_cannot_share_a_code(gateway: Gateway) -> None:
    code = gateway.code()
    assert gateway(code)[0] == 0
    assert gateway(code, common_name="alice@phone")[0] == 1


def test_of_many_at_once_one_is_let_in(gateway: Gateway) -> None:
    (gateway.folder / "given").write_text(f"alice\n{gateway.code()}\n")
    argv = (*PYTHON, PROGRAM, "--secrets", gateway.secrets, "--state", gateway.state, gateway.folder / "given")
    running = [
        subprocess.Popen(argv, env={"common_name": "alice@laptop"}, stderr=subprocess.DEVNULL) for _each in range(8)
    ]
    assert sorted(process.wait(30) for process in running) == [0, *[1] * 7]


def test_wrong_codes_are_counted_over_runs(gateway: Gateway) -> None:
    right = {gateway.code(step) for step in range(-1, 4)}
    wrong = next(code for code in map(str, range(100_000, 100_010)) if code not in right)
    for _time in range(5):
        assert "wrong code" in gateway(wrong)[1]
    status, said = gateway(gateway.code())
    assert status == 1
    assert "too many wrong codes" in said


def break_secrets_mode(gateway: Gateway) -> None:
    gateway.secrets.chmod(0o644)


def break_secrets(gateway: Gateway) -> None:
    gateway.secrets.unlink()


def break_state(gateway: Gateway) -> None:
    (gateway.state / "state").write_text("nonsense")


def break_state_link(gateway: Gateway) -> None:
    (gateway.state / "state").symlink_to(gateway.secrets)


def break_state_folder(gateway: Gateway) -> None:
    gateway.state.rmdir()


@pytest.mark.parametrize(
    "damage", [break_secrets_mode, break_secrets, break_state, break_state_link, break_state_folder]
)  # fmt: skip
def test_a_broken_gateway_lets_nobody_in(gateway: Gateway, damage: Any) -> None:
    damage(gateway)
    status, said = gateway(gateway.code())
    assert status == 1
    assert "is refused" in said


def test_who_cannot_note_that_a_code_is_used_lets_nobody_in(gateway: Gateway) -> None:
    (gateway.state / "state.new").mkdir()
    assert gateway(gateway.code())[0] == 1


@pytest.mark.parametrize("arguments", [(), ("/nowhere",), ("a", "b")])
def test_a_wrong_call_lets_nobody_in(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*PYTHON, PROGRAM, *arguments], env={}, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "no common name is refused" in done.stderr


def test_a_hostile_common_name_stays_on_its_line(gateway: Gateway) -> None:
    assert gateway(gateway.code(), common_name="a\nroot is let in\x1b[2J")[0] == 1


def test_the_file_of_secrets() -> None:
    bare = BASE32.rstrip("=")
    text = openvpn_totp_secrets(
        {"bob": f" {bare.lower()} ", "alice": " ".join(bare[i : i + 4] for i in range(0, 32, 4))}
    )
    assert text.splitlines()[1:] == [f"alice {bare}", f"bob {bare}"]
    assert totp.find_secret(text, "bob") == SECRET


def test_bad_secrets_are_named_by_user_and_not_shown() -> None:
    bad = {"alice": "not base32!", "bob": "GEZDGNBVGY3TQOJQ", "Zoe x": BASE32, "carol": BASE32}
    with pytest.raises(AnsibleFilterError) as caught:
        openvpn_totp_secrets(bad)
    said = str(caught.value)
    assert "The secret of 'alice' is not Base32." in said
    assert "The secret of 'bob' has 10 bytes; 20 are needed." in said
    assert "Zoe x" in said
    assert "carol" not in said
    assert not any(secret in said for secret in bad.values())
    assert caught.value.__cause__ is None
