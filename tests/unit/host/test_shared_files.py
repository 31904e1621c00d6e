"""Files that root writes and a service reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.shared_files import (
    FILE_MODE,
    FOLDER_MODE,
    Reader,
    find_folders,
    find_reader,
    is_fit_folder,
    make_fit_folder,
    remove_files,
    replace_files,
    require_reachable,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another group")
NOBODY = find_reader("nobody", may_be_missing=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "one"
    make_fit_folder(path, NOBODY)
    return path


@pytest.mark.parametrize("count", [3, 100])
def test_files_are_written_with_owner_and_mode_and_found_again(folder: Path, count: int) -> None:
    contents = {f"name{number}": b"x" * number for number in range(count)}
    replace_files(folder, contents, NOBODY)
    found = find_folders(folder.parent, NOBODY)["one"]
    assert (found.contents, found.astray, found.fit) == (contents, frozenset(), True)
    facts = (folder / "name0").stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o7777) == (0, NOBODY.gid, FILE_MODE)


def test_what_is_wrong_with_files_and_folders_is_seen(folder: Path) -> None:
    replace_files(folder, dict.fromkeys(("mode", "owner", "right"), b""), NOBODY)
    (folder / "mode").chmod(0o600)
    os.chown(folder / "owner", NOBODY.uid, NOBODY.gid)
    (folder / "link").symlink_to("right")
    os.mkfifo(folder / "pipe")
    (folder / "below").mkdir()
    found = find_folders(folder.parent, NOBODY)["one"]
    assert found.astray == {"mode", "owner", "link", "pipe"}
    assert "below" not in found.contents
    folder.chmod(0o700)
    assert not find_folders(folder.parent, NOBODY)["one"].fit
    assert not is_fit_folder(folder, NOBODY)
    make_fit_folder(folder, NOBODY)
    assert is_fit_folder(folder, NOBODY)
    assert folder.stat().st_mode & 0o7777 == FOLDER_MODE


def test_a_link_is_replaced_and_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (folder / "name").symlink_to(tmp_path / "target")
    replace_files(folder, {"name": b"new"}, NOBODY)
    assert (tmp_path / "target").read_text() == "old"
    assert not (folder / "name").is_symlink()


def test_a_failure_leaves_old_files_and_no_litter(folder: Path) -> None:
    replace_files(folder, {"a": b"old"}, NOBODY)
    (folder / "b").mkdir()
    with pytest.raises(FileError, match="Cannot write into"):
        replace_files(folder, {"b": b"", "a": b"new"}, NOBODY)
    assert (folder / "a").read_bytes() == b"old"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_files_are_removed(folder: Path) -> None:
    replace_files(folder, {"a": b"", "b": b""}, NOBODY)
    (folder / "c").mkdir()
    remove_files(folder, ["a", "missing"])
    assert sorted(path.name for path in folder.iterdir()) == ["b", "c"]
    with pytest.raises(FileError, match="Cannot remove"):
        remove_files(folder, ["c"])
    (folder / "c").rmdir()
    assert find_folders(folder, NOBODY) == {}


def test_a_folder_that_stops_the_reader_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "one"
    make_fit_folder(folder, NOBODY)
    with pytest.raises(FileError, match=rf"'nobody' cannot pass through {tmp_path} \(mode 0700\)"):
        require_reachable(folder, NOBODY)


def test_a_missing_user_is_named_except_in_check_mode() -> None:
    with pytest.raises(InputError, match="no user 'nobody-here'"):
        find_reader("nobody-here", may_be_missing=False)
    assert find_reader("nobody-here", may_be_missing=True) == Reader("nobody-here", -1, (-1,))


def test_after_a_crash_each_file_is_old_or_new_and_the_next_run_finishes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = dict.fromkeys((f"name{number}" for number in range(100)), b"new")
    replace_files(folder, dict.fromkeys(contents, b"old"), NOBODY)
    renamed: list[Path] = []
    rename = Path.replace

    def rename_some(path: Path, target: Path) -> Path:
        if len(renamed) == 40:
            os._exit(9)
        renamed.append(target)
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", rename_some)
        child = os.fork()
        if child == 0:
            replace_files(folder, contents, NOBODY)
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    found = find_folders(folder.parent, NOBODY)["one"].contents
    whole = [content for name, content in found.items() if not name.startswith(".")]
    assert (whole.count(b"new"), whole.count(b"old")) == (40, 60)
    litter = [name for name in found if name.startswith(".")]
    assert litter, "the next run has something to remove"
    replace_files(folder, contents, NOBODY)
    remove_files(folder, litter)
    assert set(find_folders(folder.parent, NOBODY)["one"].contents.values()) == {b"new"}
