# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long run is: a line in the journal now and then, and a file that others can read meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic

EVERY_SECONDS = 5.0
_START_TIME = 19  # of /proc/PID/stat, counted from behind the name of the program


@dataclass
class Progress:
    """Tells how far this process is. Nothing that goes wrong here stops the run.

    :param path: The file, which others read; see :func:`read_progress`.
    :param log: Takes a line for the journal.
    :param monotonic: Seconds that only grow.
    """

    path: Path
    log: Callable[[str], None]
    monotonic: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _told: float = field(init=False)
    written: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._began = self._told = self.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Tell it, at most every five seconds.

        :param done: How many are signed of ``total``.
        """
        now = self.monotonic()
        if now - self._told < EVERY_SECONDS or not done:
            return
        self._told = now
        rate = done / (now - self._began)
        left = round((total - done) / rate)
        self.log(f"signed {done} of {total}, {rate:.0f} a second, {left} s left")
        facts = {"done": done, "total": total, "rate_per_second": round(rate, 1), "seconds_left": left}
        content = json.dumps({**facts, "pid": os.getpid(), "process_began": _process_began(os.getpid())})
        with contextlib.suppress(CollectionError):
            write_atomic(self.path, content.encode("ascii"), mode=0o600)
            self.written = True


@contextmanager
def told_progress(path: Path, log: Callable[[str], None]) -> Iterator[Progress]:
    """A :class:`Progress` for the block; its file is removed at the end."""
    progress = Progress(path, log)
    try:
        yield progress
    finally:
        if progress.written:
            with contextlib.suppress(OSError):
                path.unlink()


def read_progress(path: Path) -> dict[str, Any] | None:
    """How far the run is that writes this file; ``None`` where none is under way, or it died."""
    try:
        facts = json.loads(read_optional(path) or b"null")
        began = facts.pop("process_began")
        return dict(facts) if began is not None and began == _process_began(facts["pid"]) else None
    except (CollectionError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _process_began(pid: int) -> str | None:
    """When a process began, as the kernel counts; ``None`` where there is no such process any more."""
    try:
        facts = Path(f"/proc/{int(pid)}/stat").read_text(encoding="ascii", errors="replace")
        return facts.rpartition(")")[2].split()[_START_TIME]
    except (OSError, IndexError):
        return None
