"""Files replaced atomically: a reader sees the old content or the new one, never a part."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    file_mode,
    private_umask,
    read_optional,
    write_atomic,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_file_reads_as_none(tmp_path: Path) -> None:
    assert read_optional(tmp_path / "missing") is None
    assert file_mode(tmp_path / "missing") is None


def test_a_folder_in_the_place_of_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=str(tmp_path)):
        read_optional(tmp_path)


def test_what_was_written_is_read_back_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    write_atomic(path, b"\0content\n", mode=0o640)
    assert read_optional(path) == b"\0content\n"
    assert file_mode(path) == 0o640


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    with private_umask():
        write_atomic(tmp_path / "crl.pem", b"x", mode=0o644)
    assert file_mode(tmp_path / "crl.pem") == 0o644


def test_a_secret_is_never_open_to_others_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = os.fsync

    def look_then_flush(descriptor: int) -> None:
        seen.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look_then_flush)
    write_atomic(tmp_path / "server.key", b"secret", mode=0o600)
    assert seen
    assert set(seen) == {0o600}


def test_a_failure_leaves_the_old_content_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "crl.pem"
    write_atomic(path, b"old", mode=0o644)

    def fail(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileError, match="No space left on device") as caught:
        write_atomic(path, b"new", mode=0o644)
    assert "still in place" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["crl.pem"]


def test_a_missing_folder_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file or directory"):
        write_atomic(tmp_path / "missing" / "file", b"x", mode=0o600)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can own files for others")
def test_the_owner_of_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    path.write_bytes(b"old")
    os.chown(path, 1234, 4321)
    write_atomic(path, b"new", mode=0o644)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    contents = {letter * 100_000 for letter in (b"a", b"b")}
    write_atomic(path, b"a" * 100_000, mode=0o644)
    done = threading.Event()
    odd: list[int] = []

    def read_until_done() -> None:
        while not done.is_set():
            content = path.read_bytes()
            if content not in contents:
                odd.append(len(content))

    reader = threading.Thread(target=read_until_done)
    reader.start()
    for _round in range(50):
        for content in sorted(contents):
            write_atomic(path, content, mode=0o644)
    done.set()
    reader.join()
    assert not odd


def test_the_umask_is_private_inside_the_block_and_restored_after_an_error() -> None:
    before = os.umask(0o022)
    try:
        with private_umask():
            assert os.umask(0o077) == 0o077
        assert os.umask(0o022) == 0o022
        with pytest.raises(RuntimeError), private_umask():
            raise RuntimeError
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
