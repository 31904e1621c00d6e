# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A measuring window as a unit of systemd that is there for a while only: opened, waited for, closed.

Everything that it runs from lies in its own folder in ``/run``: a gateway that this collection has not set up is
measured like any other, with the very files of the controller, and nothing stays on it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.python_files import PythonFile
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_servers import require_programs
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    MODE,
    WindowFiles,
    WindowSettings,
    read_json,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_undo import undo
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    BusyError,
    DeadlineError,
    PartialError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.python_folder import write_python_file
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import show_units

UNIT = "privatespace-diagnosis.service"
# Beside what a window has, which goes with it.
LOCK = Path("/run/privatespace-window.lock")
PYTHON = "/usr/bin/python3"
START_SECONDS, OPEN_SECONDS, STOP_SECONDS = 30.0, 30.0, 90.0
FOLDER_MODE = 0o700
# After its own time systemd ends it, should it not have done so itself.
GRACE_SECONDS = 20
_GONE = ("", "inactive", "failed")
_RUN = """import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().with_name("python")))
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window import main

sys.exit(main(sys.argv[1:]))
"""
_SANDBOX = (
    # Where memory is short it goes first, and OpenVPN stays; the end of one of its processes is the end of all.
    "OOMScoreAdjust=800", "OOMPolicy=stop", "MemoryMax=512M", "TasksMax=128", "LimitCORE=0",
    "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
    "ProtectClock=yes", "ProtectHostname=yes", "ProtectControlGroups=yes", "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes", "ProtectKernelTunables=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM", "UMask=0077",
    # Rules of nftables; a look at processes of others and at their logs; iperf3 as nobody, and its end.
    "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_KILL",
)  # fmt: skip


@dataclass(frozen=True)
class WindowUnit:
    """The one window that a gateway may have."""

    files: WindowFiles

    def find(self) -> Mapping[str, Any] | None:
        """What is known of the window that is open, or ``None``.

        :raises CommandError: systemd does not answer.
        """
        shown_state = show_units((UNIT,), ("ActiveState",)).strip().partition("=")[2]
        # While it takes things back at its end, it is still there.
        return (read_json(self.files.state) or {}) if shown_state not in _GONE else None

    def has_leftovers(self) -> bool:
        """Whether there are files of a window, open or over."""
        return self.files.folder.is_dir() and any(self.files.folder.iterdir())

    def require_closed(self) -> None:
        """Refuse where a window is open.

        :raises BusyError: naming who opened it, and until when it is open.
        """
        state = self.find()
        if state is not None:
            raise BusyError(describe_open(state), remedy="Wait for its end, or close it with 'state: absent'.")

    def require_host(self, *, is_plan: bool = False) -> None:
        """Refuse a host on which no window can be opened.

        :param is_plan: Nothing will be opened, so what the role would install may be missing.
        :raises StateError: naming what is missing.
        """
        if not is_plan:
            require_programs()
        if shutil.which("systemd-run") is None or not Path("/run/systemd/system").is_dir():
            raise StateError("A measuring window needs systemd, and this host does not run it.")
        if not Path(PYTHON).exists():
            raise StateError(f"A measuring window needs {PYTHON}.", remedy="Install the package 'python3'.")

    def open(self, settings: WindowSettings, programs: Mapping[str, PythonFile]) -> dict[str, Any]:
        """Open it, and wait until it is; returns what probes are told.

        :param programs: The Python files that it runs from, by path.
        :raises CollectionError: it could not be opened, and is not.
        """
        with self._alone():
            # Somebody else may have been quicker.
            self.require_closed()
            self.clear()
            try:
                self._write(settings, programs)
                run_command(render_call(self.files, settings), timeout_seconds=START_SECONDS)
                return self._wait_until_open()
            except BaseException:
                self.stop()
                self.clear()
                raise

    def close(self) -> dict[str, Any] | None:
        """Close it, if it is open, and take all of its files away; returns what it saw.

        :raises PartialError: something that it changed could not be taken back.
        """
        with self._alone(wait_seconds=START_SECONDS + OPEN_SECONDS):
            self.stop()
            seen = read_json(self.files.result)
            left = undo(self.files)
            if left:
                raise PartialError(
                    f"The measuring window is closed, but not all is as before. {' '.join(left)}",
                    results={"seen": seen},
                    remedy="Mend that and run this again.",
                )
            self.clear()
            return seen

    def stop(self) -> None:
        """End the unit, and wait for what it does in the end.

        :raises CommandError: it was not stopped.
        """
        if self.find() is not None:
            run_command(("systemctl", "stop", "--", UNIT), timeout_seconds=STOP_SECONDS)

    def clear(self) -> None:
        """Take back what a window that is over has left, and remove its files.

        :raises StateError: something could not be taken back.
        """
        left = undo(self.files)
        if left:
            raise StateError(f"A measuring window before this one has left something. {' '.join(left)}")
        with suppress(FileNotFoundError):
            shutil.rmtree(self.files.folder)

    @contextmanager
    def _alone(self, *, wait_seconds: float = 0.0) -> Iterator[None]:
        """Two runs at once would take each other's files away."""
        with exclusive_lock(LOCK, wait_seconds=wait_seconds, what="The opening of a measuring window"):
            yield

    def _wait_until_open(self) -> dict[str, Any]:
        deadline = time.monotonic() + OPEN_SECONDS
        why = f"within {OPEN_SECONDS:g} s"
        while time.monotonic() < deadline:
            told = read_json(self.files.ready)
            if told is not None:
                return told
            if self.find() is None:
                why = "but ended at once"
                break
            time.sleep(0.1)
        problem = (read_optional(self.files.problem) or b"").decode("utf-8", "replace").strip()
        if problem:
            raise StateError(f"The measuring window could not be opened: {problem}")
        raise DeadlineError(f"The measuring window did not open {why}.", remedy=f"Look at 'journalctl -u {UNIT}'.")

    def _write(self, settings: WindowSettings, programs: Mapping[str, PythonFile]) -> None:
        folder = self.files.folder
        try:
            folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            folder.mkdir(mode=FOLDER_MODE)
            folder.chmod(FOLDER_MODE)
        except OSError as error:
            raise StateError(f"Cannot make the folder {folder}: {error.strerror}.") from error
        for name, file in programs.items():
            write_python_file(self.files.programs / name, file.content, mode=file.mode)
        write_atomic(folder / "run.py", _RUN.encode(), mode=MODE)
        write_atomic(self.files.settings, settings.as_json(), mode=MODE)


