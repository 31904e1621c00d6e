# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is fit to become a gateway: what it says of itself, judged.

What is not known is a warning, never a fault: a host that hides something may be fit all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OK, WARNING, FAILED = "ok", "warning", "failed"
PORTS, NAMES, TIME, KERNEL, PACKAGES, SYSTEM = "ports", "dns", "time", "kernel", "packages", "system"
AREAS = (SYSTEM, TIME, NAMES, PACKAGES, KERNEL, PORTS)

SUPPORTED = {"debian": ("12", "13")}
LEAST_PYTHON = (3, 9)
_MEBIBYTE = 1 << 20
# An idle client takes 0.19 MB; Debian itself, apt and the agent want the rest.
LEAST_MEMORY, EASY_MEMORY = 256 * _MEBIBYTE, 480 * _MEBIBYTE
LEAST_DISK, EASY_DISK = 400 * _MEBIBYTE, 1024 * _MEBIBYTE
# A CRL that is "from the future" refuses everybody, and codes of a second factor live 30 s.
CLOCK_WARNING_SECONDS, CLOCK_FAILED_SECONDS = 2.0, 30.0
LEAST_VERSIONS = {"openvpn": (2, 6)}
_PLACES = "/etc/apt/sources.list and /etc/apt/sources.list.d"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    :param area: One of ``AREAS``. :param subject: What, in a word or two.
    :param cause: What was found, in a sentence. :param remedy: What mends it; empty where nothing has to be mended.
    """

    area: str
    subject: str
    state: str
    cause: str
    remedy: str = ""


def judge_host(host: Mapping[str, Any]) -> tuple[Check, ...]:
    """Everything but the ports.

    :param host: What ``_agent.preflight_look`` gives; a part that is missing was not looked at.
    """
    parts = {
        "system": judge_system, "clock": judge_clock, "dns": judge_names, "packages": judge_packages,
        "kernel": judge_kernel,
    }  # fmt: skip
    return tuple(check for name, judge in parts.items() if host.get(name) for check in judge(host[name]))


def judge_system(found: Mapping[str, Any]) -> Iterator[Check]:
    """The distribution, its service manager, Python, memory and disk."""
    name = found.get("name") or "An unknown system"
    if found.get("version") in SUPPORTED.get(str(found.get("id")), ()):
        yield Check(SYSTEM, "release", OK, f"{name} is supported.")
    else:
        yield Check(SYSTEM, "release", FAILED, f"{name} is not supported.", "Use Debian 12 or 13.")
    if not found.get("systemd"):
        remedy = "Use a machine or a container that boots with systemd."
        yield Check(SYSTEM, "services", FAILED, "systemd does not run here.", remedy)
    python = tuple(found.get("python") or (0, 0))
    text = ".".join(map(str, python))
    if python >= LEAST_PYTHON:
        yield Check(SYSTEM, "python", OK, f"Python {text}.")
    else:
        remedy = "Set ansible_python_interpreter to Python 3.9 or newer."
        yield Check(SYSTEM, "python", FAILED, f"Python {text} is too old for Ansible and this collection.", remedy)
    yield _size("memory", found.get("memory"), LEAST_MEMORY, EASY_MEMORY, "Give the machine more memory, or swap.")
    for place, free in sorted((found.get("disk") or {}).items()):
        yield _size(
            f"disk {place}", free, LEAST_DISK, EASY_DISK, f"Free space on {place} (apt-get clean), or add some."
        )


def _size(subject: str, size: Any, least: int, easy: int, remedy: str) -> Check:
    if not isinstance(size, (int, float)):
        return Check(SYSTEM, subject, WARNING, "It cannot be read.", "Look by hand: free, df.")
    text = f"{size / _MEBIBYTE:.0f} MiB"
    if size < least:
        return Check(SYSTEM, subject, FAILED, f"{text}; {least // _MEBIBYTE} are needed.", remedy)
    if size < easy:
        return Check(SYSTEM, subject, WARNING, f"{text} is little; {easy // _MEBIBYTE} are comfortable.", remedy)
    return Check(SYSTEM, subject, OK, f"{text}.")


def judge_clock(found: Mapping[str, Any]) -> Iterator[Check]:
    """The clock against the controller's, which was read before and after it, and whether something keeps it right."""
    least, most = _offset(found)
    apart = 0.0 if least <= 0 <= most else min(abs(least), abs(most))
    remedy = "Have both synchronised: apt install systemd-timesyncd; timedatectl set-ntp true."
    if apart > CLOCK_WARNING_SECONDS:
        state = FAILED if apart > CLOCK_FAILED_SECONDS else WARNING
        direction = "ahead of" if least > 0 else "behind"
        cause = f"The clock is at least {apart:.0f} s {direction} the controller's."
        yield Check(TIME, "clock", state, cause, remedy)
    else:
        yield Check(TIME, "clock", OK, f"It agrees with the controller's (to {max(abs(least), abs(most)):.1f} s).")
    if found.get("synchronised") is True:
        yield Check(TIME, "synchronised", OK, "The kernel says that its clock is kept right.")
    elif found.get("synchronised") is False:
        yield Check(TIME, "synchronised", WARNING, "Nothing keeps the clock right.", remedy)
    else:
        cause = "Whether something keeps the clock right cannot be told."
        yield Check(TIME, "synchronised", WARNING, cause, "Look by hand: timedatectl, or at the host of a container.")


