# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all OpenVPN processes of a gateway share, as values that have been checked.

Only what is structural is here: a change of it needs a restart. What clients are told lies in their files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Network,
    parse_boolean,
    parse_choice,
    parse_network,
    parse_path,
    parse_scalar,
    parse_version,
    parse_whole_number,
)

COMPRESSIONS = ("none", "stub", "lz4-v2", "lzo")
REVOCATIONS = ("crl", "serials")
SECOND_FACTORS = ("none", "totp", "command", "plugin")
TOTP_COMMAND = "/usr/local/lib/privatespace/totp_verify"
# A socket carries about three quarters of its buffer a round trip: measured at 10 to 100 ms.
USED_SHARE_OF_BUFFER = 0.75
_BUFFER_STEP = 4096
_LARGEST_BUFFER = 1 << 30
_YEAR_SECONDS = 366 * 86400
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{2,128}")
# An argument that OpenVPN's parser and its own splitting of commands leave alone.
_ARGUMENT = re.compile(r"[A-Za-z0-9@%_+=:,./-]{1,256}")


@dataclass(frozen=True)
class ServerSettings:
    """What all processes of a gateway share.

    :param folder: Keys, certificates, CRL and clients' files, readable for an unprivileged daemon.
    :param runtime_folder: Where the management sockets are.
    :param version: Major and minor version of the OpenVPN that will read the configuration.
    :param loaded_files: SHA-256 of what the process reads once at its start, by file name. It is written into
        the configuration as comments: who replaces a key thereby changes the configuration, and a restart is due.
    :param ipv6_outside: Whether a process without an address listens on IPv6, too.
    :param socket_buffer_bytes: Of every socket; 0 leaves it to the system.
    :param path_buffer_bytes: Of TCP sockets, computed from a path; 0 where none was measured.
    :param client_networks: Networks that lie behind clients, routed into the tunnel; their files say behind whom.
    :param tunnel_mtu: In bytes; 0 leaves it, as do the zeros below, to the program or the system.
    :param tcp_nodelay: Whether TCP sends small packets at once, here and at the clients.
    :param mssfix: In bytes; -1 leaves it to the program, 0 switches it off.
    :param port_share_journal: The folder in which a process writes where each browser comes from that it hands over;
        empty for none.
    :param revocation: Whether the CRL itself says who is revoked, or a folder of serial numbers that follows it.
    :param connection_hook: The program that is asked at each connection; empty for none.
    :param sessions_folder: Where that program writes which certificate each session has shown.
    :param second_factor: One of ``none``, ``command`` (then ``second_factor_call`` is its command line) and ``plugin``.
    """

    folder: str = "/etc/openvpn/server/privatespace"
    runtime_folder: str = "/run/openvpn-server"
    version: tuple[int, int] = (2, 6)
    loaded_files: Mapping[str, str] = field(default_factory=dict)
    client_to_client: bool = False
    known_clients_only: bool = False
    ipv6_outside: bool = False
    socket_buffer_bytes: int = 0
    path_buffer_bytes: int = 0
    client_networks: tuple[Network, ...] = ()
    compression: str = "none"
    tunnel_mtu: int = 0
    mssfix: int = -1
    replay_window_packets: int = 512
    replay_window_seconds: int = 15
    tcp_nodelay: bool = True
    tcp_queue_limit: int = 0
    broadcast_buffers: int = 0
    transmit_queue_length: int = 0
    service_user: str = "nobody"
    service_group: str = "nogroup"
    chroot: bool = False
    port_share_journal: str = ""
    revocation: str = "crl"
    connection_hook: str = ""
    sessions_folder: str = "/run/privatespace-sessions"
    second_factor: str = "none"
    second_factor_call: tuple[str, ...] = ()
    second_factor_lifetime_seconds: int = 43200


_NUMBERS = {
    "socket_buffer_bytes": (0, _LARGEST_BUFFER),
    "tunnel_mtu": (0, 65535),
    "mssfix": (-1, 65535),
    "replay_window_packets": (0, 65536),
    "replay_window_seconds": (0, 600),
    "tcp_queue_limit": (0, 1 << 20),
    "broadcast_buffers": (0, 1 << 20),
    "transmit_queue_length": (0, 1 << 20),
    "second_factor_lifetime_seconds": (0, _YEAR_SECONDS),
}
_BOOLEANS = ("client_to_client", "known_clients_only", "ipv6_outside", "tcp_nodelay", "chroot")
_OTHERS = (
    "folder", "runtime_folder", "version", "loaded_files", "compression", "measured_path", "service_user",
    "service_group", "second_factor", "second_factor_command", "second_factor_plugin", "client_networks",
    "port_share_journal", "revocation", "connection_hook", "sessions_folder",
)  # fmt: skip
_SMALLEST_TUNNEL_MTU = 576