def render_call(files: WindowFiles, settings: WindowSettings) -> tuple[str, ...]:
    """How systemd is told to run a window."""
    program = f"{PYTHON} -I -B {files.folder}/run.py"
    properties = (
        "Type=exec",
        f"RuntimeMaxSec={int(settings.seconds) + GRACE_SECONDS}",
        "TimeoutStopSec=60",
        # Also where it was killed: what it has changed is taken back.
        f"ExecStopPost={program} undo {files.folder}",
        "KillMode=control-group",
        f"ReadWritePaths={files.folder}",
        *_SANDBOX,
    )
    options = [word for one in properties for word in ("--property", one)]
    description = "The gateway is measured for a while"
    return (
        "systemd-run", "--quiet", "--collect", f"--unit={UNIT}", f"--description={description}", *options, "--",
        *program.split(), "run", str(files.folder),
    )  # fmt: skip


def describe_open(state: Mapping[str, Any]) -> str:
    """A window that is open, as a sentence."""
    who = shown(str(state.get("who") or "somebody"))
    times = [state.get("started"), state.get("expires_at")]
    span = ""
    if all(isinstance(one, (int, float)) for one in times):
        begin, end = (time.strftime("%H:%M:%S UTC", time.gmtime(one)) for one in times)
        span = f" at {begin}; it ends by {end} at the latest"
    return f"A measuring window is open on this gateway. {who} opened it{span}."


def describe_plan(settings: WindowSettings) -> list[str]:
    """What would be opened, a sentence each."""
    outside, responder = " and ".join(map(str, settings.outside_ports)), settings.responder_port
    reached = f"iperf3 on port {outside} and a responder on port {responder}, TCP and UDP"
    probes = ", ".join(settings.probes)
    return [
        f"For {settings.seconds:g} s at most {probes} can reach {reached}; nobody else outside can.",
        f"Inside its tunnels it answers whoever is connected on port {settings.outside_ports[0]} and {responder}.",
        f"OpenVPN logs at verbosity {settings.verbosity} meanwhile.",
        "All of it is taken back at the end, also when the window is killed.",
    ]


def caller() -> str:
    """Who runs this module, for others to read."""
    names: Sequence[str | None] = (os.environ.get("SUDO_USER"), os.environ.get("LOGNAME"), os.environ.get("USER"))
    return next((name for name in names if name), "root")