def _offset(found: Mapping[str, Any]) -> tuple[float, float]:
    """Between which bounds the host's clock is ahead: it was read after the controller's, and again before it."""
    first, last = found["now"], found.get("left", found["now"])
    return last - found.get("answered_at", last), first - found.get("asked_at", first)


def judge_names(found: Mapping[str, Any]) -> Iterator[Check]:
    """The resolvers of the host, names that it has to find, and the servers of the zone for its own name."""
    servers: Mapping[str, str] = found.get("servers") or {}
    dead = [one for one, outcome in sorted(servers.items()) if outcome not in ("NOERROR", "NXDOMAIN")]
    told = ", ".join(f"{one} ({servers[one]})" for one in dead)
    remedy = (
        "Set name servers that answer, in /etc/resolv.conf or where DHCP gives them; outgoing port 53 must be open."
    )
    if not servers:
        yield Check(NAMES, "resolvers", FAILED, "/etc/resolv.conf names no server.", remedy)
    elif dead:
        state = FAILED if len(dead) == len(servers) else WARNING
        yield Check(NAMES, "resolvers", state, f"No use: {told}.", remedy)
    else:
        yield Check(NAMES, "resolvers", OK, f"{', '.join(sorted(servers))} answer.")
    for name, problem in sorted((found.get("names") or {}).items()):
        if problem:
            yield Check(NAMES, name, FAILED, f"It cannot be resolved: {problem}.", remedy)
        else:
            yield Check(NAMES, name, OK, "It can be resolved.")
    if found.get("zone"):
        yield _zone(found["zone"])


def _zone(found: Mapping[str, Any]) -> Check:
    subject = f"zone {found['name']}"
    servers: Mapping[str, str] = found.get("servers") or {}
    bad = [f"{one} ({outcome})" for one, outcome in sorted(servers.items()) if outcome != "NOERROR"]
    if not servers:
        cause = f"Nobody says which servers it has: {found.get('problem') or 'no answer'}."
        return Check(
            NAMES, subject, FAILED, cause, "Check dns_zone, and that the zone above it delegates to its servers."
        )
    if bad:
        state = FAILED if len(bad) == len(servers) else WARNING
        remedy = "Check that these servers run and hold the zone, and that outgoing port 53 is open."
        return Check(NAMES, subject, state, f"Without an answer for the zone: {', '.join(bad)}.", remedy)
    return Check(NAMES, subject, OK, f"{', '.join(sorted(servers))} answer.")


