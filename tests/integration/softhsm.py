"""A SoftHSM 2 token in a folder of its own, for tests that sign with a real token."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

LIBRARIES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
)


@dataclass(frozen=True)
class SoftToken:
    """A token that exists as long as its folder; every process that uses it needs :attr:`environment`."""

    module: str
    label: str
    pin: str
    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which SoftHSM finds this token."""
        return {"SOFTHSM2_CONF": str(self.configuration)}

    @property
    def options(self) -> dict[str, str]:
        """The token options of a module, PIN included."""
        return {"hsm_module": self.module, "hsm_token": self.label, "hsm_pin": self.pin}

    @property
    def objects_folder(self) -> Path:
        """Where SoftHSM keeps the files of its tokens."""
        return self.configuration.parent / "tokens"


def softhsm_library() -> str:
    """The path of SoftHSM's library on this machine."""
    for path in LIBRARIES:
        if path.exists():
            return str(path)
    pytest.fail("SoftHSM 2 is not installed: apt-get install softhsm2")


def make_token(folder: Path, *, label: str = "privatespace", pin: str = "pin-of-the-tests-7391") -> SoftToken:
    """Initialise a token in a folder; a second one in the same folder shares its configuration."""
    module = softhsm_library()
    configuration = folder / "softhsm2.conf"
    (folder / "tokens").mkdir(parents=True, exist_ok=True)
    settings = (f"directories.tokendir = {folder}/tokens", "objectstore.backend = file", "log.level = ERROR")
    configuration.write_text("\n".join((*settings, "")), encoding="utf-8")
    token = SoftToken(module, label, pin, configuration)
    program = shutil.which("softhsm2-util") or pytest.fail("softhsm2-util is not installed: apt-get install softhsm2")
    subprocess.run(
        [program, "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", f"so-{pin}"],
        env={**os.environ, **token.environment}, check=True, capture_output=True,
    )  # fmt: skip
    return token


@pytest.fixture
def soft_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """A fresh token, already named in the environment of this process and of those that it starts."""
    token = make_token(tmp_path / "softhsm")
    for name, value in token.environment.items():
        monkeypatch.setenv(name, value)
    return token
