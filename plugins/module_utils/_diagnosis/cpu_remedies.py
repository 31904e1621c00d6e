# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do where the processor is the limit."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import Remedy
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Gateway, Listener
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import unit_of

# Options of a listener that only its own entry in openvpn_listeners could have brought, and that cannot be read back.
_NOT_READ_BACK = ("server-ipv6", "ifconfig-ipv6", "ifconfig-ipv6-pool")
_LONGEST_NAME = 8
_SEVERAL = 2


def remedies(
    gateway: Gateway, by_reason: Mapping[str, Sequence[Listener]], *, wanted: int, rate: float, stolen: bool
) -> tuple[Remedy, ...]:
    """The remedies for each of the reasons.

    :param by_reason: The processes that ``quota``, ``others`` or ``core`` holds back.
    :param wanted: How many processes would fill the path. :param rate: What one process brings now, 0 if unknown.
    :param stolen: Whether the hypervisor takes the time.
    """
    found = [_lift_quota(one) for one in by_reason.get("quota", ())]
    if "others" in by_reason:
        text = "Let OpenVPN run before the other programs of this host, or move those elsewhere."
        found.append(Remedy(text, "openvpn_realtime_scheduling", value=True))
    if by_reason.get("core"):
        found.extend(_more_processes(gateway, by_reason["core"], (wanted, rate)))
    if stolen:
        found.append(Remedy(_other_machine(gateway)))
    return tuple(found)


def _lift_quota(listener: Listener) -> Remedy:
    unit = unit_of(listener)
    return Remedy(
        f"Take the quota of '{listener.name}' away, on the gateway. Where that changes nothing, the container or the"
        " slice around it has the limit.",
        command=f"systemctl set-property {unit} CPUQuota=",
    )


def _more_processes(gateway: Gateway, busy: Sequence[Listener], figures: tuple[int, float]) -> Iterator[Remedy]:
    cores, (wanted, rate) = gateway.machine.cores, figures
    if cores < _SEVERAL:
        yield Remedy(
            f"This {_kind(gateway)} has one core. Take one with {wanted} cores and a process for each"
            f"{_brings(rate, wanted)}, or one with a faster core, or spread the users over more gateways."
        )
        return
    text = (
        f"Run one process for each of the {cores} cores: two processes carry about twice as much{_brings(rate, cores)}."
        " This restarts the listeners, and gives their clients other addresses in the tunnel. One user alone is still"
        " served by one core: only a faster one helps there."
    )
    listeners = _listeners_per_core(gateway, {one.name for one in busy})
    if listeners is not None:
        yield Remedy(text, "openvpn_listeners", listeners)
    else:
        yield Remedy(f"{text} Set 'per_core: true' at the listener in openvpn_listeners, unless it is there already.")
    if wanted > cores:
        yield Remedy(
            f"To fill this path it takes about {wanted} cores like these, and this {_kind(gateway)} has {cores}:"
            f" take a type with more of them or with faster ones{_brings(rate, wanted)}, or more gateways."
        )


def _kind(gateway: Gateway) -> str:
    return gateway.machine.instance_type or "machine"


def _brings(rate: float, processes: int) -> str:
    """What all users together would have, by what one process brings."""
    return f" (about {wording.rate(rate * processes)} for all users together)" if rate > 0 else ""


def _listeners_per_core(gateway: Gateway, busy: AbstractSet[str]) -> list[dict[str, Any]] | None:
    """The whole list with the busy ones spread, or nothing where it cannot be told from what the processes say."""
    found = []
    for one in gateway.listeners:
        network = _network(one.options.get("server", ""))
        # A process of a spread listener has a name such as udp-1, and only a part of the network.
        unclear = network is None or "-" in one.name or any(name in one.options for name in _NOT_READ_BACK)
        if unclear or (one.name in busy and len(one.name) > _LONGEST_NAME):
            return None
        entry: dict[str, Any] = {"name": one.name, "protocol": one.transport, "port": one.port, "network": network}
        if one.options.get("local"):
            entry["address"] = one.options["local"]
        if one.options.get("port-share"):
            entry["port_share"] = ":".join(one.options["port-share"].split()[:2])
        found.append({**entry, "per_core": True} if one.name in busy else entry)
    return found if len({entry["name"] for entry in found}) == len(gateway.listeners) else None


def _network(option: str) -> str | None:
    try:
        address, mask = option.split()[:2]
        return str(ipaddress.IPv4Network(f"{address}/{mask}"))
    except ValueError:
        return None


def _other_machine(gateway: Gateway) -> str:
    machine = gateway.machine
    if machine.burstable:
        kind = f"'{machine.instance_type}'" if machine.instance_type else "This kind of instance"
        return (
            f"{kind} lives on credits. Take an instance type of a family without credits, or switch the unlimited mode"
            " on at the provider, who charges for it."
        )
    return "Ask the provider for a machine whose cores are not shared, or move the gateway to another host."
