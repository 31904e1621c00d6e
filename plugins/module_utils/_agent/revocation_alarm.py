# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling that a gateway does not follow the CRL, also where its program could not do so itself.

systemd starts this whenever a run has failed, which may be every minute. Whom to tell is given to it, since the
configuration may be what is wrong, and whether it was told is kept outside of the state where that cannot be written.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    read_optional,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_alarm import failed, is_alarm_due
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import State, parse_state

# In memory: a disk that is full or read-only is a reason for an alarm, and not for one every minute.
MARKER = Path("/run/lock/privatespace-revocation.alarm")
# For whoever reports the state of a gateway.
STATE_MODE = 0o644
START_SECONDS = 30


def read_state(path: Path) -> State:
    """What the last run has left; one that is damaged or cannot be read is none."""
    try:
        return parse_state(json.loads(read_optional(path) or b"{}"))
    except (FileError, ValueError):
        return State()


def write_state(path: Path, state: State) -> None:
    """Keep a state.

    :raises CollectionError: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make {path.parent}: {error.strerror}.") from error
    write_atomic(path, (json.dumps(state.as_dict()) + "\n").encode(), mode=STATE_MODE)
    if not state.problem:
        with contextlib.suppress(OSError):
            MARKER.unlink()


def start_units(units: Sequence[str]) -> None:
    """Start the units that tell somebody."""
    if not units:
        return
    try:
        run_command(("systemctl", "start", "--no-block", "--", *units), timeout_seconds=START_SECONDS)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")


def tell_of_failure(path: Path, units: Sequence[str], *, now: float) -> None:
    """Note that a run has failed, and have somebody told, unless that was done within the last day.

    :param path: Of the state.
    """
    last = read_state(path)
    state = failed(last, os.environ.get("MONITOR_SERVICE_RESULT", "unknown"), now=now)
    if state == last:
        return
    try:
        write_state(path, state)
    except CollectionError as error:
        if not is_alarm_due(_marked_at(), now=now):
            return
        sys.stderr.write(f"{error}\n")
        with contextlib.suppress(OSError):
            MARKER.touch()
            os.utime(str(MARKER), (now, now))
    sys.stderr.write(f"alarm: {state.problem}\n")
    start_units(units)


def _marked_at() -> float:
    try:
        return MARKER.stat().st_mtime
    except OSError:
        return 0.0
