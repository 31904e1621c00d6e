# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the wanted ports of a host for a minute, and give them back.

The listener is a transient unit of systemd, which ends it in any case; on a machine without systemd it is a process of
its own with a deadline of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import preflight_listener
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import DeadlineError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import (
    Watch,
    parse_holders,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import stop_unit

FOLDER = Path("/run/privatespace-preflight")
UNIT = "privatespace-preflight.service"
_SYSTEMD = Path("/run/systemd/system")
_START_SECONDS, _STOP_SECONDS = 10.0, 10.0
# The listener ends itself; systemd makes sure.
_GRACE_SECONDS = 5
_SS = ("ss", "--listening", "--tcp", "--udp", "--numeric", "--processes", "--no-header")


def open_ports(ports: Sequence[Mapping[str, Any]], *, seconds: int, folder: Path = FOLDER) -> dict[str, Any]:
    """Listen on every port that is free, and return the ``token`` for probes.

    :param seconds: After which the ports are given back, whatever happens.
    :raises DeadlineError: the listener does not come up; it is gone again.
    """
    close_ports(folder=folder)
    folder.mkdir(mode=0o700)
    try:
        token = secrets.token_hex(16)
        settings = {"token": token, "seconds": seconds, "ports": [dict(one) for one in ports]}
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "settings.json").chmod(0o600)
        note_holders(folder)
        program = folder / "listener.py"
        program.write_text(_source(), encoding="utf-8")
        _start((sys.executable, "-I", str(program), str(folder)), seconds=seconds, folder=folder)
        _wait_for(folder / "ready.json", seconds=_START_SECONDS)
    except BaseException:
        close_ports(folder=folder)
        raise
    return {"token": token}


def close_ports(*, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """End the listener and return what each port saw; nothing where none runs. Nothing of it is left."""
    if not folder.is_dir():
        return []
    try:
        _stop(folder)
        return [asdict(one) for one in read_watches(folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_watches(folder: Path) -> list[Watch]:
    """What the listener of a folder has left there."""
    ready, seen = _load(folder / "ready.json") or {}, _load(folder / "seen.json") or []
    holders = {tuple(key): tuple(value) for key, value in _load(folder / "holders.json") or []}
    marks = {(one["protocol"], one["port"]): one for one in seen}
    found = []
    for one in ready.get("ports", []):
        key = (one["protocol"], one["port"])
        holder, pid = holders.get(key, ("another program", 0)) if one["taken"] else ("", 0)
        saw = marks.get(key, {})
        found.append(
            Watch(
                protocol=one["protocol"],
                port=one["port"],
                open=not one["error"],
                holder=str(holder),
                holder_pid=int(pid),
                error=one["error"],
                marks=saw.get("marks", {}),
                wire=tuple(saw.get("wire", ())) if ready.get("wire") else None,
            )
        )
    return found


def note_holders(folder: Path) -> None:
    """Write down who has ports before the listener comes; without ``ss`` nobody can be named."""
    output = ""
    with contextlib.suppress(CommandError):
        output = run_command(_SS, timeout_seconds=10).output
    (folder / "holders.json").write_text(json.dumps(list(parse_holders(output).items())), encoding="utf-8")


def _source() -> str:
    """The text of the listener's program, which Ansible has brought with this module."""
    loader = getattr(preflight_listener.__spec__, "loader", None)
    source = getattr(loader, "get_source", lambda _name: None)(preflight_listener.__name__)
    if source is None:
        raise StateError("The text of the listener's program is not at hand.")
    return str(source)


def _start(argv: Sequence[str], *, seconds: int, folder: Path) -> None:
    if _SYSTEMD.is_dir():
        unit = (
            "systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--description=Ports held for a preflight",
            f"--property=RuntimeMaxSec={seconds + _GRACE_SECONDS}", "--",
        )  # fmt: skip
        run_command((*unit, *argv), timeout_seconds=_START_SECONDS)
        return
    # pylint: disable-next=ansible-bad-function,consider-using-with
    process = subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    (folder / "pid").write_text(str(process.pid), encoding="ascii")
    # It outlives this process on purpose, and has its own end: nobody waits for it.
    process.returncode = 0


def _stop(folder: Path) -> None:
    if _SYSTEMD.is_dir():
        # It may have ended by itself.
        with contextlib.suppress(CommandError):
            stop_unit(UNIT)
        return
    pid = _load(folder / "pid")
    if pid is None or not _is_ours(pid, folder):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline and _is_ours(pid, folder):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    if _is_ours(pid, folder):
        os.kill(pid, signal.SIGKILL)


def _is_ours(pid: int, folder: Path) -> bool:
    """A number may have been given to another program since."""
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _wait_for(path: Path, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not path.is_file():
        if time.monotonic() > deadline:
            remedy = f"On a host with systemd: journalctl --unit {UNIT}."
            raise DeadlineError(f"The listener for the preflight does not come up within {seconds:g} s.", remedy=remedy)
        time.sleep(0.02)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
