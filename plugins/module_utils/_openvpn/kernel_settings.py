# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway asks of the kernel, each with its reason, and what of it has still to be done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_path_buffer
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    parse_boolean,
    parse_scalar,
    parse_whole_number,
)

FORWARD4, FORWARD6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
RECEIVE_LIMIT, SEND_LIMIT = "net.core.rmem_max", "net.core.wmem_max"
CONGESTION_CONTROL, BACKLOG = "net.ipv4.tcp_congestion_control", "net.core.netdev_max_backlog"
_OWN = frozenset((FORWARD4, FORWARD6, RECEIVE_LIMIT, SEND_LIMIT, CONGESTION_CONTROL, BACKLOG))
_KEYS = frozenset(
    (
        "forward_ipv6", "receive_buffer_limit_bytes", "send_buffer_limit_bytes", "congestion_control",
        "netdev_backlog", "socket_buffer_bytes", "measured_path", "extra",
    )
)  # fmt: skip
_LARGEST = (1 << 31) - 1
_NAME = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_@:-]+(/[0-9]+)?)+")
_VALUE = re.compile(r"[A-Za-z0-9_.,:/+-]+( [A-Za-z0-9_.,:/+-]+)*")
_ALGORITHM = re.compile(r"[a-z0-9_-]{0,15}")
_LINE = re.compile(r"\s*-?([a-z0-9_./@:A-Z-]+)\s*=\s*(.*?)\s*")


@dataclass(frozen=True)
class KernelSetting:
    """One line of a ``sysctl.d`` drop-in.

    :param at_least: Whether a greater value that the kernel already has is as good.
    """

    name: str
    value: str
    reason: str
    at_least: bool = False


@dataclass(frozen=True)
class KernelPlan:
    """What is to be written, and what is to be done now.

    :param wanted: The lines of the drop-in.
    :param assignments: ``NAME=VALUE`` of what the kernel does otherwise at the moment.
    :param missing: Names that this kernel, or this network namespace, does not have.
    :param kept: Names whose greater value in the kernel stays.
    """

    wanted: tuple[KernelSetting, ...]
    assignments: tuple[str, ...]
    missing: tuple[str, ...]
    kept: tuple[str, ...]


def parse_kernel_settings(raw: Mapping[str, Any]) -> tuple[KernelSetting, ...]:
    """What an administrator wants of the kernel, checked.

    :param raw: ``forward_ipv6``, ``receive_buffer_limit_bytes``, ``send_buffer_limit_bytes``, ``congestion_control``,
        ``netdev_backlog``, ``extra``; and ``socket_buffer_bytes`` and ``measured_path``, which raise the limits.
    :raises InputError: for an unknown key, a bad value, and an extra setting that has a variable of its own.
    """
    unknown = sorted(map(str, set(raw) - _KEYS))
    if unknown:
        raise InputError(f"Unknown kernel setting: {', '.join(map(shown, unknown))}.")
    found = [KernelSetting(FORWARD4, "1", "A gateway forwards what comes out of its tunnels.")]
    if parse_boolean(raw.get("forward_ipv6", False), what="forward_ipv6"):
        found.append(KernelSetting(FORWARD6, "1", "IPv6 comes out of its tunnels, too."))
    buffer = max(_number(raw, "socket_buffer_bytes"), parse_path_buffer(raw.get("measured_path") or {}))
    for key, name in (("receive_buffer_limit_bytes", RECEIVE_LIMIT), ("send_buffer_limit_bytes", SEND_LIMIT)):
        if limit := max(_number(raw, key), buffer):
            reason = "The kernel's own limit silently clamps the buffer that a socket asks for."
            found.append(KernelSetting(name, str(limit), reason, at_least=True))
    if algorithm := parse_congestion_control(raw.get("congestion_control", "")):
        found.append(KernelSetting(CONGESTION_CONTROL, algorithm, "For the gateway's own TCP sockets, as asked for."))
    if backlog := _number(raw, "netdev_backlog"):
        found.append(KernelSetting(BACKLOG, str(backlog), "Packets of a card that wait for one core, as asked for."))
    return (*found, *(_extra(name, value) for name, value in (raw.get("extra") or {}).items()))


def parse_congestion_control(value: Any) -> str:
    """The name of a TCP congestion control, or nothing.

    :raises InputError: for what cannot be one.
    """
    text = parse_scalar(value, what="congestion_control")
    if not _ALGORITHM.fullmatch(text):
        raise InputError(f"congestion_control is not the name of an algorithm: '{shown(text)}'.")
    return text


def parse_assignments(text: str) -> dict[str, str]:
    """The settings in the output of ``sysctl``, or in a drop-in; white space within a value is one blank."""
    found = {}
    for line in text.splitlines():
        match = None if line.lstrip().startswith(("#", ";")) else _LINE.fullmatch(line)
        if match:
            found[match.group(1)] = " ".join(match.group(2).split())
    return found


def plan_kernel_settings(
    wanted: tuple[KernelSetting, ...], *, current: Mapping[str, str], written: Mapping[str, str]
) -> KernelPlan:
    """Compare what is wanted with what the kernel does.

    :param current: From the output of ``sysctl``; a name that is not there, the kernel does not have.
    :param written: From our own drop-in: a value that is greater because we made it so may be lowered.
    """
    kept = tuple(
        one.name
        for one in wanted
        if one.at_least
        and int(current.get(one.name, "0")) > int(one.value)
        and current[one.name] != written.get(one.name)
    )
    lines = tuple(one for one in wanted if one.name not in kept)
    return KernelPlan(
        wanted=lines,
        assignments=tuple(
            f"{one.name}={one.value}" for one in lines if one.name in current and current[one.name] != one.value
        ),
        missing=tuple(one.name for one in lines if one.name not in current),
        kept=kept,
    )


def _number(raw: Mapping[str, Any], key: str) -> int:
    return parse_whole_number(raw.get(key, 0), what=key, least=0, most=_LARGEST)


def _extra(name: Any, value: Any) -> KernelSetting:
    key = parse_scalar(name, what="The name of a kernel setting")
    if not _NAME.fullmatch(key):
        raise InputError(f"'{shown(key)}' is not the name of a kernel setting.", remedy="Write it like vm.swappiness.")
    if key in _OWN:
        raise InputError(f"The kernel setting {key} has a variable of its own.", remedy="Use that one.")
    text = parse_scalar(value, what=f"The kernel setting {key}")
    if not _VALUE.fullmatch(text):
        raise InputError(f"The value of the kernel setting {key} is not plain words: '{shown(text)}'.")
    return KernelSetting(key, text, "As asked for.")
