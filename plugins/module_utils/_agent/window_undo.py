# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a window has changed, written down before it is changed, and taken back: also after the program was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, TypeVar

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import read_text
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_rules import remove_rules
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    MODE,
    WindowFiles,
    read_json,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.processor_readings import (
    parse_start_ticks,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import (
    Management,
    NotRunningError,
    open_management,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import PROC

PATIENCE_SECONDS = 5.0
_T = TypeVar("_T")
# Names of the fields of the state.
VERBOSITIES, RULES, SERVERS = "verbosities", "rules", "servers"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A file of the window, readable by root alone.

    :raises FileError: it could not be written.
    """
    write_atomic(path, json.dumps(content).encode(), mode=MODE)


def undo(files: WindowFiles) -> tuple[str, ...]:
    """Take back all that the state names, and forget it; returns what could not be taken back, a sentence each.

    It may run any number of times, and beside nothing that is open.
    """
    state = read_json(files.state)
    if state is None:
        return ()
    problems = (
        *_lower_again(state.get(VERBOSITIES) or {}, level=state.get("level")),
        *_end_servers(state.get(SERVERS) or []),
        *(_close_ports() if state.get(RULES) else ()),
    )
    if problems:
        write_json(files.state, {**state, "problems": problems})
    else:
        files.state.unlink(missing_ok=True)
    files.ready.unlink(missing_ok=True)
    return problems


def raise_verbosities(
    sockets: Mapping[str, Path], level: int, *, remember: Callable[[Mapping[str, int]], None]
) -> tuple[str, ...]:
    """Have listeners log more; returns what is wrong with those that do not, a sentence each.

    :param sockets: By name of the listener.
    :param remember: Writes down how much each logged before, by its socket.
    """
    before: dict[str, int] = {}
    problems = (_raise_one(socket, level, before, remember) for socket in sockets.values())
    return tuple(one for one in problems if one)


def _raise_one(
    socket: Path, level: int, before: dict[str, int], remember: Callable[[Mapping[str, int]], None]
) -> str:  # fmt: skip
    try:
        verbosity = _speak(socket, lambda management: management.verbosity())
        if verbosity < level:
            # It stays written down whatever comes: one that is slow to answer may do it nevertheless.
            before[str(socket)] = verbosity
            remember(before)
            _speak(socket, lambda management: management.set_verbosity(level))
    except FileError:
        raise
    except CollectionError as error:
        return str(error)
    return ""


def _lower_again(before: Mapping[str, int], *, level: Any) -> Iterator[str]:
    """A listener that was told something else meanwhile, or that was started anew, keeps what it has."""
    for socket, verbosity in before.items():
        if not Path(socket).exists():
            continue
        try:
            if _speak(Path(socket), lambda management: management.verbosity()) == level:
                _speak(Path(socket), partial(Management.set_verbosity, level=verbosity))
        except NotRunningError:
            # It left its socket behind; the next process begins with what its configuration says.
            continue
        except CollectionError as error:
            yield f"The listener behind {socket} still logs at verbosity {level}: {error}"


def _speak(socket: Path, words: Callable[[Management], _T]) -> _T:
    """One question at a time: a removal that waits for the same socket comes between two of them."""
    with open_management(socket, timeout_seconds=PATIENCE_SECONDS, is_running=lambda _path: False) as management:
        return words(management)


def _end_servers(servers: Any) -> Iterator[str]:
    """They end with the program that started them; this is for a system where they did not."""
    for pid, ticks in servers:
        if parse_start_ticks(read_text(PROC / str(pid) / "stat")) == ticks:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except OSError as error:
                yield f"The process {pid} still runs: {error.strerror}."


def _close_ports() -> Iterator[str]:
    try:
        remove_rules()
    except CollectionError as error:
        yield f"Rules of nftables are left: {error}"


def remove_programs(files: WindowFiles) -> None:
    """Take away the packages that the window ran from; what they hold is loaded already where it is still needed."""
    with suppress(OSError):
        shutil.rmtree(files.programs)
