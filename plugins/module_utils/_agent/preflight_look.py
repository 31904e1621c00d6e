# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host that is to become a gateway says of itself, read without changing anything."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_packages import look_at_packages
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.zone_questions import (
    NS,
    SOA,
    ZoneQuestion,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages import Question
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.links import kernel_modules
from ansible_collections.privatespace.gateway.plugins.module_utils._host.resolver_query import ask_server, ask_servers

_ANSWER_SECONDS = 3.0
_OFFLOAD_MODULES = "ovpn"
_FORWARDING = "/proc/sys/net/ipv4/ip_forward"
# <linux/if_tun.h>: TUNSETIFF, IFF_TUN | IFF_NO_PI.
_TUNSETIFF, _TUN_FLAGS = 0x400454CA, 0x1001
# <linux/netfilter/nfnetlink.h>: ask nf_tables for its generation.
_NETLINK_NETFILTER, _GET_GENERATION, _NLMSG_ERROR, _NLM_F_REQUEST = 12, (10 << 8) | 16, 2, 1


def look_at_host(
    *,
    names: Sequence[str],
    zone: str,
    zone_servers: Sequence[str],
    packages: Sequence[str],
    trying: bool,
    asked_at: float,
) -> dict[str, Any]:
    """Everything but the ports, in the form that ``_diagnosis.preflight.judge_host`` takes.

    :param names: To be resolved. :param zone: Of the gateways' names, empty for none.
    :param zone_servers: Of the zone, where they are given. :param packages: That the roles install.
    :param trying: Whether a tunnel device may be made, for the moment. :param asked_at: The controller's clock.
    """
    clock: dict[str, Any] = {"asked_at": asked_at, "now": time.time(), "synchronised": _synchronised()}
    packages_found = look_at_packages(packages)
    dns = look_at_names(names, zone=zone, zone_servers=zone_servers)
    return {
        "clock": {**clock, "left": time.time()} if asked_at else {},
        "system": look_at_system(),
        "dns": dns,
        "packages": packages_found,
        "kernel": {
            "tun": try_tun(making=trying),
            "nftables": try_nftables(),
            "forwarding": try_writing(_FORWARDING),
            "offload_modules": sorted(kernel_modules(_OFFLOAD_MODULES)),
            "openvpn": packages_found["installed"].get("openvpn") or packages_found["candidates"].get("openvpn", ""),
        },
    }


def look_at_system(*, root: Path = Path("/")) -> dict[str, Any]:
    """The release, systemd, Python, memory with swap, free disk space."""
    release = {
        key: value.strip().strip("\"'")
        for key, _equals, value in (line.partition("=") for line in _text(root / "etc/os-release").splitlines())
    }
    memory = dict(line.split()[:2] for line in _text(root / "proc/meminfo").splitlines() if len(line.split()) > 1)
    sizes = [memory.get(key, "") for key in ("MemTotal:", "SwapTotal:")]
    return {
        "id": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "name": release.get("PRETTY_NAME", ""),
        "systemd": (root / "run/systemd/system").is_dir(),
        "python": list(sys.version_info[:3]),
        "memory": sum(int(one) * 1024 for one in sizes if one.isdigit()) if sizes[0].isdigit() else None,
        "disk": {place: _free(root / place.lstrip("/")) for place in ("/", "/var")},
    }


def _free(place: Path) -> int | None:
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _synchronised() -> bool | None:
    try:
        shown = run_command(("timedatectl", "show", "--property=NTPSynchronized", "--value"), timeout_seconds=10).output
    except CollectionError:
        return None
    return {"yes": True, "no": False}.get(shown.strip())


def look_at_names(names: Sequence[str], *, zone: str, zone_servers: Sequence[str]) -> dict[str, Any]:
    """What the resolvers answer, whether names are found, and whether each server of the zone holds it."""
    listed = [line.split() for line in _text(Path("/etc/resolv.conf")).splitlines()]
    resolvers = [words[1].partition("%")[0] for words in listed if len(words) > 1 and words[0] == "nameserver"]
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = [pool.submit(_ask_one, one) for one in resolvers]
        found = list(pool.map(_resolve, names))
        zone_found = _look_at_zone(zone, resolvers, zone_servers) if zone else {}
        servers = {one: done.result() for one, done in zip(resolvers, asked)}
    return {"servers": servers, "names": dict(zip(names, found)), "zone": zone_found}


def _ask_one(resolver: str) -> str:
    return ask_server(resolver, question=Question("."), timeout_seconds=_ANSWER_SECONDS)


def _resolve(name: str) -> str:
    """Empty if the name has an address, else why not."""
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""


def _look_at_zone(zone: str, resolvers: Sequence[str], given: Sequence[str]) -> dict[str, Any]:
    problem = ""
    servers = list(given)
    for resolver in () if servers else resolvers:
        answer = ask_server(resolver, question=ZoneQuestion(zone, NS), timeout_seconds=_ANSWER_SECONDS)
        if "." in answer:
            servers = answer.split()
            break
        problem = f"{resolver} says {answer}"
    places = {one: _address_of(one) for one in servers}
    outcomes = {one: "its name has no address" for one, place in places.items() if not place}
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = {one: pool.submit(_ask_zone, zone, place) for one, place in places.items() if place}
        outcomes.update({one: done.result() for one, done in asked.items()})
    return {"name": zone, "servers": outcomes, "problem": problem}


def _ask_zone(zone: str, place: tuple[str, int]) -> str:
    asked = ask_servers([place], question=ZoneQuestion(zone, SOA), timeout_seconds=_ANSWER_SECONDS)
    return next(iter(asked.values()))


def _address_of(server: str) -> tuple[str, int] | None:
    try:
        return str(socket.getaddrinfo(server, 53, type=socket.SOCK_DGRAM)[0][4][0]), 53
    except (OSError, UnicodeError):
        return None


def try_tun(*, making: bool, path: str = "/dev/net/tun") -> str:
    """Empty if a tunnel device can be made, else why not. It is gone with the end of this call."""
    try:
        device = os.open(path, os.O_RDWR)
    except OSError as error:
        return f"{path} cannot be opened: {error.strerror}"
    try:
        if making:
            fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"psgate%d", _TUN_FLAGS))
    except OSError as error:
        return f"No tunnel device can be made: {error.strerror}"
    finally:
        os.close(device)
    return ""


def try_nftables() -> str:
    """Empty if the kernel answers for nf_tables, else why not; no program has to be installed for that."""
    question = struct.pack("=IHHII", 20, _GET_GENERATION, _NLM_F_REQUEST, 1, 0) + struct.pack("=BBH", 0, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
            netlink.settimeout(_ANSWER_SECONDS)
            netlink.send(question)
            answer = netlink.recv(4096)
    except OSError as error:
        return f"The kernel does not answer for nftables: {error.strerror or error}"
    if struct.unpack("=H", answer[4:6])[0] == _NLMSG_ERROR:
        number = -struct.unpack("=i", answer[16:20])[0]
        return f"The kernel has no nftables, or hides it: {os.strerror(number)}"
    return ""


def try_writing(path: str) -> str:
    """Empty if the file could be written; nothing is written."""
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""
