# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network interfaces of this host: their addresses and routes, and a look-out for when they change."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command

SECONDS = 5
# From linux/rtnetlink.h.
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
_BUFFER_BYTES = 65536


def show_addresses() -> list[dict[str, Any]]:
    """What ``ip -json address show`` says.

    :raises CommandError: it says nothing.
    """
    return _show("address", "show")


def show_default_routes(family: int) -> list[dict[str, Any]]:
    """What ``ip -json route show default`` says of a family.

    :raises CommandError: it says nothing.
    """
    return _show(f"-{family}", "route", "show", "default")


def watch_addresses(quiet_seconds: float) -> Iterator[None]:
    """Wait for address changes: an item once some have come and none followed for a while, or they do not end.

    The socket is open before the first item is asked for, so nothing is missed in between.

    :raises CollectionError: the kernel does not tell.
    """
    try:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        listener.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        listener.settimeout(0)
    except OSError as error:
        raise CollectionError(f"The kernel does not tell of address changes: {error.strerror}.") from error
    return _changes(listener, quiet_seconds)


def _changes(listener: socket.socket, quiet_seconds: float) -> Iterator[None]:
    with listener:
        while True:
            select.select([listener], [], [])
            _drain(listener)
            for _round in range(10):
                if not select.select([listener], [], [], quiet_seconds)[0]:
                    break
                _drain(listener)
            yield


def _drain(listener: socket.socket) -> None:
    """Take what has come.

    What it says is read from the interfaces themselves, so messages that were lost are no loss (ENOBUFS).
    """
    with suppress(OSError):
        while listener.recv(_BUFFER_BYTES):
            pass


def _show(*words: str) -> list[dict[str, Any]]:
    shown = run_command(("ip", "-json", *words), timeout_seconds=SECONDS).output
    try:
        found: list[dict[str, Any]] = json.loads(shown or "[]")
    except ValueError as error:
        raise CommandError(f"'ip {' '.join(words)}' did not answer in JSON.") from error
    # It prints an empty object for what it leaves out.
    return [one for one in found if one]
