"""Hosts with systemd in namespaces, within half a second: this machine's programs, and files and units of their own.

What a host writes lies in memory and goes with it, as does each of its processes. It is in the network namespace of
:class:`~benchmarks._namespaces.Namespaces` that it was made for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks._namespaces import PREFIX, Namespaces, run, stale_namespaces
from conftest import CHECKOUT

BOOT = CHECKOUT / "tests/benchmarks/_boot_host.sh"
BOOTING_SECONDS = 15.0
COMMAND_SECONDS = 60.0
# Everything a host has of its own; the network it has from elsewhere.
UNSHARED = ("--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup")


def cgroup_root() -> Path:
    """Where this machine has its control groups of version 2.

    :raises RuntimeError: nowhere.
    """
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _device, place, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(place)
    raise RuntimeError("no control groups of version 2 are mounted on this machine")


def remove_group(group: Path) -> None:
    """Remove a control group whose processes have ended, and those below it."""
    for folder, _names, _files in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def remove_stale_groups() -> None:
    """Remove the control groups of benchmarks that were killed."""
    running = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    existing = {path.name: path for path in cgroup_root().glob(f"{PREFIX}*-*")}
    for name in stale_namespaces(list(existing), running):
        remove_group(existing[name])


@dataclass
class Host:
    """A host; use it as a context.

    :param short: Of its network namespace.
    :param name: What it calls itself.
    :param store: A folder for it, which is made.
    """

    spaces: Namespaces
    short: str
    name: str
    store: Path
    init: int = 0

    def __enter__(self) -> Self:
        self.store.mkdir(parents=True)
        self.group.mkdir()
        with contextlib.suppress(OSError):
            (cgroup_root() / "cgroup.subtree_control").write_text("+cpu")
        argv = [
            "sh", "-c", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "enter", str(self.group), "unshare", *UNSHARED,
            "bash", str(BOOT), self.name, str(self.store), str(CHECKOUT), str(self.spaces.folder),
        ]  # fmt: skip
        log = self.store.with_suffix(".log")
        try:
            self._await_boot(self.spaces.start(self.short, argv, folder=self.spaces.folder, log=log), log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while self.group.exists() and time.monotonic() < deadline:
            remove_group(self.group)
            time.sleep(0.02)

    @property
    def group(self) -> Path:
        """Its control group."""
        return cgroup_root() / self.spaces.name(self.short)

    def _await_boot(self, outer: int, log: Path) -> None:
        deadline = time.monotonic() + BOOTING_SECONDS
        while time.monotonic() < deadline:
            children = run("pgrep", "--parent", str(outer), check=False).split()
            if children:
                self.init = int(children[0])
                done = self.attempt("systemctl", "is-system-running")
                if done.stdout.strip() in ("running", "degraded"):
                    return
            time.sleep(0.03)
        raise RuntimeError(f"{self.name} does not boot: {log.read_text(errors='replace')[-800:]}")

    def path(self, path: str) -> Path:
        """One of its files, seen from here. Symbolic links with a full path lead elsewhere."""
        return Path(f"/proc/{self.init}/root{path}")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write one of its files."""
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_text(text)
        place.chmod(mode)

    def argv(self, *argv: str) -> list[str]:
        """A command on this host, as a command of this machine."""
        return ["nsenter", "--target", str(self.init), "--all", "--wd=/", "--", "env", "--ignore-environment",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", *argv]  # fmt: skip

    def attempt(
        self, *argv: str, seconds: float = COMMAND_SECONDS, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on it, however that ends."""
        return subprocess.run(
            self.argv(*argv), check=False, capture_output=True, text=True, timeout=seconds, input=stdin or "",
        )  # fmt: skip

    def run(self, *argv: str, seconds: float = COMMAND_SECONDS, stdin: str | None = None) -> str:
        """Run a command on it that must end well.

        :raises RuntimeError: with what it printed.
        """
        done = self.attempt(*argv, seconds=seconds, stdin=stdin)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(argv)}: {(done.stderr or done.stdout).strip()[-800:]}")
        return done.stdout

    def unit(self, name: str, text: str) -> None:
        """Have a unit of systemd, and start it."""
        self.write(f"/etc/systemd/system/{name}", text)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", name)

    def processes(self) -> dict[int, str]:
        """What runs on it, by process number: the program's name."""
        found = {}
        for line in self.run("ps", "-eo", "pid=,args=").splitlines():
            pid, _blank, command = line.strip().partition(" ")
            found[int(pid)] = command.strip()
        return found
