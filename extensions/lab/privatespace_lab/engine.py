# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effects shared by the lab: running programs, progress lines, the engine's own configuration."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
STATE = CHECKOUT / ".lab"

CONTAINERS_CONF = """\
[containers]
pids_limit = 0
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
cgroupns = "private"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{state}/run/libpod"
static_dir = "{state}/storage/libpod"
volume_path = "{state}/storage/volumes"
[network]
network_backend = "netavark"
network_config_dir = "{state}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
runroot = "{state}/run/storage"
graphroot = "{state}/storage"
"""


class LabError(Exception):
    """A cause that a person can act on; shown as one line."""


def say(text: str) -> None:
    """Print a progress line; standard output stays free for results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a long step, and say how long it took."""
    say(f"{text} ...")
    began = time.monotonic()
    yield
    say(f"{text}: {time.monotonic() - began:.0f} s")


def run(
    argv: Sequence[str | Path], *, feed: bytes | None = None, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run a program with its output captured. ``LabError`` with its last words when it fails and ``check`` is true."""
    done = subprocess.run(
        argv, input=feed, stdin=None if feed is not None else subprocess.DEVNULL, capture_output=True, check=False
    )
    if check and done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        cause = next((line for line in lines if line.startswith("Error")), lines[-1])
        raise LabError(f"{' '.join(map(str, argv[:3]))} failed: {cause}")
    return done


def podman(*arguments: str, feed: bytes | None = None, check: bool = True) -> str:
    """Run podman on the lab's own store and return its standard output."""
    return run(["podman", *arguments], feed=feed, check=check).stdout.decode(errors="replace")


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file when its content differs; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    path.chmod(mode)


def configure_engine() -> None:
    """Write the engine's configuration, which keeps all it does inside the checkout."""
    for name, template in (("containers.conf", CONTAINERS_CONF), ("storage.conf", STORAGE_CONF)):
        write_text(STATE / name, template.format(state=STATE))
    (STATE / "networks").mkdir(parents=True, exist_ok=True)
