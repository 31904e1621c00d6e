# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the ports of a gateway, from outside, for the answer that only its listener can give."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.preflight_listener import (
    MARK_BYTES,
    answer_of,
    request_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import (
    REFUSED,
    SILENT,
    UNREACHABLE,
    Attempt,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.name_lookup import find_address

MOST_AT_ONCE = 16
_UDP_AGAIN_SECONDS = 0.4


def ask_ports(
    ports: Sequence[Mapping[str, Any]], *, probe: str, address: str, token: str, seconds: float
) -> list[Attempt]:
    """Ask every port at the same time.

    :param address: Of the gateway, or its name. :param token: Of the gateway's listeners.
    :param seconds: For which an answer is waited for.
    :raises StateError: the name has no address.
    """
    place = find_address(address)
    mark = secrets.token_hex(MARK_BYTES // 2)
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        asked = [
            pool.submit(_ask, one["protocol"], int(one["port"]), place, Asker(probe, mark, token, seconds))
            for one in ports
        ]
        return [one.result() for one in asked]


class Asker:
    """Who asks, with what, and how long."""

    def __init__(self, probe: str, mark: str, token: str, seconds: float) -> None:
        self.probe, self.mark, self.seconds = probe, mark, seconds
        self.request, self.answer = request_of(token, mark), answer_of(token, mark)

    def over_udp(self, place: str, port: int) -> dict[str, Any]:
        """Several times, since one datagram may get lost."""
        began = time.monotonic()
        with socket.socket(_family(place), socket.SOCK_DGRAM) as asking:
            asking.connect((place, port))
            own = asking.getsockname()[0]
            while time.monotonic() - began < self.seconds:
                asking.send(self.request)
                if self._hear(asking, min(_UDP_AGAIN_SECONDS, self.seconds)):
                    return {"answered": True, "own_address": own, "seconds": time.monotonic() - began}
        return {"answered": False, "outcome": SILENT, "own_address": own}

    def over_tcp(self, place: str, port: int) -> dict[str, Any]:
        """Connect and ask once."""
        began = time.monotonic()
        with socket.create_connection((place, port), timeout=self.seconds) as asking:
            own = asking.getsockname()[0]
            try:
                asking.sendall(self.request)
                if self._hear(asking, self.seconds):
                    took = time.monotonic() - began
                    return {"answered": True, "connected": True, "own_address": own, "seconds": took}
            except OSError:
                pass
        return {
            "answered": False,
            "connected": True,
            "outcome": SILENT,
            "own_address": own,
            "detail": "connected, no answer",
        }

    def _hear(self, asking: socket.socket, seconds: float) -> bool:
        """Whether the answer comes in time; what else may come does not make us ask sooner."""
        until = time.monotonic() + seconds
        while True:
            asking.settimeout(max(0.001, until - time.monotonic()))
            try:
                said = asking.recv(2048)
            except socket.timeout:
                return False
            if self.answer in said:
                return True
            has_ended = asking.type == socket.SOCK_STREAM and not said
            if has_ended or time.monotonic() >= until:
                return False


def _ask(protocol: str, port: int, place: str, asker: Asker) -> Attempt:
    over: dict[str, Any] = {"connected": None if protocol == "udp" else False, "answered": False}
    try:
        over.update(asker.over_udp(place, port) if protocol == "udp" else asker.over_tcp(place, port))
    except ConnectionRefusedError:
        over.update(outcome=REFUSED, detail="refused")
    except socket.timeout:
        over.update(outcome=SILENT, detail=f"no answer in {asker.seconds:g} s")
    except PermissionError:
        over.update(outcome=UNREACHABLE, detail="the probe's own firewall forbids it")
    except OSError as error:
        over.update(outcome=UNREACHABLE, detail=error.strerror or str(error))
    over.setdefault("own_address", _own_address(place))
    return Attempt(probe=asker.probe, mark=asker.mark, protocol=protocol, port=port, **over)


def _own_address(place: str) -> str:
    """From which address this host would ask, without asking."""
    try:
        with socket.socket(_family(place), socket.SOCK_DGRAM) as asking:
            asking.connect((place, 9))
            return str(asking.getsockname()[0])
    except OSError:
        return ""


def _family(place: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in place else socket.AF_INET
