# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of its cores, of one process on them and of the machine, read from its texts.

Nothing here fails on a text that is damaged or of another kernel: what cannot be read is ``None``, or left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Machine, Sample

NANOSECONDS, MICROSECONDS = 1e9, 1e6
# Fields of a line "cpu0 …" in /proc/stat. Time of guests is in "user" already.
_USER, _NICE, _SYSTEM, _IDLE, _IOWAIT, _IRQ, _SOFTIRQ, _STEAL = range(8)
# Fields of /proc/PID/stat, counted after the command's ")".
_USER_TICKS, _SYSTEM_TICKS, _START_TICKS = 11, 12, 19
_CORE = re.compile(r"cpu\d+")
_BURSTABLE = re.compile(r"t\d[a-z]*\.|standard_b|f1-micro|g1-small|e2-(?:micro|small|medium)\b", re.IGNORECASE)
AWS, GOOGLE, AZURE = "aws", "google", "azure"
# What firmware calls itself, and whose machine that is.
_CLOUDS = (
    ("amazon", AWS), ("google", GOOGLE), ("7783-7084-3265-9085-8269-3286-77", AZURE), ("digitalocean", "digitalocean"),
    ("hetzner", "hetzner"), ("openstack", "openstack"), ("alibaba", "alibaba"), ("vultr", "vultr"),
    ("akamai", "linode"), ("linode", "linode"), ("oraclecloud", "oracle"), ("scaleway", "scaleway"),
)  # fmt: skip


@dataclass(frozen=True)
class CoreTimes:
    """Ticks that one core has spent since the machine was started."""

    busy: int
    idle: int
    steal: int
    softirq: int

    @property
    def total(self) -> int:
        """All of its time."""
        return self.busy + self.idle + self.steal


@dataclass(frozen=True)
class ProcessTimes:
    """What a process has used and waited for since it was started, in seconds.

    :param waited: For a core while it could have run. :param throttled: By a quota of its control group.
    """

    used: float
    waited: float | None = None
    throttled: float | None = None


@dataclass(frozen=True)
class Moment:
    """What was read at once.

    :param at: Seconds since 1970-01-01 UTC. :param clock: Seconds of a clock that nobody sets.
    :param processes: By the listener's name.
    """

    at: float
    clock: float
    cores: tuple[CoreTimes, ...]
    processes: Mapping[str, ProcessTimes]


def parse_core_times(text: str) -> tuple[CoreTimes, ...]:
    """The cores in ``/proc/stat``."""
    found = []
    for line in text.splitlines():
        name, *values = line.split() or [""]
        if _CORE.fullmatch(name) and len(values) > _STEAL and all(value.isdecimal() for value in values):
            ticks = [int(value) for value in values]
            busy = ticks[_USER] + ticks[_NICE] + ticks[_SYSTEM] + ticks[_IRQ] + ticks[_SOFTIRQ]
            found.append(CoreTimes(busy, ticks[_IDLE] + ticks[_IOWAIT], ticks[_STEAL], ticks[_SOFTIRQ]))
    return tuple(found)


def parse_process_seconds(text: str, *, ticks_per_second: int) -> float | None:
    """Seconds of CPU in ``/proc/PID/stat``."""
    fields = text.rpartition(")")[2].split()
    used = fields[_USER_TICKS : _SYSTEM_TICKS + 1]
    return sum(map(int, used)) / ticks_per_second if len(used) == 2 and all(map(str.isdecimal, used)) else None


def parse_start_ticks(text: str) -> int | None:
    """When a process was started, in ticks since the machine was: with the number it names a process for good."""
    fields = text.rpartition(")")[2].split()
    return int(fields[_START_TICKS]) if len(fields) > _START_TICKS and fields[_START_TICKS].isdecimal() else None


def parse_schedstat(text: str) -> tuple[float, float] | None:
    """Seconds that a process ran, and that it waited for a core, in ``/proc/PID/schedstat``."""
    fields = text.split()
    if len(fields) < 2 or not all(field.isdecimal() for field in fields[:2]):
        return None
    return int(fields[0]) / NANOSECONDS, int(fields[1]) / NANOSECONDS


def parse_quota(text: str) -> float | None:
    """The cores that a control group may use, in ``cpu.max``; ``None`` without a limit."""
    fields = text.split()
    if len(fields) != 2 or not all(field.isdecimal() for field in fields) or int(fields[1]) == 0:
        return None
    return int(fields[0]) / int(fields[1])


