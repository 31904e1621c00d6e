"""A CRL in its place: readable, whole, and noticed by OpenVPN."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.openvpn_files import install_crl, is_installed


def test_a_crl_is_installed_readable_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    assert not is_installed(path, b"new")
    install_crl(path, b"new")
    assert is_installed(path, b"new")
    path.chmod(0o600)
    assert not is_installed(path, b"new")


def test_every_crl_is_a_second_younger_than_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    seen = set()
    for number in range(4):
        install_crl(path, str(number).encode())
        seen.add(int(path.stat().st_mtime))
    assert len(seen) == 4


def test_a_file_from_the_future_is_left_behind_too(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    path.touch()
    os.utime(path, (time.time() + 900, time.time() + 900))
    before = int(path.stat().st_mtime)
    install_crl(path, b"new")
    assert int(path.stat().st_mtime) == before + 1


def test_without_a_folder_it_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="missing"):
        install_crl(tmp_path / "missing" / "crl.pem", b"new")
