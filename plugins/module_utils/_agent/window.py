# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program behind a measuring window: ``window run [FOLDER]`` and ``window undo [FOLDER]``.

While it runs, probes measure against iperf3 and ask its responder, and it looks at the gateway. It ends by itself, when
it is told to (SIGTERM), or when it is killed; ``undo`` takes back what a killed one has left. FOLDER holds
``settings.json`` at first and ``result.json`` in the end.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_record import interrupted_record
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_session import WindowSession
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    FOLDER,
    MODE,
    WindowFiles,
    parse_window_settings,
    read_json,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_undo import (
    remove_programs,
    undo,
    write_json,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock

USAGE = "usage: window run|undo [FOLDER]\n"


class _Stop:
    """Set by the signals that end a program politely."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    if len(arguments) not in (1, 2) or arguments[0] not in ("run", "undo"):
        sys.stderr.write(USAGE)
        return 2
    files = WindowFiles(Path(arguments[1]) if len(arguments) == 2 else FOLDER)
    try:
        with exclusive_lock(files.lock, wait_seconds=0.0, what="The measuring window"):
            return _run(files) if arguments[0] == "run" else _undo(files)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(files: WindowFiles) -> int:
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    # What a window before this one has left.
    undo(files)
    for path in (files.problem, files.result):
        path.unlink(missing_ok=True)
    session = None
    try:
        raw = read_json(files.settings)
        if raw is None:
            raise StateError(f"There is no {files.settings} to read.")
        settings = parse_window_settings(raw)
        session = WindowSession(settings, files)
        write_json(files.ready, session.open())
        deadline = time.monotonic() + settings.seconds
        while not stop.asked and time.monotonic() < deadline:
            session.watch(min(settings.sample_seconds, max(0.0, deadline - time.monotonic())))
        record = session.record(ended_by_itself=not stop.asked)
        problems = session.close()
        write_json(files.result, {**record, "unmeasured": [*record["unmeasured"], *problems]})
    except CollectionError as error:
        problems = session.close() if session is not None else undo(files)
        write_atomic(files.problem, " ".join((str(error), *problems)).encode(), mode=MODE)
        raise
    return 1 if problems else 0


def _undo(files: WindowFiles) -> int:
    """After the program, however that ended; systemd calls it."""
    killed = files.state.exists()
    state = read_json(files.state)
    problems = undo(files)
    if killed and not files.result.exists():
        write_json(files.result, interrupted_record(state or {}, problems))
    remove_programs(files)
    files.settings.unlink(missing_ok=True)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0
