"""One holder at a time, between processes, released by a crash."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import fcntl, sys, time
stream = open(sys.argv[1], "a")
fcntl.flock(stream, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def held_elsewhere(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A lock file that another process holds."""
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield path, holder
        holder.kill()


def test_a_free_lock_is_taken_and_its_file_is_private(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "lock", wait_seconds=0, what="The store"):
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_lock_can_be_taken_again_after_its_block(tmp_path: Path) -> None:
    for _round in range(2):
        with exclusive_lock(tmp_path / "lock", wait_seconds=0, what="The store"):
            pass


def test_a_lock_held_elsewhere_is_reported_after_the_wait(held_elsewhere: tuple[Path, subprocess.Popen[str]]) -> None:
    path, _holder = held_elsewhere
    began = time.monotonic()
    with (
        pytest.raises(BusyError, match=r"The store is in use by another run.*after 0\.2 s"),
        exclusive_lock(path, wait_seconds=0.2, what="The store"),
    ):
        pytest.fail("two held the lock at once")
    assert 0.2 <= time.monotonic() - began < 5


def test_a_crash_of_the_holder_frees_the_lock(held_elsewhere: tuple[Path, subprocess.Popen[str]]) -> None:
    path, holder = held_elsewhere
    holder.kill()
    with exclusive_lock(path, wait_seconds=5, what="The store"):
        pass


def test_an_error_in_the_block_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive_lock(tmp_path / "lock", wait_seconds=0, what="The store"):
        raise RuntimeError
    with exclusive_lock(tmp_path / "lock", wait_seconds=0, what="The store"):
        pass


def test_a_lock_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StateError, match=r"The store cannot be locked: .*missing/lock: No such file"),
        exclusive_lock(tmp_path / "missing" / "lock", wait_seconds=0, what="The store"),
    ):
        pass
