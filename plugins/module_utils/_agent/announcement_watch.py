# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that starts a unit whenever an address of this host has changed: ``announcement_watch UNIT``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.interfaces import (
    InterfaceAddress,
    parse_interfaces,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.address_watch import (
    show_addresses,
    watch_addresses,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command

# An address comes with its prefix route, its neighbours and, in IPv6, a check for duplicates.
QUIET_SECONDS = 1.0
START_SECONDS = 30
_UNIT = re.compile(r"[A-Za-z0-9:_.@-]{1,250}")


def main(arguments: Sequence[str]) -> int:
    """Watch until somebody ends it; returns the exit status of a watch that could not go on."""
    if len(arguments) != 1 or not _UNIT.fullmatch(arguments[0]):
        sys.stderr.write("usage: announcement_watch UNIT\n")
        return 2
    try:
        for news in changes(watch_addresses(QUIET_SECONDS), lambda: parse_interfaces(show_addresses())):
            sys.stderr.write(f"{news}\n")
            # Restarted, not started: a look that has begun before the change has seen the old address.
            run_command(("systemctl", "restart", "--no-block", "--", arguments[0]), timeout_seconds=START_SECONDS)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")
    return 1


def changes(waiting: Iterator[None], look: Callable[[], frozenset[InterfaceAddress]]) -> Iterator[str]:
    """A line for each change that is one: the kernel also tells when a lease or an announcement was only renewed."""
    present = look()
    for _event in waiting:
        after = look()
        if after != present:
            gone = sorted({f"-{one.address}" for one in present - after})
            come = sorted({f"+{one.address}" for one in after - present})
            present = after
            yield f"addresses have changed: {' '.join(gone + come)}"
