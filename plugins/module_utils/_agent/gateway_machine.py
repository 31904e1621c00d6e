# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's hardware, kernel and clock, as far as they can be read; nothing here fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import read_text
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.clock_readings import judge_clock
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Clock, Machine
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.processor_readings import (
    AWS,
    AZURE,
    GOOGLE,
    is_burstable,
    judge_cloud,
    parse_machine,
    parse_pressure,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import ask_http

PROC = Path("/proc")
FIRMWARE = Path("/sys/class/dmi/id")
FIRMWARE_FILES = ("sys_vendor", "product_name", "bios_vendor", "bios_version", "board_vendor", "chassis_asset_tag")
SYSCTL = (
    "net.core.rmem_max", "net.core.wmem_max", "net.core.rmem_default", "net.core.wmem_default",
    "net.core.netdev_max_backlog", "net.core.netdev_budget", "net.core.default_qdisc", "net.core.somaxconn",
    "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter", "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_mem", "net.ipv4.udp_mem",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_window_scaling", "net.ipv4.tcp_sack",
    "net.ipv4.tcp_timestamps", "net.ipv4.tcp_moderate_rcvbuf", "net.ipv4.tcp_mtu_probing",
    "net.ipv4.ip_no_pmtu_disc", "net.ipv4.udp_rmem_min", "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_count",
)  # fmt: skip
METADATA = "http://169.254.169.254"
METADATA_SECONDS, PATIENCE_SECONDS = 1.0, 5.0
_LONGEST = 16384
_OK = 200


def look_at_machine(*, metadata: str = METADATA) -> tuple[Machine, tuple[str, ...]]:
    """The hardware, and what is not known of it, a sentence each.

    :param metadata: Where a cloud tells of its machines; asked only where the firmware says that this is one.
    """
    machine = parse_machine(read_text(PROC / "cpuinfo"), read_text(PROC / "meminfo"))
    machine = replace(machine, pressure=parse_pressure(read_text(PROC / "pressure/cpu")))
    firmware = {name: read_text(FIRMWARE / name).strip() for name in FIRMWARE_FILES}
    cloud, kind = judge_cloud(firmware)
    unknown: tuple[str, ...] = ()
    if cloud and not kind:
        kind, problem = ask_instance_type(cloud, metadata=metadata)
        unknown = (f"Which type of machine of {cloud} this is: {problem}.",) if problem else ()
    return replace(machine, cloud=cloud, instance_type=kind, burstable=is_burstable(kind)), unknown


def ask_instance_type(cloud: str, *, metadata: str = METADATA) -> tuple[str, str]:
    """What the metadata service of a cloud says, and why it says nothing; both empty where there is none to ask."""
    try:
        if cloud == AWS:
            token = _ask("PUT", f"{metadata}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
            return _ask("GET", f"{metadata}/latest/meta-data/instance-type", {"X-aws-ec2-metadata-token": token}), ""
        if cloud == GOOGLE:
            path = f"{metadata}/computeMetadata/v1/instance/machine-type"
            return _ask("GET", path, {"Metadata-Flavor": "Google"}).rpartition("/")[2], ""
        if cloud == AZURE:
            path = f"{metadata}/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text"
            return _ask("GET", path, {"Metadata": "true"}), ""
    except CollectionError as error:
        return "", f"its metadata service says: {error}"
    return "", ""


def read_sysctl() -> dict[str, str]:
    """The kernel's settings that matter to a VPN, by name; those that this kernel has not are left out."""
    found = {name: read_text(PROC / "sys" / name.replace(".", "/")) for name in SYSCTL}
    return {name: " ".join(text.split()) for name, text in found.items() if text}


def look_at_clock() -> tuple[Clock, tuple[str, ...]]:
    """Whether the clock is right, and what is not known of that."""
    clock = judge_clock(
        chrony=_said("chronyc", "-n", "-c", "tracking"),
        timedatectl=_said("timedatectl", "show"),
        timesync=_said("timedatectl", "timesync-status"),
    )
    if clock.synchronised is None:
        return clock, ("Whether the clock is right: neither chrony nor systemd says so.",)
    return clock, ()


def _said(*argv: str) -> str:
    """What a program printed, or nothing where it is not there or failed."""
    try:
        done = run_command(argv, timeout_seconds=PATIENCE_SECONDS, check=False, environment={"LC_ALL": "C"})
    except CollectionError:
        return ""
    return done.output if done.status == 0 else ""


def _ask(method: str, url: str, headers: Mapping[str, str]) -> str:
    status, body = ask_http(method, url, seconds=METADATA_SECONDS, headers=headers, longest=_LONGEST)
    text = body.strip()
    if status != _OK or not text or not text.isascii() or not text.isprintable():
        raise CollectionError(f"its status is {status}")
    return text
