# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a listener has logged before: of the last day, and the sizes of its socket's buffers at its start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import ListenerProcess
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.log_lines import (
    LogMark,
    journal_lines,
    lines_since,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Buffers
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.openvpn_log import (
    count_lines,
    parse_buffers,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now

HOURS, MOST_LINES, SECONDS = 24, 100_000, 5.0
# The buffers are named as a process begins; under load, its first lines take a moment.
FIRST_SECONDS, FIRST_LINES = 60, 2000
_BEGINS = re.compile(rb"\bOpenVPN \d+\.\d+\S* \S+ \[")
_ISO = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ")
_OLD = re.compile(rb"([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}) ")


def count_history(listener: ListenerProcess) -> tuple[tuple[LogCount, ...], tuple[str, ...]]:
    """What was logged in the last day, also by earlier processes of the same unit, and what is not known."""
    if listener.log is None:
        chosen = f"--unit={listener.program.unit}" if listener.program.unit else f"_PID={listener.pid}"
        lines = journal_lines(chosen, f"--since=-{HOURS}h", most=MOST_LINES, seconds=SECONDS)
        return count_lines(lines, listener.name, window=False), ()
    since = utc_now() - timedelta(hours=HOURS)
    untimed: list[bytes] = []
    recent = _recent(lines_since(LogMark(), listener.log, listener.pid), since, untimed)
    counts = count_lines(recent, listener.name, window=False)
    if untimed and not counts:
        return (), (f"What '{listener.name}' logged in the last day: the lines of {listener.log} have no time.",)
    return counts, ()


def find_buffers(listener: ListenerProcess) -> Buffers | None:
    """The sizes that the process named first: those of the socket on which it waits."""
    if listener.log is not None:
        return _first_of_last_start(lines_since(LogMark(), listener.log, listener.pid))
    begin = int(listener.program.started_at) - 1
    span = (f"--since=@{begin}", f"--until=@{begin + FIRST_SECONDS}")
    lines = journal_lines(f"_PID={listener.pid}", *span, most=FIRST_LINES, seconds=SECONDS)
    return next(filter(None, map(parse_buffers, lines)), None)


def _first_of_last_start(lines: Iterable[bytes]) -> Buffers | None:
    """A file may hold the lines of several processes, one after the other."""
    found: Buffers | None = None
    for line in lines:
        if _BEGINS.search(line[:200]):
            found = None
        found = found or parse_buffers(line)
    return found


def _recent(lines: Iterable[bytes], since: datetime, untimed: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        moment = _moment(line)
        if moment is None:
            untimed[:] = [line]
        elif moment >= since:
            yield line


def _moment(line: bytes) -> datetime | None:
    """When a line was logged, where it says so; OpenVPN writes the host's own time."""
    for pattern, form in ((_ISO, "%Y-%m-%d %H:%M:%S"), (_OLD, "%a %b %d %H:%M:%S %Y")):
        found = pattern.match(line)
        if found is not None:
            try:
                return datetime.strptime(found.group(1).decode(), form).astimezone()
            except ValueError:
                return None
    return None
