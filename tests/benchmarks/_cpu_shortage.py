"""A gateway's processes without enough processor time: neighbours on their core, or a quota."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks._diagnosis_gateway import unit
from benchmarks._hosts import Host

# Beside so many neighbours who never sleep a process gets four per cent of its core. Each is a unit: the kernel divides
# a core among sessions first.
NEIGHBOURS = 24
CORE = "0"
QUOTA_SHARE = 0.04
PERIOD_US = 25_000
OLD_GROUPS = "/run/old-cpu-groups"


@contextmanager
def competitors(host: Host, pids: Sequence[int]) -> Iterator[None]:
    """Bind processes of a host to one core, and have neighbours there."""
    for pid in pids:
        host.run("taskset", "--all-tasks", "--cpu-list", "--pid", CORE, str(pid))
    units = [f"neighbour@{number}.service" for number in range(NEIGHBOURS)]
    busy = f"[Service]\nCPUAffinity={CORE}\nExecStart=/bin/sh -c 'while :; do :; done'\n"
    host.write("/etc/systemd/system/neighbour@.service", busy)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", *units)
    try:
        yield
    finally:
        host.run("systemctl", "stop", *units)


@contextmanager
def quota(host: Host, listeners: Sequence[str]) -> Iterator[None]:
    """Give listeners a quota: as systemd does, or by the older control groups where the newer do not have the CPU."""
    if "cpu" in host.path("/sys/fs/cgroup/cgroup.controllers").read_text().split():
        share = f"CPUQuota={QUOTA_SHARE:.0%}"
        for name in listeners:
            host.run("systemctl", "set-property", "--runtime", unit(name), share, "CPUQuotaPeriodSec=25ms")
        yield
        return
    host.path(OLD_GROUPS).mkdir()
    host.run("mount", "-t", "cgroup", "-o", "cpu", "cpu", OLD_GROUPS)
    groups = [Path(f"{OLD_GROUPS}/{host.spaces.name(host.short)}-{name}") for name in listeners]
    try:
        for name, group in zip(listeners, groups, strict=True):
            _hold_back(host, name, group)
        yield
    finally:
        for group in groups:
            _let_go(host, group)


def _hold_back(host: Host, listener: str, group: Path) -> None:
    place = host.path(str(group))
    place.mkdir()
    (place / "cpu.cfs_period_us").write_text(str(PERIOD_US))
    (place / "cpu.cfs_quota_us").write_text(str(round(PERIOD_US * QUOTA_SHARE)))
    pid = host.run("systemctl", "show", "--property=MainPID", "--value", unit(listener)).strip()
    host.run("sh", "-c", f"echo {pid} >{group}/cgroup.procs")


def _let_go(host: Host, group: Path) -> None:
    place = host.path(str(group))
    with contextlib.suppress(OSError):
        host.run("sh", "-c", f"while read -r pid; do echo $pid >{OLD_GROUPS}/cgroup.procs; done <{group}/cgroup.procs")
        place.rmdir()
