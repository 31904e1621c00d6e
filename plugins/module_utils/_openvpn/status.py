# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an OpenVPN server says about its sessions and itself, as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

# What the server shows for a session whose certificate it does not know: one still in its handshake, or one
# whose renegotiation was refused and that lives on its old key.
UNNAMED = "UNDEF"
_COLUMNS = {
    "common_name": "Common Name",
    "real_address": "Real Address",
    "virtual_address": "Virtual Address",
    "virtual_address6": "Virtual IPv6 Address",
    "bytes_received": "Bytes Received",
    "bytes_sent": "Bytes Sent",
    "connected_since": "Connected Since (time_t)",
    "username": "Username",
    "client_id": "Client ID",
}
_NUMBERS = ("bytes_received", "bytes_sent", "connected_since", "client_id")
_PROTOCOL_PREFIXES = ("udp4:", "udp6:", "tcp4-server:", "tcp6-server:", "tcp4:", "tcp6:", "udp:", "tcp:")
_PID = re.compile(r"SUCCESS: pid=(\d+)")
_LOAD = re.compile(r"SUCCESS: nclients=(\d+),bytesin=(\d+),bytesout=(\d+)")
_VERSION = re.compile(r"OpenVPN Version: OpenVPN (\S+)")
_CONNECTED = "CONNECTED"
_OFFLOAD = "[DCO]"


class StatusError(CollectionError):
    """The answer of a server is not a status that we can read."""


@dataclass(frozen=True)
class Session:
    """One client of one server process.

    :param client_id: Counted up by the process; never used twice while it lives.
    :param real_address: ``ADDRESS:PORT`` as the server sees the client.
    :param bytes_received: By the server, since the session began; ``bytes_sent`` likewise.
    :param connected_since: Seconds since 1970-01-01 UTC.
    """

    listener: str
    common_name: str
    client_id: int
    real_address: str
    virtual_address: str = ""
    virtual_address6: str = ""
    bytes_received: int = 0
    bytes_sent: int = 0
    connected_since: int = 0
    username: str = ""

    @property
    def named(self) -> bool:
        """Whether the server knows whose session this is."""
        return self.common_name != UNNAMED

    @property
    def established(self) -> bool:
        """Whether it has an address in the tunnel, and so carries data."""
        return bool(self.virtual_address or self.virtual_address6)

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from every other session, even after the process was restarted."""
        return self.listener, self.client_id, self.real_address

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class ServerFacts:
    """What a server process says of itself.

    :param connected_since: When it was ready for clients, seconds since 1970-01-01 UTC, or ``None`` while it is not.
    :param offload: Whether the program was built with data channel offload.
    :param bytes_received: From all clients since the process was started; ``bytes_sent`` likewise.
    """

    pid: int
    version: str
    connected_since: int | None = None
    offload: bool = False
    bytes_received: int = 0
    bytes_sent: int = 0


def parse_facts(*, listener: str, pid: str, load: str, state: Sequence[str], version: Sequence[str]) -> ServerFacts:
    """The answers to ``pid``, ``load-stats``, ``state`` and ``version``.

    :raises StatusError: one of them is not what OpenVPN answers.
    """
    number, carried = _PID.match(pid), _LOAD.match(load)
    named = next(filter(None, map(_VERSION.match, version)), None)
    if number is None or carried is None or named is None:
        raise StatusError(f"The listener '{listener}' does not tell its process, its load or its version.")
    moments = [line.split(",") for line in state]
    since = [int(one[0]) for one in moments if one[1:2] == [_CONNECTED] and one[0].isdigit()]
    return ServerFacts(
        pid=int(number.group(1)),
        version=named.group(1),
        connected_since=since[-1] if since else None,
        offload=any(_OFFLOAD in line for line in version),
        bytes_received=int(carried.group(2)),
        bytes_sent=int(carried.group(3)),
    )


def parse_status(lines: Iterable[str], *, listener: str) -> tuple[Session, ...]:
    """The sessions in an answer to ``status 3`` (tab-separated, columns named by a header line).

    :raises StatusError: if there is no header for the list of clients, or a row does not fit it.
    """
    columns: list[str] = []
    sessions = []
    for line in lines:
        kind, *fields = line.rstrip("\r\n").split("\t")
        if kind == "HEADER" and fields[:1] == ["CLIENT_LIST"]:
            columns = fields[1:]
            _require_columns(columns, listener=listener)
        elif kind == "CLIENT_LIST":
            sessions.append(_session(dict(zip(columns, fields)), listener=listener, line=line))
    if not columns:
        raise StatusError(f"The listener '{listener}' answered without a list of clients.")
    return tuple(sessions)


def _require_columns(columns: list[str], *, listener: str) -> None:
    missing = [name for name in _COLUMNS.values() if name not in columns]
    if missing:
        raise StatusError(f"The status of the listener '{listener}' has no column '{missing[0]}'.")


def _session(row: Mapping[str, str], *, listener: str, line: str) -> Session:
    try:
        values: dict[str, Any] = {key: row[column] for key, column in _COLUMNS.items()}
        values.update({key: int(values[key]) for key in _NUMBERS})
    except (KeyError, ValueError) as error:
        raise StatusError(f"A line of the status of '{listener}' cannot be read: '{shown(line)}'.") from error
    if values["username"] == UNNAMED:
        values["username"] = ""
    values["real_address"] = _without_protocol(values["real_address"])
    return Session(listener=listener, **values)


def _without_protocol(address: str) -> str:
    for prefix in _PROTOCOL_PREFIXES:
        if address.startswith(prefix):
            return address[len(prefix) :]
    return address
