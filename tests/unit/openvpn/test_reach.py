"""Who can look into which folder, as the kernel decides it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.folder_access import (
    folders_on_the_way,
    process_status,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.reach import (
    Folder,
    Identity,
    first_barrier,
    parse_identity,
)

STATUS = "Name:\topenvpn\nUid:\t0\t998\t998\t998\nGid:\t0\t997\t997\t997\nGroups:\t5 6 \nCapEff:\t0000000000001000\n"
OPENVPN = Identity(998, frozenset([997, 5, 6]))


def test_a_process_acts_for_its_effective_user_and_all_of_its_groups() -> None:
    assert parse_identity(STATUS) == OPENVPN
    assert parse_identity(STATUS.replace("Groups:\t5 6 \n", "")) == Identity(998, frozenset([997]))


@pytest.mark.parametrize(
    ("capabilities", "is_free"), [("000001ffffffffff", True), ("0000000000000004", True), ("0000000000001000", False)]
)
def test_root_is_free_unless_it_gave_that_up(capabilities: str, is_free: bool) -> None:
    status = STATUS.replace("998", "0").replace("0000000000001000", capabilities)
    assert parse_identity(status) == Identity(0, frozenset([997, 5, 6]), is_free=is_free)


@pytest.mark.parametrize("status", ["", "Uid:\t0\n", STATUS.replace("Uid:", "Sid:"), STATUS.replace("1000", "x")])
def test_what_does_not_tell_is_no_identity(status: str) -> None:
    assert parse_identity(status) is None


@pytest.mark.parametrize(
    ("folder", "can"),
    [
        (Folder("/x", 0o755, 0, 0), True),
        (Folder("/x", 0o750, 0, 0), False),
        (Folder("/x", 0o750, 0, 997), True),
        (Folder("/x", 0o750, 0, 6), True),
        (Folder("/x", 0o705, 0, 6), False),
        (Folder("/x", 0o700, 998, 0), True),
        (Folder("/x", 0o077, 998, 997), False),
        (Folder("/x", 0o644, 0, 0), False),
        (Folder("/x", 0o711, 0, 0), True),
    ],
)
def test_one_class_of_bits_decides(folder: Folder, can: bool) -> None:
    assert (first_barrier([folder], OPENVPN) == "") is can
    assert first_barrier([folder], Identity(0, is_free=True)) == ""


def test_the_first_barrier_from_the_root_on_is_named(tmp_path: Path) -> None:
    register = tmp_path / "hardened" / "denied"
    (register / "users").mkdir(parents=True)
    found = [Folder(*one) for one in folders_on_the_way(register, ("users", "devices"))]
    assert found[0].path == "/"
    assert [one.path for one in found][-3:] == [str(tmp_path / "hardened"), str(register), str(register / "users")]
    below = [Folder(one.path, 0o755, 0, 0) for one in found[:-3]]
    tight = [Folder(one.path, 0o750, 0, 0) for one in found[-3:]]
    assert first_barrier([*below, *tight], OPENVPN) == str(tmp_path / "hardened")


def test_a_process_of_this_host_tells() -> None:
    found = parse_identity(process_status(os.getpid()))
    assert found is not None
    assert found.user == os.geteuid()
    assert parse_identity(process_status(2**31)) is None
