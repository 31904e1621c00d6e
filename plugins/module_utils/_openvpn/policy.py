# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups, and what is special about single users: parsed, and found fit for the processes of the gateway."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listeners import refuse_unknown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.pushes import (
    PushPolicy,
    parse_push_options,
    parse_push_policy,
    parse_routes,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Network,
    parse_boolean,
    parse_network,
    parse_scalar,
)

_GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_USER_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,62}")
_GROUP_PUSHES = ("full_tunnel", "push_routes", "push_options", "dns_servers", "dns_domains")
_GROUP_KEYS = frozenset(("name", "default", "networks", "reach_members", *_GROUP_PUSHES))
_GATEWAY_PUSHES = frozenset((*_GROUP_PUSHES, "block_local"))
_USER_KEYS = frozenset(("name", "device", "group", "addresses", "push_routes", "push_options", "networks_behind"))


@dataclass(frozen=True)
class Group:
    """Users with the same rights.

    :param default: Whether the devices of no other group belong to this one.
    :param networks: What members reach behind the gateway; ``None`` for everything.
    :param reach_members: Whether members reach each other.
    """

    name: str
    pushes: PushPolicy
    default: bool = False
    networks: tuple[Network, ...] | None = None
    reach_members: bool = False


@dataclass(frozen=True)
class UserEntry:
    """What is special about a user, or about one device of the user.

    :param device: ``None`` for all devices.
    :param addresses: Static addresses that the administrator chose, by process.
    :param behind: Networks that lie behind the device, by the process through which they are reached.
    """

    user: str
    device: str | None = None
    group: str | None = None
    addresses: Mapping[str, ipaddress.IPv4Address] = field(default_factory=dict)
    routes: tuple[Network, ...] = ()
    options: tuple[str, ...] = ()
    behind: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How the entry is called in messages: ``alice`` or ``alice@laptop``."""
        return self.user if self.device is None else f"{self.user}@{self.device}"


@dataclass(frozen=True)
class Policy:
    """All that an administrator decided about the clients of a gateway.

    :param pushes: What everybody is told who belongs to no group.
    :param groups: Empty, or with exactly one default.
    """

    processes: tuple[Process, ...]
    pushes: PushPolicy
    groups: tuple[Group, ...] = ()
    entries: tuple[UserEntry, ...] = ()

    @property
    def default_group(self) -> Group | None:
        """The group of everybody who is in no other."""
        return next((group for group in self.groups if group.default), None)

    def client_networks(self) -> dict[str, tuple[Network, ...]]:
        """The networks behind devices, by process; the server routes them into its tunnel."""
        return {
            process.name: tuple(network for entry in self.entries for network in entry.behind.get(process.name, ()))
            for process in self.processes
        }


def parse_policy(raw: Mapping[str, Any], *, processes: Sequence[Process]) -> Policy:
    """Check what an administrator wrote about the clients.

    :param raw: ``settings`` (what is pushed to everybody), ``groups`` and ``users``.
    :raises InputError: naming the group or the user, and what is wrong.
    """
    settings = raw.get("settings") or {}
    refuse_unknown(settings, known=_GATEWAY_PUSHES, what="The settings")
    pushes = parse_push_policy(settings, base=PushPolicy(), what="The gateway")
    groups = tuple(_parse_group(one, base=pushes) for one in raw.get("groups") or ())
    _refuse_twice((group.name for group in groups), what="The group")
    _require_one_default(groups)
    names = {group.name for group in groups}
    entries = tuple(_parse_entry(one, processes=processes, groups=names) for one in raw.get("users") or ())
    _refuse_twice((entry.label for entry in entries), what="The user")
    _refuse_shared_addresses(entries)
    _refuse_overlaps(entries, processes)
    return Policy(tuple(processes), pushes, groups, entries)


def parse_user_name(value: Any, *, what: str) -> str:
    """The name of a user or of a device.

    :raises InputError: for one that cannot be part of a common name.
    """
    text = parse_scalar(value, what=what)
    if not _USER_NAME.fullmatch(text):
        raise InputError(
            f"{what} is no name: '{shown(text)}'.",
            remedy="Use 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit and without '..'.",
        )
    return text


def parse_group_name(value: Any) -> str:
    """The name of a group.

    :raises InputError: for one that no group can have.
    """
    name = parse_scalar(value, what="The name of a group")
    if not _GROUP_NAME.fullmatch(name):
        raise InputError(
            f"The name of a group is '{shown(name)}'.",
            remedy="Use at most 32 of a-z, 0-9 and -, beginning with a letter or a digit.",
        )
    return name


def _parse_group(raw: Any, *, base: PushPolicy) -> Group:
    if not isinstance(raw, Mapping):
        raise InputError("A group is not a dictionary with a name.")
    refuse_unknown(raw, known=_GROUP_KEYS, what="A group")
    name = parse_group_name(raw.get("name", ""))
    what = f"Group '{name}'"
    networks = raw.get("networks")
    return Group(
        name=name,
        pushes=parse_push_policy({key: raw.get(key) for key in _GROUP_PUSHES}, base=base, what=what),
        default=parse_boolean(raw.get("default") or False, what=f"{what}: default"),
        networks=None
        if networks is None
        else tuple(dict.fromkeys(parse_network(str(one), what=f"{what}: a network") for one in networks)),
        reach_members=parse_boolean(raw.get("reach_members") or False, what=f"{what}: reach_members"),
    )


def _require_one_default(groups: Sequence[Group]) -> None:
    defaults = [group.name for group in groups if group.default]
    if groups and len(defaults) != 1:
        raise InputError(
            f"{len(defaults)} groups have 'default: true'" + (f": {', '.join(defaults)}." if defaults else "."),
            remedy="Exactly one must, so that it is said what devices of no group reach.",
        )


def _parse_entry(raw: Any, *, processes: Sequence[Process], groups: set[str]) -> UserEntry:
    if not isinstance(raw, Mapping):
        raise InputError("A user is not a dictionary with a name.")
    refuse_unknown(raw, known=_USER_KEYS, what="A user")
    user = parse_user_name(raw.get("name", ""), what="The name of a user")
    device = raw.get("device")
    if device is not None:
        device = parse_user_name(device, what=f"User '{user}': device")
    what = f"User '{user}'" if device is None else f"Device '{user}@{device}'"
    group = raw.get("group")
    if group is not None and group not in groups:
        raise InputError(
            f"{what}: there is no group '{shown(str(group))}'.",
            remedy=f"Groups: {', '.join(sorted(groups)) or 'none'}.",
        )
    for key in ("addresses", "networks_behind"):
        if raw.get(key) and device is None:
            raise InputError(f"{what}: {key} belong to one device.", remedy="Name the device.")
    addresses = _parse_addresses(raw.get("addresses") or {}, processes=processes, what=what)
    return UserEntry(
        user=user,
        device=device,
        group=group,
        addresses=addresses,
        routes=parse_routes(raw.get("push_routes") or (), what=what),
        options=parse_push_options(raw.get("push_options") or (), what=what),
        behind=_parse_behind(raw.get("networks_behind") or (), addresses=addresses, processes=processes, what=what),
    )


def _parse_addresses(
    raw: Mapping[str, Any], *, processes: Sequence[Process], what: str
) -> dict[str, ipaddress.IPv4Address]:
    found = {}
    for listener, value in raw.items():
        process = _only_process(listener, processes, what=what)
        text = parse_scalar(value, what=f"{what}: the address on '{process.name}'")
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError as error:
            raise InputError(f"{what}: '{shown(text)}' is not an IPv4 address.") from error
        if not process.is_static(address):
            kept = process.static_range
            raise InputError(
                f"{what}: {address} is not a static address of '{process.name}'.",
                remedy=f"Those are {kept[0]} to {kept[1]}." if kept else "It reserves none: raise its 'reserved'.",
            )
        found[process.name] = address
    return found


def _only_process(listener: Any, processes: Sequence[Process], *, what: str) -> Process:
    found = [process for process in processes if process.listener == listener]
    if not found:
        known = ", ".join(dict.fromkeys(process.listener for process in processes))
        raise InputError(f"{what}: there is no listener '{shown(str(listener))}'.", remedy=f"Listeners: {known}.")
    if len(found) > 1:
        raise InputError(
            f"{what}: '{listener}' runs {len(found)} processes, and nobody knows which of them the device meets.",
            remedy="Name a listener without per_core.",
        )
    return found[0]


def _parse_behind(
    raw: Sequence[Any], *, addresses: Mapping[str, Any], processes: Sequence[Process], what: str
) -> dict[str, tuple[Network, ...]]:
    """A network is routed into one tunnel: that of the device's static address, else the first that is one process."""
    if not raw:
        return {}
    networks = tuple(dict.fromkeys(parse_network(str(one), what=f"{what}: a network behind it") for one in raw))
    single = [one for one in processes if sum(other.listener == one.listener for other in processes) == 1]
    chosen = [one for one in single if one.name in addresses] or single
    if not chosen:
        raise InputError(f"{what}: networks_behind need a listener without per_core.")
    for network in networks:
        if network.version == 6 and chosen[0].network6 is None:
            raise InputError(f"{what}: {network} lies behind it, but the tunnel of '{chosen[0].name}' carries no IPv6.")
        if network.prefixlen == 0:
            raise InputError(f"{what}: everything cannot lie behind it: {network}.")
    return {chosen[0].name: networks}


def _refuse_twice(values: Iterable[str], *, what: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InputError(f"{what} '{value}' is listed twice.")
        seen.add(value)


def _refuse_shared_addresses(entries: Sequence[UserEntry]) -> None:
    owners: dict[ipaddress.IPv4Address, str] = {}
    for entry in entries:
        for address in entry.addresses.values():
            owner = owners.setdefault(address, entry.label)
            if owner != entry.label:
                raise InputError(f"{owner} and {entry.label} are both given {address}.")


def _refuse_overlaps(entries: Sequence[UserEntry], processes: Sequence[Process]) -> None:
    taken: list[tuple[str, Network]] = [(f"the tunnel of '{one.name}'", one.network) for one in processes]
    taken += [(f"the tunnel of '{one.name}'", one.network6) for one in processes if one.network6 is not None]
    for entry in entries:
        for networks in entry.behind.values():
            for network in networks:
                for what, other in taken:
                    if network.version == other.version and network.overlaps(other):
                        raise InputError(f"{network}, behind {entry.label}, overlaps {other}: {what}.")
                taken.append((f"behind {entry.label}", network))