def parse_settings(raw: Mapping[str, Any]) -> ServerSettings:
    """Check the settings that all processes share; all of them are optional.

    :param raw: The keys of :class:`ServerSettings`, with ``measured_path`` in place of ``path_buffer_bytes``, and
        ``second_factor_command`` and ``second_factor_plugin`` in place of ``second_factor_call``.
    :raises InputError: naming the key and what is wrong with its value.
    """
    unknown = sorted(set(map(str, raw)) - {*_NUMBERS, *_BOOLEANS, *_OTHERS})
    if unknown:
        raise InputError(f"Unknown server setting: {', '.join(map(shown, unknown))}.")
    defaults = ServerSettings()

    def parsed(key: str, parse: Callable[..., Any], **options: Any) -> Any:
        return parse(raw.get(key, getattr(defaults, key)), what=key, **options)

    values: dict[str, Any] = {key: parsed(key, parse_boolean) for key in _BOOLEANS}
    for key, (least, most) in _NUMBERS.items():
        values[key] = parsed(key, parse_whole_number, least=least, most=most)
    factor, call = _parse_second_factor(raw)
    settings = ServerSettings(
        folder=parsed("folder", parse_path),
        runtime_folder=parsed("runtime_folder", parse_path),
        version=parse_version(raw.get("version", "2.6")),
        loaded_files=_parse_loaded_files(raw.get("loaded_files") or {}),
        path_buffer_bytes=parse_path_buffer(raw.get("measured_path") or {}),
        client_networks=tuple(
            parse_network(one, what="A network behind a client") for one in raw.get("client_networks") or ()
        ),
        compression=parsed("compression", parse_choice, choices=COMPRESSIONS),
        service_user=parsed("service_user", _parse_user),
        service_group=parsed("service_group", _parse_user),
        port_share_journal=parsed("port_share_journal", parse_path) if raw.get("port_share_journal") else "",
        revocation=parsed("revocation", parse_choice, choices=REVOCATIONS),
        connection_hook=parsed("connection_hook", parse_path) if raw.get("connection_hook") else "",
        sessions_folder=parsed("sessions_folder", parse_path),
        second_factor=factor,
        second_factor_call=call,
        **values,
    )
    _refuse_contradictions(settings)
    return settings


def parse_path_buffer(path: Any) -> int:
    """The buffer that fills a path, in bytes: ``bandwidth x round trip / 0.75``, and nothing for an empty path.

    :param path: ``{mbit, round_trip_ms}``
    :raises InputError: for other keys, and for what is no number above zero.
    """
    if not isinstance(path, Mapping) or (path and set(path) != {"mbit", "round_trip_ms"}):
        raise InputError("measured_path is not a dictionary with mbit and round_trip_ms.")
    if not path:
        return 0
    for key, most in (("mbit", 100_000), ("round_trip_ms", 10_000)):
        value = path[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            raise InputError(f"measured_path: {key} is not a number above 0 and up to {most}.")
    exact = path["mbit"] * 1e6 / 8 * path["round_trip_ms"] / 1e3 / USED_SHARE_OF_BUFFER
    return int(min(-(-exact // _BUFFER_STEP) * _BUFFER_STEP, _LARGEST_BUFFER))


def _parse_user(value: Any, *, what: str) -> str:
    text = parse_scalar(value, what=what)
    if not _USER.fullmatch(text) or text == "root":
        raise InputError(
            f"{what} is not the name of an unprivileged user or group: '{shown(text)}'.",
            remedy="Use at most 31 of a-z, 0-9, '_' and '-', beginning with a letter.",
        )
    return text


def _parse_loaded_files(raw: Mapping[Any, Any]) -> dict[str, str]:
    found = {}
    for name, digest in raw.items():
        if not _FILE_NAME.fullmatch(parse_scalar(name, what="loaded_files: a name")):
            raise InputError(f"loaded_files: '{shown(name)}' is not the name of a file.")
        if not _DIGEST.fullmatch(parse_scalar(digest, what=f"loaded_files: {name}")):
            raise InputError(f"loaded_files: {name} is not a fingerprint.")
        found[name] = digest
    return found


def _parse_second_factor(raw: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    factor = parse_choice(raw.get("second_factor", "none"), what="second_factor", choices=SECOND_FACTORS)
    given = {key: raw.get(f"second_factor_{key}") or "" for key in ("command", "plugin")}
    for key, value in given.items():
        if value and key != factor:
            raise InputError(
                f"second_factor_{key} is given, but second_factor is '{factor}'.",
                remedy=f"Set second_factor to '{key}', or take the other away.",
            )
    if factor == "totp":
        return "command", (TOTP_COMMAND,)
    return factor, () if factor == "none" else _parse_call(given[factor], what=f"second_factor_{factor}")


def _parse_call(value: Any, *, what: str) -> tuple[str, ...]:
    words = parse_scalar(value, what=what).split(" ")
    if words == [""]:
        raise InputError(f"{what} is empty.", remedy="Give the path of a program, and its arguments.")
    for word in words[1:]:
        if not _ARGUMENT.fullmatch(word):
            raise InputError(f"{what}: an argument holds what OpenVPN would take apart: '{shown(word)}'.")
    return (parse_path(words[0], what=what), *words[1:])


def _refuse_contradictions(settings: ServerSettings) -> None:
    if settings.chroot and settings.second_factor != "none":
        raise InputError(
            "chroot and second_factor do not go together: inside there is no program that could judge the factor.",
            remedy="Switch one of them off. The unit's sandbox is there without chroot, too.",
        )
    if settings.chroot and settings.connection_hook:
        raise InputError(
            "chroot and connection_hook do not go together: inside there is no shell that could run the hook.",
            remedy="Switch one of them off.",
        )
    if 0 < settings.tunnel_mtu < _SMALLEST_TUNNEL_MTU:
        raise InputError(f"tunnel_mtu is below {_SMALLEST_TUNNEL_MTU} bytes, which IPv4 needs: {settings.tunnel_mtu}.")
    if settings.socket_buffer_bytes and settings.path_buffer_bytes:
        raise InputError(
            "socket_buffer_bytes and measured_path both say how large the buffers are.", remedy="Give one of them."
        )
