# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that a process has logged, to a file or to the journal, with a bound on lines and on time."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command

MOST_LINES = 200_000
LONGEST_LINE = 8192
MOST_FILE_BYTES = 64 * 1024 * 1024
SECONDS = 10.0
_CURSOR = "-- cursor: "


@dataclass(frozen=True)
class LogMark:
    """A place in what is logged: everything behind it came later.

    :param size: Of the file. :param inode: Which file that was; it may be rotated.
    :param cursor: In the journal; empty where there is none.
    """

    size: int = 0
    inode: int = 0
    cursor: str = ""


def mark_log(file: Path | None) -> LogMark:
    """The end of a log as it is now.

    :param file: ``None`` for the journal.
    """
    if file is None:
        try:
            shown = run_command(("journalctl", "--quiet", "--lines=0", "--show-cursor"), timeout_seconds=SECONDS).output
        except CollectionError:
            return LogMark()
        return LogMark(
            cursor=next((line[len(_CURSOR) :] for line in shown.splitlines() if line.startswith(_CURSOR)), "")
        )
    try:
        state = file.stat()
    except OSError:
        return LogMark()
    return LogMark(size=state.st_size, inode=state.st_ino)


def lines_since(mark: LogMark, file: Path | None, pid: int) -> Iterator[bytes]:
    """What a process has logged since a place, the oldest first."""
    if file is not None:
        return _file_lines(file, mark)
    return journal_lines(f"--after-cursor={mark.cursor}", f"_PID={pid}") if mark.cursor else iter(())


def journal_lines(*arguments: str, most: int = MOST_LINES, seconds: float = SECONDS) -> Iterator[bytes]:
    """The newest lines of the journal that fit, the oldest of them first; nothing where there is no journal."""
    argv = ("journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={most}", *arguments)
    return _program_lines(argv, most=most, seconds=seconds)


def _program_lines(argv: Sequence[str], *, most: int, seconds: float) -> Iterator[bytes]:
    try:
        # Read as it comes: a whole day of the journal need not fit into memory.
        # pylint: disable-next=ansible-bad-function,consider-using-with
        program = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return
    end = threading.Timer(seconds, program.kill)
    end.start()
    try:
        if program.stdout is not None:
            for _number in range(most):
                line = program.stdout.readline(LONGEST_LINE)
                if not line:
                    break
                yield line.rstrip(b"\n")
    finally:
        end.cancel()
        program.kill()
        if program.stdout is not None:
            program.stdout.close()
        program.wait()


def _file_lines(file: Path, mark: LogMark, *, most_bytes: int = MOST_FILE_BYTES) -> Iterator[bytes]:
    with suppress(OSError), file.open("rb") as stream:
        size = file.stat().st_size
        rotated = file.stat().st_ino != mark.inode or size < mark.size
        begin = 0 if rotated else mark.size
        if size - begin > most_bytes:
            stream.seek(size - most_bytes)
            stream.readline(LONGEST_LINE)
        else:
            stream.seek(begin)
        for _number in range(MOST_LINES):
            line = stream.readline(LONGEST_LINE)
            if not line:
                return
            yield line.rstrip(b"\n")
