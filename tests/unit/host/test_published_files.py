# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a web server gives away: whole, for everybody, and each later than the one before."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import publish_pieces


def second(path: Path) -> int:
    return int(path.stat().st_mtime)


def test_the_folder_is_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "public/crl.pem"
    before = os.umask(0o077)
    try:
        publish_pieces(path, (b"one", b"two"), mode=0o644)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"onetwo"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o644, 0o755)


def test_each_is_later_than_the_one_before_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    publish_pieces(path, (b"1",), mode=0o644)
    first = second(path)
    publish_pieces(path, (b"2",), mode=0o644)
    assert second(path) > first
    ahead = int(time.time()) + 1000
    os.utime(path, (ahead, ahead))
    publish_pieces(path, (b"3",), mode=0o644)
    assert second(path) == ahead + 1


def test_what_breaks_off_leaves_the_one_before(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"new"
        raise OSError(28, "No space left on device")

    path = tmp_path / "crl.pem"
    publish_pieces(path, (b"old",), mode=0o644)
    with pytest.raises(FileError, match="No space left"):
        publish_pieces(path, breaking(), mode=0o644)
    assert ([one.name for one in tmp_path.iterdir()], path.read_bytes()) == (["crl.pem"], b"old")
    with pytest.raises(FileError, match="Cannot have the folder"):
        publish_pieces(path / "below/crl.pem", (b"x",), mode=0o644)
