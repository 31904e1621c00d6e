"""Backups: complete, checked, private; restores: only what is whole, only where nothing is lost."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest
from unit.store.backup_bench import SERVER_KEY, Vault, rows_of, sign_crl
from unit.store.store_bench import Bench, OpenStore, path_of

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.version import VERSION
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, backup, restore_run
from ansible_collections.privatespace.gateway.plugins.module_utils._store.backup_run import plan_removal
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import SCHEMA_VERSION

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault(tmp_path / "vault")
    made.file("server_key", SERVER_KEY, mode=0o600)
    made.file("crl_pem", b"crl ca 1")
    return made


@pytest.fixture
def lived(bench: Bench) -> Bench:
    bench.issue("alice@laptop")
    bench.issue("bob@laptop")
    bench.revoke(1)
    sign_crl(bench, 1)
    return bench


@pytest.fixture
def fresh(tmp_path: Path) -> StoreLocation:
    """Where there is no store yet."""
    return StoreLocation(path=tmp_path / "fresh" / "authority.db")


def parts_of(path: str | Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        members = {header.name: archive.extractfile(header) for header in archive}
        return {name: member.read() for name, member in members.items() if member}


def rewrite(path: str | Path, parts: dict[str, bytes]) -> Path:
    """Another archive with these parts."""
    changed = Path(path).with_name("changed.tar.gz")
    with tarfile.open(changed, "w:gz") as archive:
        for name, content in parts.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return changed


def test_the_version_is_that_of_the_collection() -> None:
    assert f"\nversion: {VERSION}\n" in (CHECKOUT / "galaxy.yml").read_text(encoding="utf-8")


def test_an_archive_tells_what_is_in_it(lived: Bench, vault: Vault) -> None:
    result = vault.back_up(lived.session.location)
    path = Path(result["path"])
    assert (path.stat().st_mode & 0o7777, path.parent.stat().st_mode & 0o7777) == (0o600, 0o700)
    assert [found.name for found in path.parent.iterdir()] == [path.name], "nothing else is left behind"
    parts = parts_of(path)
    assert list(parts) == ["manifest.json", "store.db", "files/server_key", "files/crl_pem"]
    manifest = json.loads(parts["manifest.json"])
    assert (manifest["format"], manifest["collection_version"]) == (1, VERSION)
    assert manifest["schema_version"] == SCHEMA_VERSION
    state = audit.verify_chain(lived.session)
    assert manifest["facts"] == result["manifest"]["facts"] == {
        "certificates": 2, "suspensions": 0, "gateway_names": 0, "revocations": 1, "crl_numbers": {"ca": 1},
        "audit_records": state.records, "audit_head": state.head,
        "authorities": [{
            "label": "ca", "state": "active",
            "fingerprint": "1f9b8b3b8408bbcba816db8a9703588d6133cd8719d56c3b75b5ebe38298de60",
        }],
    }  # fmt: skip
    assert {name: member["mode"] for name, member in manifest["members"].items()} == {
        "store.db": 0o600, "files/server_key": 0o600, "files/crl_pem": 0o644
    }  # fmt: skip
    assert result["size"] == path.stat().st_size
    assert "tls-crypt-v2 server key" in " ".join(result["notices"])
    assert "no key of a certification authority" in " ".join(result["notices"])


def test_the_notice_of_the_server_key_is_only_for_those_that_hold_it(lived: Bench, vault: Vault) -> None:
    assert len(vault.back_up(lived.session.location, files={})["notices"]) == 1


def test_the_trail_tells_of_the_backup_and_the_backup_knows_that(lived: Bench, vault: Vault) -> None:
    result = vault.back_up(lived.session.location)
    last = backup.record_at(lived.session, backup.trail_of(lived.session).records)
    assert (last.action, last.actor, last.job) == ("backup.begun", "admin", "job 8")
    assert last.subject == Path(result["path"]).name
    assert last.hash == result["manifest"]["facts"]["audit_head"]


def test_a_dry_run_writes_nothing(lived: Bench, vault: Vault) -> None:
    before = backup.trail_of(lived.session)
    change = vault.backup_run(lived.session.location).decide()
    assert change.needed
    assert change.result["manifest"]["facts"]["certificates"] == 2
    assert backup.trail_of(lived.session) == before
    assert not (vault.folder / "backups").exists()


def test_the_newest_are_kept_and_other_files_are_left_alone(lived: Bench, vault: Vault) -> None:
    first, second = (vault.back_up(lived.session.location)["path"] for _time in range(2))
    note = Path(first).with_name("privatespace-authority-note.tar.gz")
    note.touch()
    third = vault.back_up(lived.session.location, keep=2)
    assert third["removed"] == [first]
    assert {path.name for path in note.parent.iterdir()} == {note.name, Path(second).name, Path(third["path"]).name}


@pytest.mark.parametrize(("keep", "removed"), [(0, 0), (1, 3), (2, 2), (4, 0), (9, 0)])
def test_how_many_are_removed(keep: int, removed: int) -> None:
    names = [f"privatespace-authority-2026112{day}T120000.000000Z.tar.gz" for day in (3, 1, 2)]
    assert plan_removal([*names, "other.tar.gz"], keep=keep) == tuple(sorted(names)[:removed])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"keep": -1}, "'keep' is negative"),
        ({"files": {"../x": "/etc/hosts"}}, "has the name '../x'"),
        ({"files": {"none": "/nowhere/file"}}, "no file /nowhere/file to back up"),
    ],
)
def test_what_cannot_be_backed_up_is_refused_first(
    lived: Bench, vault: Vault, options: dict[str, Any], says: str
) -> None:
    before = backup.trail_of(lived.session)
    with pytest.raises(InputError, match=says):
        vault.backup_run(lived.session.location, **options).decide()
    assert backup.trail_of(lived.session) == before


def test_a_store_that_was_altered_is_not_backed_up_and_removes_no_backup(lived: Bench, vault: Vault) -> None:
    good = vault.back_up(lived.session.location)["path"]
    with lived.session.transaction() as connection:
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE sequence = 2")
    with pytest.raises(StoreError, match="does not agree with itself: Record 2 of the audit trail was altered"):
        vault.back_up(lived.session.location, keep=1)
    assert [str(path) for path in (vault.folder / "backups").iterdir()] == [good]


def test_it_comes_back_as_it_was(lived: Bench, vault: Vault, fresh: StoreLocation, opened: OpenStore) -> None:
    before, saved = rows_of(lived.session), vault.back_up(lived.session.location)
    server_key = vault.files["server_key"]
    server_key.unlink()
    change, result = vault.restore(saved["path"], fresh)
    assert change.steps == ("store", "server_key")
    assert (result["store_before"], result["put_aside"], result["notices"]) == ("absent", [], [])
    assert result["token"] == {"proven": True, "missing": {}}
    assert result["crl_expires"] == "2026-12-22T12:00:01+00:00"
    assert (server_key.read_bytes(), server_key.stat().st_mode & 0o7777) == (SERVER_KEY, 0o600)
    assert path_of(fresh).stat().st_mode & 0o7777 == 0o600
    with opened_at(fresh) as restored:
        assert rows_of(restored) == before
        assert audit.verify_chain(restored).problems == ()
        trail = backup.trail_of(restored)
        last = backup.record_at(restored, trail.records)
        assert (last.action, last.actor, last.job) == ("store.restored", "admin", "job 9")
        assert json.loads(last.detail)["archive"] == saved["sha256"]
        assert trail.records == saved["manifest"]["facts"]["audit_records"] + 1


def opened_at(location: StoreLocation) -> Any:
    from unit.store.store_bench import Clock

    from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin, open_store

    return open_store(location, origin=Origin("admin"), clock=Clock())


def test_a_second_restore_of_the_same_changes_nothing(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    for location in (lived.session.location, fresh):
        vault.restore(saved, location)
        change, _result = vault.restore(saved, location)
        assert (change.steps, change.before) == ((), change.after)


def test_an_earlier_state_is_replaced_and_kept(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    old = vault.back_up(lived.session.location)["path"]
    vault.restore(old, fresh)
    with opened_at(fresh) as store:
        forged = store.tables.audit.delete().where(store.tables.audit.c.action == "store.restored")
        with store.transaction() as connection:
            connection.execute(forged)
    lived.issue("carol@laptop")
    new = vault.back_up(lived.session.location)["path"]
    _change, result = vault.restore(new, fresh)
    assert result["store_before"] == "older"
    (kept,) = result["put_aside"]
    assert kept.startswith(f"{fresh.path}.before-restore-20261122T12")
    with sqlite3.connect(f"file:{kept}?mode=ro", uri=True) as connection:
        assert connection.execute("SELECT count(*) FROM certificates").fetchone() == (2,)
    connection.close()
    with opened_at(fresh) as store:
        assert len(rows_of(store)["certificates"]) == 3


def test_a_store_that_knows_more_is_not_replaced(lived: Bench, vault: Vault) -> None:
    location = lived.session.location
    saved = vault.back_up(location)["path"]
    lived.revoke(2)
    sign_crl(lived, 2)
    records = backup.trail_of(lived.session).records
    with pytest.raises(StateError) as caught:
        vault.restore(saved, location)
    says = f"{records} records of the audit trail and CRL number 2 there, {records - 3} records .* CRL number 1 in the"
    assert caught.match(says)
    assert caught.match("removed users would get access")
    assert lived.states() == {1: "revoked", 2: "revoked"}
    _change, result = vault.restore(saved, location, force=True)
    assert result["store_before"] == "newer"
    assert "copy that was put aside" in result["notices"][0]
    assert lived.states() == {1: "revoked", 2: "valid"}, "who has the store open sees the restored one"
    with opened_at(StoreLocation(path=Path(result["put_aside"][0]))) as kept:
        assert backup.trail_of(kept).records == records


def test_another_history_is_not_replaced(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    other = Vault(vault.folder.parent / "other")
    with lived.session.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE sequence > 3")
        audit.append_events(lived.session, [audit.Event("test", "x", {})])
    with pytest.raises(StateError, match="has another history"):
        vault.restore(saved, lived.session.location)
    assert not other.folder.exists()


@pytest.mark.parametrize("damage", [b"junk" * 3000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_store_is_put_aside(lived: Bench, vault: Vault, fresh: StoreLocation, damage: bytes) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    path_of(fresh).parent.mkdir(mode=0o700)
    path_of(fresh).touch(mode=0o600)
    path_of(fresh).write_bytes(damage)
    path_of(fresh).with_name("authority.db-wal").write_bytes(b"old log")
    change, result = vault.restore(saved, fresh)
    assert (change.before["store"], result["store_before"]) == ("damaged", "damaged")
    assert "is damaged, and nobody can tell what it knew" in result["notices"][0]
    kept = {path.rpartition("Z")[2]: Path(path).read_bytes() for path in result["put_aside"]}
    assert kept[""] == damage
    with opened_at(fresh) as store:
        assert audit.verify_chain(store).problems == ()


def test_a_file_that_differs_is_kept_and_a_newer_crl_is_left(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    vault.file("server_key", b"another key", mode=0o600)
    vault.file("crl_pem", b"crl ca 7")
    change, result = vault.restore(saved, fresh)
    assert change.steps == ("store", "server_key")
    (kept,) = result["put_aside"]
    assert (Path(kept).read_bytes(), Path(kept).stat().st_mode & 0o7777) == (b"another key", 0o600)
    assert vault.files["server_key"].read_bytes() == SERVER_KEY
    assert vault.files["crl_pem"].read_bytes() == b"crl ca 7"
    assert result["left_newer"] == [str(vault.files["crl_pem"])]
    assert "Newer than the backup, whose last CRL is number 1, and left in place" in result["notices"][0]
    vault.file("crl_pem", b"crl another-authority 7")
    assert vault.restore(saved, fresh)[0].steps == ("crl_pem",)


def test_only_named_files_are_restored(lived: Bench, vault: Vault, fresh: StoreLocation, tmp_path: Path) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    target = tmp_path / "elsewhere.key"
    assert vault.restore(saved, fresh, files={"server_key": str(target)})[0].steps == ("store", "server_key")
    assert target.read_bytes() == SERVER_KEY
    with pytest.raises(InputError, match=r"no file 'ca' \(it has crl_pem, server_key\)"):
        vault.restore(saved, fresh, files={"ca": str(target)})


def test_without_the_token_it_says_what_does_not_work(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    missing = {"ca": "The token has no key 'ca'."}
    says = (
        r"nothing can be issued or renewed, and nobody can be revoked.* until 2026-12-22 12:00 UTC.*Nothing was changed"
    )
    with pytest.raises(StateError, match=says):
        vault.restore(saved, fresh, missing=missing)
    assert not path_of(fresh).exists()
    _change, result = vault.restore(saved, fresh, missing=missing, require_token=False)
    assert result["token"] == {"proven": False, "missing": missing}
    assert "go on until 2026-12-22 12:00 UTC, when the CRL expires" in result["notices"][0]
    _change, result = vault.restore(saved, fresh, missing={"login": "The PIN is wrong."}, require_token=False)
    assert result["token"]["missing"] == {"ca": "The PIN is wrong."}


def broken_archives() -> dict[str, Any]:
    return {
        "an empty file": lambda path: path.write_bytes(b""),
        "no archive": lambda path: path.write_bytes(b"hello" * 1000),
        "cut short": lambda path: path.write_bytes(path.read_bytes()[:-5000]),
        "a flipped bit": lambda path: path.write_bytes(
            path.read_bytes()[:3000] + bytes([path.read_bytes()[3000] ^ 1]) + path.read_bytes()[3001:]
        ),
        "an empty tar": lambda path: path.write_bytes(gzip.compress(bytes(10240))),
    }


@pytest.mark.parametrize("name", broken_archives())
def test_a_broken_archive_touches_nothing(lived: Bench, vault: Vault, fresh: StoreLocation, name: str) -> None:
    path = Path(vault.back_up(lived.session.location)["path"])
    broken_archives()[name](path)
    with pytest.raises(InputError, match=r"(is damaged, or is|is) no backup of an authority"):
        vault.restore(path, fresh)
    assert not path_of(fresh).exists()


def test_every_part_is_checked(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    path = vault.back_up(lived.session.location)["path"]
    parts = parts_of(path)
    told = json.loads(parts["manifest.json"])
    manifests = {
        "a later version": {**told, "format": 2},
        "is not as its manifest says": {
            **told,
            "members": {**told["members"], "files/crl_pem": {"size": 9, "sha256": ""}},
        },
        "names other parts": {**told, "members": {**told["members"], "/etc/passwd": {"size": 1, "sha256": ""}}},
        "it lacks files/more": {**told, "members": {**told["members"], "files/more": {"size": 1, "sha256": ""}}},
    }
    wrong = {says: {**parts, "manifest.json": json.dumps(manifest).encode()} for says, manifest in manifests.items()}
    wrong |= {
        "does not begin with a manifest": {"store.db": b"", **parts},
        "was altered": {**parts, "files/crl_pem": b"crl ca 2"},
        "files/extra is not as its manifest says": {**parts, "files/extra": b""},
    }
    for says, contents in wrong.items():
        with pytest.raises(InputError, match=says):
            vault.restore(rewrite(path, contents), fresh)
    assert not path_of(fresh).exists()
    vault.restore(rewrite(path, parts), fresh)


def test_a_store_that_is_not_the_manifests_is_refused(lived: Bench, vault: Vault, fresh: StoreLocation) -> None:
    path = vault.back_up(lived.session.location)["path"]
    parts = parts_of(path)
    told = json.loads(parts["manifest.json"])
    told["facts"]["revocations"] = 0
    with pytest.raises(StoreError, match="revocations differs"):
        vault.restore(rewrite(path, {**parts, "manifest.json": json.dumps(told).encode()}), fresh)
    assert not path_of(fresh).exists()


@pytest.mark.parametrize("step", ["put_aside", "make_file", "copy_file", "files"])
def test_a_restore_that_breaks_off_is_completed_by_the_next(
    lived: Bench, vault: Vault, fresh: StoreLocation, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    saved = vault.back_up(lived.session.location)["path"]
    vault.file("server_key", b"another key", mode=0o600)

    def stop(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "files":
            patch.setattr(restore_run.RestoreRun, "_put_file", stop)
        else:
            patch.setattr(restore_run if step == "make_file" else backup, step, stop)
        with pytest.raises(KeyboardInterrupt):
            vault.restore(saved, fresh)
    _change, _result = vault.restore(saved, fresh)
    assert vault.restore(saved, fresh)[0].steps == ()
    assert vault.files["server_key"].read_bytes() == SERVER_KEY
    with opened_at(fresh) as store:
        assert audit.verify_chain(store).problems == ()
