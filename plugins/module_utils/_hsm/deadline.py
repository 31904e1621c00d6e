# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit on how long a token may take for one call, for tokens that hang instead of failing.

A call into a PKCS#11 library cannot be interrupted from Python: a signal handler runs after the call has returned. So a
thread watches the clock, and ends the whole process when a call does not return. python-pkcs11 releases the interpreter
for its calls, except while it loads the library and while it finalises it; those two are not covered. Ending there is
like a kill: the process was inside the library and nowhere else, files are replaced atomically, and the store rolls
back what was not committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable

MAKING_A_KEY = 10
_CHECKS_PER_LIMIT = 20


@dataclass(frozen=True)
class Deadline:
    """How long to wait for a token, and what to do then.

    :param seconds: For one call; making a key may take :data:`MAKING_A_KEY` times as long.
    :param give_up: Ends the process; called in another thread with a message for the administrator.
    """

    seconds: float
    give_up: Callable[[str], None]


@dataclass(frozen=True)
class _Call:
    doing: str
    ends_at: float


class _Watch:
    """What the thread of a process looks at: the call under way, if any."""

    deadline: Deadline | None = None
    call: _Call | None = None


@contextmanager
def watched(deadline: Deadline | None) -> Iterator[None]:
    """Watch every :func:`call_to_token` of this block; without a deadline nothing is watched.

    One token is open in a process at a time, so there is one watch in a process.
    """
    if deadline is None:
        yield
        return
    over = threading.Event()
    watcher = threading.Thread(target=_look, args=(deadline, over), name="token-deadline", daemon=True)
    _Watch.deadline = deadline
    watcher.start()
    try:
        yield
    finally:
        _Watch.deadline = _Watch.call = None
        over.set()
        watcher.join()


@contextmanager
def call_to_token(doing: str, *, patience: int = 1) -> Iterator[None]:
    """Mark that the process is inside the library of the token.

    :param doing: What for, as the end of "The token did not answer while …".
    :param patience: How many times the limit this call may take.
    """
    deadline = _Watch.deadline
    if deadline is None:
        yield
        return
    _Watch.call = _Call(doing, time.monotonic() + deadline.seconds * patience)
    try:
        yield
    finally:
        _Watch.call = None


def _look(deadline: Deadline, over: threading.Event) -> None:
    while not over.wait(min(1.0, deadline.seconds / _CHECKS_PER_LIMIT)):
        call = _Watch.call
        if call is not None and time.monotonic() > call.ends_at:
            deadline.give_up(
                f"The token did not answer while {call.doing}, and this run was ended. Check that the token is "
                "connected and its service answers; what was done before stands, so run again. A token that needs "
                f"longer is given it by hsm_timeout (now {deadline.seconds:g} s)."
            )
            return
