# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients' files: one folder a process, ``DEFAULT`` for everybody, a file for who is told something else.

OpenVPN reads the file that is named like the common name at each connection, and ``DEFAULT`` where there is none. One
that it cannot read counts as none: owner and mode therefore matter as much as the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.clients import Client
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import Policy
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.push_options import LONGEST_LINE
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.pushes import PushPolicy, render_pushes
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import Network

MARKER = "# Managed by Ansible (privatespace.gateway.openvpn): what is changed here by hand will be overwritten."
DEFAULT = "DEFAULT"
_GROUP = re.compile(r"^# Group: (\S+)$", re.MULTILINE)
# In the file of a disabled device it is a comment: the device finds its address again when it is enabled.
_ADDRESS = re.compile(r"^(?:# )?ifconfig-push (\S+) ", re.MULTILINE)
_DISABLED = re.compile(r"^disable$", re.MULTILINE)
_ROUTED = re.compile(r"^iroute(?:-ipv6)? (.+)$", re.MULTILINE)
_PUSHED = re.compile(r'^push "(.*)"$', re.MULTILINE)

# Texts by name of the file, by process.
Files = dict[str, dict[str, str]]


def render_files(policy: Policy, clients: Sequence[Client], *, known_only: bool) -> Files:
    """Every file that is wanted.

    :param known_only: Whether devices without a file are refused, so that each needs one. ``DEFAULT`` is not read then.
    """
    return {
        process.name: _render_folder(process, policy, clients, known_only=known_only) for process in policy.processes
    }


def parse_file(text: str) -> dict[str, Any]:
    """What a client's file says, as facts for a diff."""
    return {
        "group": _first(_GROUP, text),
        "address": _first(_ADDRESS, text),
        "disabled": _DISABLED.search(text) is not None,
        "networks_behind": _ROUTED.findall(text),
        "pushed": _PUSHED.findall(text),
    }


def parse_address(text: str) -> ipaddress.IPv4Address | None:
    """The static address that a file gives, or keeps for a disabled device."""
    found = _first(_ADDRESS, text)
    try:
        return None if found is None else ipaddress.IPv4Address(found)
    except ValueError:
        return None


def is_disabled(text: str) -> bool:
    """Whether a file refuses its device."""
    return _DISABLED.search(text) is not None


def devices_in_place(files: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The devices that the files in place speak of, as the authority would hand them over."""
    found: dict[str, bool] = {}
    for folder in files.values():
        for name, text in folder.items():
            if name.count("@") == 1 and not name.startswith("."):
                found[name] = found.get(name, False) or is_disabled(text)
    return [
        {"user": name.split("@")[0], "device": name.split("@")[1], "disabled": disabled}
        for name, disabled in sorted(found.items())
    ]


def describe_changes(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[str]:
    """What becomes of one device, in words.

    :param before: The text of its file, by process; ``None`` where there is none.
    :param after: The same once the files are as wanted.
    """
    said: dict[str, None] = {}
    is_told = False
    for process, text in after.items():
        old = before.get(process)
        was, will = parse_file(old or ""), parse_file(text or "")
        if was["disabled"] != will["disabled"]:
            said["is disabled" if will["disabled"] else "is enabled"] = None
        if was["group"] != will["group"]:
            said[f"moves to the group {will['group'] or 'of everybody'}"] = None
        if was["address"] != will["address"]:
            said[f"gets {will['address'] or 'any address'} on {process}"] = None
        if old is not None and not was["disabled"] and not will["disabled"]:
            is_told = is_told or any(was[key] != will[key] for key in ("pushed", "networks_behind"))
    if is_told:
        said["is told other routes or options"] = None
    return list(said) or ["gets its file, whole and readable"]


def _render_folder(process: Process, policy: Policy, clients: Sequence[Client], *, known_only: bool) -> dict[str, str]:
    carries_ipv6 = process.network6 is not None
    own = [address for address in (process.server_address, process.server_address6) if address is not None]
    group = policy.default_group
    # By identity: most clients share the very object of their group, and comparing routes takes longer than rendering.
    rendered: dict[int, list[str]] = {}

    def pushed(pushes: PushPolicy) -> list[str]:
        if id(pushes) not in rendered:
            lines = render_pushes(pushes, carries_ipv6=carries_ipv6, own=own)
            rendered[id(pushes)] = [_readable(line) for line in lines]
        return rendered[id(pushes)]

    everybody = pushed(policy.pushes if group is None else group.pushes)
    files = {DEFAULT: _text([*_heading(None if group is None else group.name), *everybody])}
    for client in clients:
        if client.device.disabled or client.special or known_only:
            files[client.common_name] = _text(_client_lines(client, process, pushed(client.pushes)))
    return files


def _client_lines(client: Client, process: Process, pushes: Iterable[str]) -> list[str]:
    heading = _heading(None if client.group is None else client.group.name)
    address = client.addresses.get(process.name)
    static = [] if address is None else _static(address, process)
    if client.device.disabled:
        return [*heading, *(f"# {line}" for line in static), "disable"]
    return [*heading, *static, *map(_internal_route, client.behind.get(process.name, ())), *pushes]


def _heading(group: str | None) -> list[str]:
    return [MARKER] if group is None else [MARKER, f"# Group: {group}"]


def _static(address: ipaddress.IPv4Address, process: Process) -> list[str]:
    lines = [f"ifconfig-push {address} {process.network.netmask}"]
    address6 = process.address6_of(address)
    if address6 is not None and process.network6 is not None:
        lines.append(f"ifconfig-ipv6-push {address6}/{process.network6.prefixlen} {process.server_address6}")
    return lines


def _internal_route(network: Network) -> str:
    if isinstance(network, ipaddress.IPv6Network):
        return f"iroute-ipv6 {network}"
    return f"iroute {network.network_address} {network.netmask}"


def _readable(line: str) -> str:
    if len(line) > LONGEST_LINE:
        raise InputError(f"OpenVPN reads lines of {LONGEST_LINE} characters, not of {len(line)}: '{shown(line)}'.")
    return line


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return None if found is None else found.group(1)
