"""A file takes another name, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.renaming import move_aside


def test_content_and_mode_go_with_it(tmp_path: Path) -> None:
    source, target = tmp_path / "a.conf", tmp_path / "a.conf.old"
    source.write_text("x")
    source.chmod(0o640)
    move_aside(source, target)
    assert (target.read_text(), target.stat().st_mode & 0o777, source.exists()) == ("x", 0o640, False)


def test_a_link_is_moved_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    source, target = tmp_path / "a.conf", tmp_path / "a.conf.old"
    source.symlink_to("kept")
    move_aside(source, target)
    assert (str(target.readlink()), source.is_symlink(), (tmp_path / "kept").read_text()) == ("kept", False, "x")


def test_what_bears_the_name_already_stays(tmp_path: Path) -> None:
    source, target = tmp_path / "a.conf", tmp_path / "a.conf.old"
    source.write_text("new")
    target.write_text("old")
    with pytest.raises(FileError, match="File exists"):
        move_aside(source, target)
    assert (source.read_text(), target.read_text()) == ("new", "old")


def test_a_file_that_is_gone_leaves_the_error_and_no_debris(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        move_aside(tmp_path / "a.conf", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
