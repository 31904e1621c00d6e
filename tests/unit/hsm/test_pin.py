"""Where the PIN comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.pin import find_pin, read_pin_file
from ansible_collections.privatespace.gateway.plugins.module_utils._module.hsm_options import resolve_pin


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text("1234 5678\nnot the pin\n", encoding="utf-8")
    path.chmod(0o400)
    return path


@pytest.fixture
def credentials(tmp_path: Path) -> dict[str, str]:
    """The environment of a service to which systemd gave the PIN; the mode is that of a file with a list of access."""
    path = tmp_path / "credentials" / "privatespace-hsm-pin"
    path.parent.mkdir()
    path.write_text("from-systemd", encoding="ascii")
    path.chmod(0o440)
    return {"CREDENTIALS_DIRECTORY": str(path.parent)}


def test_the_first_source_that_has_a_pin_is_used(pin_file: Path, credentials: dict[str, str]) -> None:
    """Option, file, environment, credential."""
    everything = {**credentials, "PRIVATESPACE_HSM_PIN": "from-the-environment"}
    assert find_pin(given="given", path=None, environment=everything) == "given"
    assert find_pin(given=None, path=str(pin_file), environment=everything) == "1234 5678"
    assert find_pin(given=None, path=None, environment=everything) == "from-the-environment"
    assert find_pin(given="", path="", environment={**credentials, "PRIVATESPACE_HSM_PIN": ""}) == "from-systemd"


def test_no_source_is_no_pin(tmp_path: Path) -> None:
    """A folder of credentials may hold others than the PIN."""
    for environment in ({}, {"CREDENTIALS_DIRECTORY": ""}, {"CREDENTIALS_DIRECTORY": str(tmp_path)}):
        assert find_pin(given=None, path=None, environment=environment) is None


def test_a_module_looks_into_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATESPACE_HSM_PIN", "from-the-environment")
    assert resolve_pin({"hsm_pin": None, "hsm_pin_file": None}) == "from-the-environment"
    monkeypatch.delenv("PRIVATESPACE_HSM_PIN")
    assert resolve_pin({"hsm_pin": "", "hsm_pin_file": None}) is None


def test_two_sources_are_one_too_many(pin_file: Path) -> None:
    with pytest.raises(InputError, match="are both given"):
        find_pin(given="x", path=str(pin_file), environment={})


@pytest.mark.parametrize("pin", ["user:password", "0001password", "1234 5678", "pässwort", "x"])
def test_every_form_of_a_pin_is_taken_as_it_is(tmp_path: Path, pin: str) -> None:
    """AWS CloudHSM and YubiHSM 2 have forms of their own; a line may end as in DOS."""
    path = tmp_path / "pin"
    path.write_bytes(pin.encode() + b"\r\n")
    path.chmod(0o600)
    assert read_pin_file(path) == pin


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o620, 0o666])
def test_a_file_that_is_open_to_others_is_refused(pin_file: Path, mode: int) -> None:
    pin_file.chmod(mode)
    with pytest.raises(InputError, match=f"open to others \\(mode {mode:04o}\\)"):
        read_pin_file(pin_file)


def test_a_missing_or_an_empty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pin cannot be read: No such file or directory"):
        read_pin_file(tmp_path / "pin")
    (tmp_path / "pin").touch(mode=0o600)
    with pytest.raises(InputError, match="pin is empty"):
        read_pin_file(tmp_path / "pin")


def test_what_is_not_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(InputError, match=r"is not a regular file|Is a directory"):
            read_pin_file(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"secret-\xe4-pin\n", "not a text in UTF-8"), (b"secret-" + b"x" * 5000, "longer than 4096 bytes")],
)
def test_a_file_that_cannot_be_a_pin_is_not_tried(tmp_path: Path, content: bytes, reason: str) -> None:
    """A PIN that was misread would use up an attempt."""
    path = tmp_path / "pin"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InputError, match=reason) as refused:
        read_pin_file(path)
    assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize("pin", ["1234\n5678", "1234\x0b", "12\u202834", "\ufeff1234", "1234\udcff"])
def test_a_control_character_in_a_pin_is_refused_without_showing_the_pin(pin: str) -> None:
    with pytest.raises(InputError, match="The PIN holds a control character") as refused:
        find_pin(given=pin, path=None, environment={})
    assert "34" not in str(refused.value)
