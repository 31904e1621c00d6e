"""A disk that is full or read-only, a store that is damaged, a clock that goes back: plain errors, and nothing lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from integration.pki.authority_host import AuthorityHost

SMALL = "2m"
MANY = tuple(f"user{number}" for number in range(400))
DAY = 86_400


@pytest.fixture
def small_disk(host: AuthorityHost, tmp_path: Path) -> Iterator[AuthorityHost]:
    """The authority on a disk of 2 MB of its own."""
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=0700", "tmpfs", str(mount)], check=True)
    try:
        folder = mount / "authority"
        subprocess.run(["cp", "-a", str(host.folder), str(folder)], check=True)
        moved = replace(host, folder=folder)
        moved("pki_crl")
        yield moved
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def fill(host: AuthorityHost, *, leave: int) -> Path:
    """Fill the disk but for so many bytes; the file that does it."""
    ballast = host.folder.parent / "ballast"
    statistics = subprocess.run(
        ["stat", "-f", "-c", "%a %S", str(host.folder)], check=True, capture_output=True, text=True
    ).stdout.split()
    ballast.write_bytes(b"x" * max(0, int(statistics[0]) * int(statistics[1]) - leave))
    return ballast


def contents(host: AuthorityHost) -> dict[str, bytes]:
    """The published files, byte for byte."""
    return {path.name: path.read_bytes() for path in (host.crl, host.crl_der)}


@pytest.mark.parametrize("leave", [0, 40_000, 120_000, 300_000])
def test_a_full_disk_hands_out_nothing_that_the_store_does_not_know(small_disk: AuthorityHost, leave: int) -> None:
    host, published = small_disk, contents(small_disk)
    kept = host.users("alice")["users"][0]["serial"]
    ballast = fill(host, leave=leave)
    result = host.users("alice", *MANY, fails=True)
    assert "full" in result.message
    assert not result.values.get("deliveries")
    assert contents(host) == published
    ballast.unlink()
    again = host.users("alice", *MANY)
    assert again["counts"]["issued"] == len(MANY)
    assert again["users"][0]["serial"] == kept
    assert host("pki_info")["audit"]["valid"]


@pytest.mark.parametrize("leave", [0, 4096])
def test_a_full_disk_leaves_the_crl_that_was_there(small_disk: AuthorityHost, leave: int) -> None:
    host = small_disk
    host.users("alice")
    host.users({"name": "alice", "state": "absent"})
    published, ballast = contents(host), fill(host, leave=leave)
    assert "full" in host("pki_crl", fails=True).message
    assert contents(host) == published
    assert not [path.name for path in host.folder.iterdir() if "tmp" in path.name], "half a file was left"
    ballast.unlink()
    assert host("pki_crl")["revoked_count"] == 1


def test_a_read_only_disk_is_named(small_disk: AuthorityHost) -> None:
    host, published = small_disk, contents(small_disk)
    mount = ["mount", "-o"]
    subprocess.run([*mount, "remount,ro", str(host.folder.parent)], check=True)
    try:
        for result in (host.users("alice", fails=True), host("pki_crl", {"force": True}, fails=True)):
            assert "read-only" in result.message.lower(), result.message
            assert "Traceback" not in result.output
    finally:
        subprocess.run([*mount, "remount,rw", str(host.folder.parent)], check=True)
    assert contents(host) == published
    assert host.users("alice")["counts"]["issued"] == 1


@pytest.mark.parametrize("offset", [0, 4096, 20_480])
def test_a_damaged_store_is_refused_and_kept(host: AuthorityHost, offset: int) -> None:
    host("pki_crl")
    published = contents(host)
    with host.store.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\xff" * 4096)
    damaged = host.store.read_bytes()
    result = host.users("alice", fails=True)
    assert "damaged" in result.message
    assert "backup" in result.message
    assert "Traceback" not in result.output
    assert host.store.read_bytes() == damaged
    assert contents(host) == published


def test_a_clock_that_was_set_back_signs_nothing(host: AuthorityHost) -> None:
    """CRLs of the past would be refused by every gateway that has the one of today."""
    number = host("pki_crl")["number"]
    published = contents(host)
    back = host("pki_crl", {"force": True}, fails=True, clock_offset=-2 * DAY)
    assert "is behind the last CRL" in back.message
    assert contents(host) == published
    assert "is valid from" in host.users("alice", fails=True, clock_offset=-2 * DAY).message
    assert host.users("alice", clock_offset=-600)["counts"]["issued"] == 1, "ten minutes are what backdating is for"
    assert host("pki_crl", {"force": True})["number"] == number + 1
