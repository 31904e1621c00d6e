"""Backups of a real authority, and what it takes to come back from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.pki.database_host import DatabaseHost
from integration.postgresql import PostgresServer
from integration.run_module import ModuleResult
from integration.softhsm import make_token

GONE = {"name": "alice", "state": "absent"}


def files_of(host: AuthorityHost) -> dict[str, str]:
    return {"server_key": str(host.server_key), "crl_pem": str(host.crl), "crl_der": str(host.crl_der)}


def back_up(host: AuthorityHost, folder: Path, **options: Any) -> ModuleResult:
    return host("pki_backup", {"folder": str(folder), "files": files_of(host), **options})


def restore(
    host: AuthorityHost, archive: str, *, check: bool = False, fails: bool = False, **options: Any
) -> ModuleResult:
    return host("pki_restore", {"archive": archive, "files": files_of(host), **options}, check=check, fails=fails)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and "-shm" not in path.name}


@pytest.fixture
def lived(host: AuthorityHost) -> AuthorityHost:
    """An authority with a user, one that was removed, and a CRL."""
    host.users("alice", "bob")
    host.users(GONE)
    host("pki_crl")
    return host


@pytest.fixture
def lose(lived: AuthorityHost) -> Callable[[], None]:
    """Lose the disk of the authority; the token is elsewhere."""
    return lambda: shutil.rmtree(lived.folder)


def test_everything_comes_back_but_the_token(lived: AuthorityHost, lose: Callable[[], None], tmp_path: Path) -> None:
    before, crl = lived("pki_info").values, lived.crl.read_bytes()
    server_key = lived.server_key.read_bytes()
    saved = back_up(lived, tmp_path / "backups", audit_actor="ada", audit_job="job 42")
    assert saved.changed
    lose()
    looked = restore(lived, saved["path"], check=True)
    assert (looked.changed, looked["store_before"], looked["token"]["proven"]) == (True, "absent", False)
    assert not lived.folder.exists()
    result = restore(lived, saved["path"])
    assert (result.changed, result["token"], result["left_newer"]) == (True, {"proven": True, "missing": {}}, [])
    after = lived("pki_info").values
    assert after["certificates"] == before["certificates"]
    assert after["audit"]["valid"]
    assert after["audit"]["records"] == before["audit"]["records"] + 2
    assert (lived.server_key.read_bytes(), lived.server_key.stat().st_mode & 0o777) == (server_key, 0o600)
    assert lived.crl.read_bytes() == crl
    assert not restore(lived, saved["path"]).changed
    assert not lived("pki_crl").changed
    assert lived("pki_crl", {"force": True})["number"] == 2
    assert lived.users("carol")["counts"]["issued"] == 1


def test_nothing_secret_is_shown(lived: AuthorityHost, lose: Callable[[], None], tmp_path: Path) -> None:
    secret = lived.server_key.read_text(encoding="ascii").splitlines()[2]
    options = {"folder": str(tmp_path / "backups"), "files": files_of(lived)}
    saved = lived.play("pki_backup", options, diff=True)
    lose()
    restored = lived.play("pki_restore", {"archive": saved["path"], "files": files_of(lived)}, diff=True)
    for result in (saved, restored):
        assert result.changed
        assert secret not in result.output
        assert lived.token.pin not in result.output
    assert "tls-crypt-v2 server key" in str(saved["notices"])


def test_check_mode_writes_nothing(lived: AuthorityHost, tmp_path: Path) -> None:
    before = contents(lived.folder)
    options = {"folder": str(tmp_path / "backups"), "files": files_of(lived)}
    looked = lived("pki_backup", options, check=True)
    assert (looked.changed, looked["path"]) == (True, "")
    assert looked["manifest"]["facts"]["revocations"] == 1
    assert not (tmp_path / "backups").exists()
    saved = back_up(lived, tmp_path / "backups")
    lived("pki_crl", {"force": True})
    before = contents(lived.folder)
    assert "knows more than the backup" in restore(lived, saved["path"], check=True, fails=True).message
    assert restore(lived, saved["path"], check=True, force=True).changed
    assert contents(lived.folder) == before


def test_a_restore_older_than_the_crl_signs_nothing_until_it_is_dealt_with(
    lived: AuthorityHost, tmp_path: Path
) -> None:
    """As the guide says: revoke anew what the CRL lists, then remove its files."""
    saved = back_up(lived, tmp_path / "backups")
    lived.users({"name": "bob", "state": "absent"})
    lived("pki_crl")
    newest = lived.crl.read_bytes()
    assert "removed users would get access again" in restore(lived, saved["path"], fails=True).message
    result = restore(lived, saved["path"], force=True)
    assert (result["left_newer"], lived.crl.read_bytes()) == ([str(lived.crl), str(lived.crl_der)], newest)
    assert "Newer than the backup, whose last CRL is number 1, and left in place" in " ".join(result["notices"])
    assert "the store knows of none after 1" in lived("pki_crl", {"force": True}, fails=True).message
    lived.users({"name": "bob", "state": "absent"})
    for path in (lived.crl, lived.crl_der):
        path.unlink()
    signed = lived("pki_crl")
    assert signed["revoked_count"] == 2


def test_without_the_token_the_store_can_tell_and_nothing_else(
    lived: AuthorityHost, lose: Callable[[], None], tmp_path: Path
) -> None:
    saved = back_up(lived, tmp_path / "backups")
    lose()
    shutil.rmtree(lived.token.objects_folder)
    make_token(lived.token.configuration.parent)
    refused = restore(lived, saved["path"], fails=True)
    assert "nothing can be issued or renewed, and nobody can be revoked by CRL" in refused.message
    assert "when the CRL expires" in refused.message
    assert not lived.store.exists()
    result = restore(lived, saved["path"], require_token=False)
    assert "has no key 'ca'" in result["token"]["missing"]["ca"]
    assert "nobody can be revoked by CRL" in result["notices"][0]
    assert lived("pki_info")["counts"] == {
        "abandoned": 0, "expired": 0, "intended": 0, "revoked": 1, "superseded": 0, "valid": 1
    }  # fmt: skip
    assert "has no key 'ca'" in lived.users("carol", fails=True).message


def test_a_wrong_pin_is_tried_once(lived: AuthorityHost, tmp_path: Path) -> None:
    saved = back_up(lived, tmp_path / "backups")
    assert "PIN" in restore(lived, saved["path"], hsm_pin="wrong", fails=True).message
    assert not restore(lived, saved["path"]).changed


def test_a_store_moves_to_postgresql_and_back(lived: AuthorityHost, postgres: PostgresServer, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    folder.mkdir(mode=0o700)
    database = DatabaseHost(lived.token, folder, None, postgres.url(postgres.make_database()))
    saved = back_up(lived, tmp_path / "backups")
    assert restore(database, saved["path"])["store_before"] == "absent"
    assert not restore(database, saved["path"]).changed
    database.users("carol")
    database("pki_crl", {"force": True})
    again = back_up(database, tmp_path / "backups")
    assert again["manifest"]["facts"]["certificates"] == 3
    assert "holds a store already" in restore(database, saved["path"], force=True, fails=True).message
    result = restore(lived, again["path"])
    assert result["store_before"] == "older", "all that happened to it is in the backup, too"
    assert lived("pki_info")["counts"]["valid"] == 2


def test_it_waits_for_no_other_run(lived: AuthorityHost, tmp_path: Path) -> None:
    from integration.store.places import lock_of

    from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location

    with lock_of(parse_location(str(lived.store))):
        saved = back_up(lived, tmp_path / "backups")
        assert "in use by another run" in restore(lived, saved["path"], store_lock_wait=0, fails=True).message


def test_a_full_folder_or_a_missing_store_is_said(
    bare_host: AuthorityHost, host: AuthorityHost, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    message = host("pki_backup", {"folder": str(tmp_path / "file")}, fails=True).message
    assert "Cannot write a backup into" in message
    shutil.rmtree(host.folder)
    assert "There is no store" in host("pki_backup", {"folder": str(tmp_path / "backups")}, fails=True).message
