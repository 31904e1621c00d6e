"""The register of denials as files of a host."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    add_entries,
    read_denials,
    remove_entries,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError
from ansible_collections.privatespace.gateway.plugins.module_utils._host import denial_folder
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Denials, Entry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "denied"


def test_entries_are_files_that_everybody_reads_and_only_root_writes(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        found = add_entries(folder, {"users/al": Entry(1, "removal"), "lockdown/groups/sales": Entry(2, "lockdown")})
    finally:
        os.umask(before)
    assert found == read_denials(folder)
    assert set(found.entries) == {"users/al", "lockdown/groups/sales"}
    for path, mode in (("", 0o755), ("users", 0o755), ("lockdown/groups", 0o755), ("users/al", 0o644)):
        assert (folder / path).stat().st_mode & 0o7777 == mode


def test_folders_that_only_root_could_look_into_are_mended(folder: Path) -> None:
    """As after a crash between making one and setting its mode, or a backup that was restored."""
    add_entries(folder, {"users/al": Entry(1), "lockdown/groups/sales": Entry(1)})
    paths = ("", "users", "lockdown", "lockdown/groups")
    for path in paths:
        (folder / path).chmod(0o700)
    remove_entries(folder, ["users/al"])
    assert [(folder / path).stat().st_mode & 0o7777 for path in paths] == [0o755] * 4


def test_what_is_lifted_is_gone_and_the_rest_stays(folder: Path) -> None:
    add_entries(folder, {"users/al": Entry(1), "users/alice": Entry(1)})
    assert set(remove_entries(folder, ["users/al", "devices/never@there"]).entries) == {"users/alice"}
    assert set(read_denials(folder).entries) == {"users/alice"}


def test_a_denial_that_was_renewed_meanwhile_is_not_lifted(folder: Path) -> None:
    judged = add_entries(folder, {"users/al": Entry(1, "removal", ("7",)), "users/bob": Entry(1, "removal", ("8",))})
    add_entries(folder, {"users/al": Entry(2, "stolen")})
    assert set(remove_entries(folder, ["users/al", "users/bob"], judged=judged).entries) == {"users/al"}


def test_writers_at_the_same_time_lose_nothing(folder: Path) -> None:
    writers = [
        threading.Thread(target=add_entries, args=(folder, {"users/al": Entry(1, "", (str(number),))}))
        for number in range(1, 9)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert read_denials(folder).entries["users/al"].serials == tuple(map(str, range(1, 9)))


def test_without_a_folder_nobody_is_denied(folder: Path) -> None:
    assert read_denials(folder) == Denials()
    assert not folder.exists()


def test_only_regular_files_that_are_not_being_written_count(folder: Path) -> None:
    add_entries(folder, {"users/al": Entry(1)})
    (folder / "users" / ".bob.x7").write_text("{")
    (folder / "users" / "carol").mkdir()
    os.mkfifo(folder / "users" / "dora")
    (folder / "users" / "eve").symlink_to("nowhere")
    assert set(read_denials(folder).entries) == {"users/al"}


def test_something_else_in_place_of_a_folder_is_told(folder: Path) -> None:
    folder.write_text("")
    with pytest.raises(FileError, match="denied: Not a directory"):
        read_denials(folder)
    with pytest.raises(FileError, match=r"Cannot make the folder .*denied"):
        add_entries(folder, {"users/al": Entry(1)})


def test_a_program_that_never_ends_changing_is_waited_for_in_vain(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_entries(folder, {"users/al": Entry(1)})
    monkeypatch.setattr(denial_folder, "LOCK_SECONDS", 0.05)
    with exclusive_lock(folder / denial_folder.LOCK_NAME, wait_seconds=0, what="x"):
        with pytest.raises(BusyError, match="denied is in use by another run"):
            remove_entries(folder, ["users/al"])
        assert set(read_denials(folder).entries) == {"users/al"}
