"""Where the PIN comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._module.hsm_options import read_pin_file, resolve_pin


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text("1234 5678\nnot the pin\n", encoding="utf-8")
    path.chmod(0o400)
    return path


def test_options_go_before_the_environment(monkeypatch: pytest.MonkeyPatch, pin_file: Path) -> None:
    monkeypatch.setenv("PRIVATESPACE_HSM_PIN", "from-the-environment")
    assert resolve_pin({"hsm_pin": "given", "hsm_pin_file": None}) == "given"
    assert resolve_pin({"hsm_pin": None, "hsm_pin_file": str(pin_file)}) == "1234 5678"
    assert resolve_pin({"hsm_pin": None, "hsm_pin_file": None}) == "from-the-environment"
    monkeypatch.delenv("PRIVATESPACE_HSM_PIN")
    assert resolve_pin({"hsm_pin": "", "hsm_pin_file": None}) is None


def test_two_sources_are_one_too_many(pin_file: Path) -> None:
    with pytest.raises(InputError, match="are both given"):
        resolve_pin({"hsm_pin": "x", "hsm_pin_file": str(pin_file)})


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


def test_a_control_character_in_a_pin_is_refused_without_showing_the_pin() -> None:
    with pytest.raises(InputError, match="The PIN holds a control character") as refused:
        resolve_pin({"hsm_pin": "1234\n5678"})
    assert "1234" not in str(refused.value)
