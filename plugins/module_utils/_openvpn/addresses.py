# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static addresses: who has one keeps it, who needs one gets the same on every gateway as far as that is possible."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process


def allocate_addresses(
    names: Sequence[str],
    *,
    process: Process,
    chosen: Mapping[str, ipaddress.IPv4Address],
    kept: Mapping[str, ipaddress.IPv4Address],
) -> dict[str, ipaddress.IPv4Address]:
    """The static address of each device on one process.

    :param names: Common names of the devices that need one.
    :param chosen: By the administrator, checked; they win.
    :param kept: What the files in place say; kept where it is still static and nobody has chosen it.
    :raises InputError: if there are more devices than static addresses.
    """
    found = {name: chosen[name] for name in names if name in chosen}
    taken = set(found.values())
    for name in names:
        address = kept.get(name)
        if name not in found and address is not None and address not in taken and process.is_static(address):
            found[name] = address
            taken.add(address)
    for name in sorted(set(names) - set(found)):
        found[name] = _first_free(name, process, taken, needed=len(names))
        taken.add(found[name])
    return found


def _first_free(
    name: str, process: Process, taken: set[ipaddress.IPv4Address], *, needed: int
) -> ipaddress.IPv4Address:
    first, size = (process.static_range or (process.network[0],))[0], process.reserved
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    for step in range(size):
        address = first + (start + step) % size
        if address not in taken:
            return address
    raise InputError(
        f"The process '{process.name}' keeps {size} static addresses of {process.network}; {needed} are needed.",
        remedy=f"Raise 'reserved' of the listener '{process.listener}', or give it a wider network.",
    )