def judge_packages(found: Mapping[str, Any]) -> Iterator[Check]:
    """Where packages come from, and whether they are new enough."""
    candidates: Mapping[str, str] = found.get("candidates") or {}
    installed: Mapping[str, str] = found.get("installed") or {}
    missing = sorted(name for name in found.get("wanted") or () if not installed.get(name))
    # Where everything is there already, nothing has to be fetched.
    grave = FAILED if missing else WARNING
    sources = found.get("sources") or ()
    for one in sources:
        if one.get("problem"):
            cause = f"It does not answer: {one['problem']}."
            yield Check(
                PACKAGES, one["url"], grave, cause, f"Open outgoing HTTP and HTTPS, set apt's proxy, or mend {_PLACES}."
            )
    if not sources:
        yield Check(PACKAGES, "sources", grave, "apt has no source.", f"Add Debian's own to {_PLACES}.")
    elif not any(one.get("problem") for one in sources):
        yield Check(PACKAGES, "sources", OK, f"{_count(len(sources), 'source')} of apt answer.")
    for name in found.get("wanted") or ():
        yield _package(name, installed.get(name, ""), candidates.get(name, ""))


def _package(name: str, installed: str, candidate: str) -> Check:
    version = installed or candidate
    if not version:
        cause = "apt knows no version of it."
        return Check(
            PACKAGES, name, WARNING, cause, "Run 'apt-get update' there, and look again; site does so by itself."
        )
    least = LEAST_VERSIONS.get(name, (0, 0))
    state = "is installed" if installed else "would be installed"
    if parse_debian_version(version) < least:
        needed = ".".join(map(str, least))
        return Check(
            PACKAGES,
            name,
            FAILED,
            f"{version} {state}; {needed} is needed.",
            "Use Debian 12 or 13 and its own packages.",
        )
    return Check(PACKAGES, name, OK, f"{version} {state}.")


def parse_debian_version(text: str) -> tuple[int, int]:
    """The first two numbers of a version of a package, without its epoch."""
    numbers = re.match(r"(?:\d+:)?(\d+)(?:\.(\d+))?", text)
    return (int(numbers.group(1)), int(numbers.group(2) or 0)) if numbers else (0, 0)


def judge_kernel(found: Mapping[str, Any]) -> Iterator[Check]:
    """Tunnel device, firewall, forwarding, and data channel offload."""
    container = "in a container, start it with '--device /dev/net/tun'"
    yield _feature("tun", found["tun"], "Tunnels can be made.", f"Load the kernel module 'tun'; {container}.")
    remedy = "Load the kernel module 'nf_tables'; in a container its host has to, and to allow CAP_NET_ADMIN."
    yield _feature("nftables", found["nftables"], "The kernel knows nftables.", remedy)
    remedy = "/proc/sys must be writable: in a container, start it with '--sysctl net.ipv4.ip_forward=1' or privileged."
    yield _feature("forwarding", found["forwarding"], "Forwarding can be switched on.", remedy)
    yield _offload(found.get("offload_modules") or (), found.get("openvpn") or "")


def _feature(subject: str, problem: str, good: str, remedy: str) -> Check:
    return Check(KERNEL, subject, FAILED, f"{problem}.", remedy) if problem else Check(KERNEL, subject, OK, good)


def _offload(modules: Sequence[str], version: str) -> Check:
    needed = "ovpn" if parse_debian_version(version) >= (2, 7) else "ovpn-dco-v2"
    if needed in modules:
        return Check(KERNEL, "offload", OK, f"The kernel has {needed}: it can carry the data itself (DCO).")
    slower = "OpenVPN carries the data itself, about 0.4 of the line where the processor is the limit"
    hint = "apt install openvpn-dco-dkms" if needed == "ovpn-dco-v2" else "a kernel from 6.16 on has it"
    # Not having it is the common case, and the gateway works.
    return Check(KERNEL, "offload", OK, f"The kernel has no {needed} (DCO): {slower}; {hint}.")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
