"""The file of a SoftHSM token is copied before a login, and put back where a kill left it empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.softhsm import (
    COPY,
    TOKEN_FILE,
    keep_token_files,
)

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file of a token, and a configuration that names its folder."""
    folder = tmp_path / "tokens" / "6281e4d3"
    folder.mkdir(parents=True)
    (tmp_path / "softhsm2.conf").write_text(
        f"log.level = ERROR\n directories.tokendir = {folder.parent} \nobjectstore.backend = file\n", encoding="ascii"
    )
    path = folder / TOKEN_FILE
    path.write_bytes(b"a token")
    path.chmod(0o640)
    return path


def keep(token: Path, *, module: str = SOFTHSM) -> tuple[Path, ...]:
    return keep_token_files(module, environment={"SOFTHSM2_CONF": str(token.parents[2] / "softhsm2.conf")})


def test_a_token_that_was_emptied_comes_back(token: Path) -> None:
    assert keep(token) == ()
    token.write_bytes(b"")
    assert keep(token) == (token,)
    assert token.read_bytes() == b"a token"
    assert token.stat().st_mode & 0o777 == 0o640
    assert keep(token) == ()


def test_the_copy_follows_what_softhsm_writes(token: Path) -> None:
    """A changed PIN, for example."""
    keep(token)
    token.write_bytes(b"another PIN")
    keep(token)
    token.write_bytes(b"")
    keep(token)
    assert token.read_bytes() == b"another PIN"


def test_a_token_without_a_copy_stays_as_it_is(token: Path) -> None:
    token.write_bytes(b"")
    assert keep(token) == ()
    assert token.read_bytes() == b""
    assert not token.with_name(COPY).exists()


def test_softhsm_does_not_take_the_copy_for_an_object(token: Path) -> None:
    """It reads every file of the folder whose name ends with .object."""
    keep(token)
    assert sorted(path.name for path in token.parent.iterdir() if path.name.endswith(".object")) == [TOKEN_FILE]
    assert {path.stat().st_mode & 0o777 for path in token.parent.iterdir()} == {0o640}


def test_other_tokens_are_left_alone(token: Path) -> None:
    keep(token, module="/opt/cloudhsm/lib/libcloudhsm_pkcs11.so")
    assert [path.name for path in token.parent.iterdir()] == [TOKEN_FILE]


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'nowhere'}\n", encoding="ascii")
    assert keep_token_files(SOFTHSM, environment={"SOFTHSM2_CONF": str(configuration)}) == ()
