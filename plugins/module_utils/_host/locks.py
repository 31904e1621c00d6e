# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between processes of one host."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError, StateError

POLL_SECONDS = 0.02


@contextmanager
def exclusive_lock(path: Path, *, wait_seconds: float, what: str) -> Iterator[None]:
    """Hold an advisory lock on a file while the block runs; a crash releases it.

    :param path: The lock file, made with mode 0600 where it is missing.
    :param wait_seconds: How long to wait for another holder before giving up.
    :param what: What the lock protects, for the error message.
    :raises BusyError: if another process held the lock all that time.
    :raises StateError: if the lock file cannot be opened, as on a read-only file system.
    """
    try:
        descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{what} cannot be locked: {path}: {error.strerror}.", remedy="Nothing was changed."
        ) from error
    try:
        _wait_for(descriptor, wait_seconds=wait_seconds, what=what)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, *, wait_seconds: float, what: str) -> None:
    deadline = time.monotonic() + wait_seconds
    while not _take(descriptor):
        if time.monotonic() >= deadline:
            raise BusyError(
                f"{what} is in use by another run, and was still in use after {wait_seconds:g} s.",
                remedy="Wait for that run to end and start this one again; nothing was changed.",
            )
        time.sleep(POLL_SECONDS)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True
