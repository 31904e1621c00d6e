# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the policy of a gateway means for each device that the authority knows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.addresses import allocate_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import refuse_unknown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import (
    Group,
    Policy,
    UserEntry,
    parse_user_name,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.pushes import PushPolicy
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import Network, parse_boolean

_DEVICE_KEYS = frozenset(("common_name", "user", "device", "disabled"))

# Addresses by common name, by process.
Addresses = Mapping[str, Mapping[str, ipaddress.IPv4Address]]


@dataclass(frozen=True)
class Device:
    """A device that holds a certificate.

    :param disabled: Whether it is refused for the time being.
    """

    user: str
    device: str
    disabled: bool = False

    @property
    def common_name(self) -> str:
        """The common name of its certificate, which is also the name of its file."""
        return f"{self.user}@{self.device}"


@dataclass(frozen=True)
class Client:
    """A device, and what the policy says about it.

    :param group: ``None`` where there are no groups.
    :param addresses: Its static addresses, by process; empty for a device that takes what comes.
    :param behind: The networks behind it, by process.
    :param special: Whether it is told something else than everybody.
    """

    device: Device
    group: Group | None
    pushes: PushPolicy
    addresses: Mapping[str, ipaddress.IPv4Address]
    behind: Mapping[str, tuple[Network, ...]]
    special: bool

    @property
    def common_name(self) -> str:
        """The common name of its certificate."""
        return self.device.common_name


def parse_devices(raw: Iterable[Any]) -> tuple[Device, ...]:
    """Check the devices as the authority handed them over.

    :param raw: Dictionaries with ``common_name``, ``user``, ``device`` and ``disabled``.
    :raises InputError: for a name that could not be that of a file, or a device that is listed twice.
    """
    found: dict[str, Device] = {}
    for one in raw:
        if not isinstance(one, Mapping):
            raise InputError("A device is not a dictionary with user and device.")
        refuse_unknown(one, known=_DEVICE_KEYS, what="A device")
        device = Device(
            parse_user_name(one.get("user", ""), what="The user of a device"),
            parse_user_name(one.get("device", ""), what="The name of a device"),
            parse_boolean(one.get("disabled") or False, what="Of a device, disabled"),
        )
        if one.get("common_name", device.common_name) != device.common_name:
            raise InputError(f"The common name of the device '{device.common_name}' is another.")
        if device.common_name in found:
            raise InputError(f"The device '{device.common_name}' is listed twice.")
        found[device.common_name] = device
    return tuple(found.values())


def plan_clients(policy: Policy, devices: Sequence[Device], *, kept: Addresses) -> tuple[Client, ...]:
    """What each device is told, and which addresses it has.

    :param kept: The static addresses that devices have now, by process.
    :raises InputError: if a process has too few static addresses.
    """
    entries = {(entry.user, entry.device): entry for entry in policy.entries}
    found = [(device, _entries_of(device, entries)) for device in devices]
    groups = {device.common_name: _group_of(of, policy) for device, of in found}
    addresses = {
        process.name: allocate_addresses(
            [device.common_name for device, of in found if _is_static(groups[device.common_name], of, process.name)],
            process=process,
            chosen={device.common_name: one.addresses[process.name] for device, of in found for one in of
                    if process.name in one.addresses},
            kept=kept.get(process.name, {}),
        )
        for process in policy.processes
    }  # fmt: skip
    return tuple(_client(device, of, groups[device.common_name], policy, addresses) for device, of in found)


def unknown_users(policy: Policy, devices: Sequence[Device]) -> list[str]:
    """Entries of the policy for users or devices that the authority does not know, or not any more."""
    known = {(one.user, one.device) for one in devices} | {(one.user, None) for one in devices}
    return sorted(entry.label for entry in policy.entries if (entry.user, entry.device) not in known)


def _entries_of(device: Device, entries: Mapping[tuple[str, str | None], UserEntry]) -> tuple[UserEntry, ...]:
    """What is said about all devices of the user, then what is said about this one."""
    return tuple(entries[key] for key in ((device.user, None), (device.user, device.device)) if key in entries)


def _group_of(entries: Sequence[UserEntry], policy: Policy) -> Group | None:
    names = [entry.group for entry in entries if entry.group is not None]
    return next((group for group in policy.groups if names and group.name == names[-1]), policy.default_group)


def _is_static(group: Group | None, entries: Sequence[UserEntry], process: str) -> bool:
    """The firewall tells members of a group by their addresses; those of the default group need none."""
    return (group is not None and not group.default) or any(process in entry.addresses for entry in entries)


def _client(
    device: Device, entries: Sequence[UserEntry], group: Group | None, policy: Policy, addresses: Addresses
) -> Client:
    name = device.common_name
    own = {process: found[name] for process, found in addresses.items() if name in found}
    everybody = policy.pushes if policy.default_group is None else policy.default_group.pushes
    pushes = policy.pushes if group is None else group.pushes
    for entry in entries:
        pushes = pushes.extended(entry.routes, entry.options)
    behind = {process: networks for entry in entries for process, networks in entry.behind.items()}
    return Client(
        device,
        group,
        pushes,
        own,
        behind,
        special=bool(own or behind or (pushes is not everybody and pushes != everybody)),
    )
