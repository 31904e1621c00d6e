# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to name servers from this host, each with a deadline."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Protocol

TLS_SECONDS = 5


class Asked(Protocol):
    """A question as it is sent, and what a packet says to it: empty for one that is no answer."""

    @property
    def packet(self) -> bytes: ...

    def outcome(self, packet: bytes) -> str: ...


def ask_server(address: str, *, port: int = 53, question: Asked, timeout_seconds: float) -> str:
    """Ask one name server over UDP, again every second until it answers.

    :returns: The outcome, ``no answer``, or why the question could not even be asked.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    deadline = time.monotonic() + timeout_seconds
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, port))
            while time.monotonic() < deadline:
                outcome = _ask_once(asking, question, min(1.0, deadline - time.monotonic()))
                if outcome:
                    return outcome
    except OSError as error:
        return str(error.strerror or error)
    return "no answer"


def ask_servers(servers: Iterable[tuple[object, int]], *, question: Asked, timeout_seconds: float) -> dict[str, str]:
    """Ask each of some name servers, an address and a port, and return the outcomes by ``ADDRESS#PORT``."""
    return {
        f"{address}#{port}": ask_server(str(address), port=port, question=question, timeout_seconds=timeout_seconds)
        for address, port in servers
    }


def _ask_once(asking: socket.socket, question: Asked, seconds: float) -> str:
    until = time.monotonic() + seconds
    try:
        asking.send(question.packet)
        while (left := until - time.monotonic()) > 0:
            asking.settimeout(left)
            outcome = question.outcome(asking.recv(65535))
            if outcome:
                return outcome
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        # Nobody listens there, or not yet.
        time.sleep(max(0.0, min(0.2, until - time.monotonic())))
    return ""


def greet_over_tls(address: str, *, port: int, name: str, ca_file: str) -> str:
    """Open a TLS connection that has to be with somebody of this name.

    :returns: Empty if it is, else what is wrong.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with socket.create_connection((address, port), timeout=TLS_SECONDS) as plain:
            context.wrap_socket(plain, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        return str(error.strerror or error)
    return ""


def greet_servers(servers: Iterable[Mapping[str, str]], *, port: int, ca_file: str) -> dict[str, str]:
    """Greet each of some name servers, ``address`` and ``name``, and return ``NOERROR`` or what is wrong by address."""
    return {
        one["address"]: greet_over_tls(one["address"], port=port, name=one["name"], ca_file=ca_file) or "NOERROR"
        for one in servers
    }