def parse_throttled(text: str) -> float | None:
    """Seconds that a control group was kept from running, in ``cpu.stat``."""
    found = re.search(r"^throttled_usec (\d{1,19})$", text, re.MULTILINE)
    return None if found is None else int(found.group(1)) / MICROSECONDS


def parse_pressure(text: str) -> float | None:
    """The share of the last ten seconds in which something waited for a core, in ``/proc/pressure/cpu``."""
    found = re.search(r"^some avg10=(\d{1,3}(?:\.\d{1,4})?)", text, re.MULTILINE)
    return None if found is None else float(found.group(1)) / 100


def find_control_group(text: str) -> str:
    """The path of a process in version 2 of control groups, in ``/proc/PID/cgroup``; empty without one."""
    found = re.search(r"^0::(/\S*)$", text, re.MULTILINE)
    return "" if found is None or ".." in found.group(1) else found.group(1)


def compare_moments(before: Moment, after: Moment) -> tuple[Sample, ...]:
    """What was used between two moments: by the machine, then by each process that was there at both."""
    seconds = after.clock - before.clock
    if seconds <= 0:
        return ()
    found = []
    busiest = _busiest_core(before.cores, after.cores)
    if busiest is not None:
        found.append(replace(busiest, at=after.at, seconds=seconds))
    for name, process in after.processes.items():
        earlier = before.processes.get(name)
        if earlier is not None and process.used >= earlier.used:
            found.append(_process_sample(name, earlier, process, at=after.at, seconds=seconds))
    return tuple(found)


def _busiest_core(before: Iterable[CoreTimes], after: Iterable[CoreTimes]) -> Sample | None:
    """The core with the least time left: its share of work, and what of it went to others and to packets."""
    shares = []
    for first, last in zip(before, after):
        total = last.total - first.total
        if total > 0:
            taken = (last.busy - first.busy, last.steal - first.steal, last.softirq - first.softirq)
            shares.append(tuple(max(0.0, one / total) for one in taken))
    if not shares:
        return None
    busy, steal, softirq = max(shares, key=lambda share: share[0] + share[1])
    return Sample(0.0, 0.0, "", round(busy, 4), steal=round(steal, 4), softirq=round(softirq, 4))


def _process_sample(name: str, before: ProcessTimes, after: ProcessTimes, *, at: float, seconds: float) -> Sample:
    def share(first: float | None, last: float | None) -> float | None:
        return None if first is None or last is None else round(min(1.0, max(0.0, (last - first) / seconds)), 4)

    return Sample(
        at, seconds, name, round((after.used - before.used) / seconds, 4),
        waiting=share(before.waited, after.waited), throttled=share(before.throttled, after.throttled),
    )  # fmt: skip


def parse_machine(cpuinfo: str, meminfo: str) -> Machine:
    """Cores, model, clock and memory, from ``/proc/cpuinfo`` and ``/proc/meminfo``."""
    fields: dict[str, list[str]] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), []).append(value.strip())
    speeds = [float(one) for one in fields.get("cpu MHz", ()) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", one)]
    # ARM calls them features, and the model by a number.
    flags = " ".join((*fields.get("flags", ())[:1], *fields.get("Features", ())[:1])).split()
    memory = re.search(r"^MemTotal:\s+(\d{1,15}) kB$", meminfo, re.MULTILINE)
    return Machine(
        cores=max(1, len(fields.get("processor", ()))),
        model=(fields.get("model name") or fields.get("CPU part") or [""])[0],
        megahertz=max(speeds) if speeds else None,
        has_aes="aes" in flags if flags else None,
        memory=None if memory is None else int(memory.group(1)) * 1024,
    )


def judge_cloud(firmware: Mapping[str, str]) -> tuple[str, str]:
    """Whose machine it is, and of which type where the firmware tells that, too; both may be empty.

    :param firmware: What ``/sys/class/dmi/id`` holds, by the file's name.
    """
    said = " ".join(firmware.values()).lower()
    cloud = next((name for mark, name in _CLOUDS if mark in said), "")
    product = firmware.get("product_name", "").strip()
    return cloud, product if cloud == AWS and re.fullmatch(r"[a-z0-9-]{1,20}\.[a-z0-9-]{1,20}", product) else ""


def is_burstable(instance_type: str) -> bool:
    """Whether machines of a type have a share of a core and credits for more."""
    return _BURSTABLE.match(instance_type) is not None
