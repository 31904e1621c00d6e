"""Whether a file could be written, told before anything is done for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, require_writable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_is_new_or_there_may_be_written(tmp_path: Path) -> None:
    require_writable(tmp_path / "new.pem")
    (tmp_path / "old.pem").write_bytes(b"old")
    require_writable(tmp_path / "old.pem")
    assert [path.name for path in tmp_path.iterdir()] == ["old.pem"]


def test_a_folder_in_the_way_or_none_at_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"it is a folder\. Nothing was changed\."):
        require_writable(tmp_path)
    with pytest.raises(FileError, match=f"there is no folder {tmp_path}/missing"):
        require_writable(tmp_path / "missing" / "new.pem")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere except on a read-only file system, so the answer of the system is what is set here."""
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    with pytest.raises(FileError, match=f"the folder {tmp_path} cannot be written by this user"):
        require_writable(tmp_path / "new.pem")
