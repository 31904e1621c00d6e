# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of one OpenVPN server process, rendered from checked values.

What is left out matters as much as what is there. ``data-ciphers``, ``cipher``, ``auth`` and ``tls-groups`` stay at
the program's defaults, which are right and age with it, and so do MTU and buffers unless they are asked for;
compression, ``fragment`` and other topologies than ``subnet`` would switch off data channel offload;
``duplicate-cn`` would make one certificate many people. What clients are told is not here but in their files.
"""

from __future__ import annotations

import ipaddress

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.pushes import route_option
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import ServerSettings

MARKER = "# Managed by Ansible (privatespace.gateway.openvpn): what is changed here by hand will be overwritten."
# New connections that are let in within ten seconds: after an outage everybody comes back at once.
SMALLEST_CONNECTION_BURST = 100
# From this version on, keys persist and UDP is fast without being told, and both directives are warnings.
MODERN = (2, 7)
LEAST_IPV6_MTU = 1280


def render_server_config(process: Process, settings: ServerSettings) -> str:
    """The whole file for one process, ending with a newline.

    :raises InputError: where a value of the process and one of the settings do not go together.
    """
    if process.network6 is not None and 0 < settings.tunnel_mtu < LEAST_IPV6_MTU:
        raise InputError(
            f"tunnel_mtu is {settings.tunnel_mtu}, but IPv6 in the tunnel of '{process.name}' needs {LEAST_IPV6_MTU}."
        )
    sections = (
        _heading(settings),
        _network(process, settings),
        _identity(settings),
        _compression(settings),
        _transport(process, settings),
        _sizes(process, settings),
        _life(process, settings),
        _programs(process, settings),
        _second_factor(settings),
    )
    return "\n".join("\n".join(section) + "\n" for section in sections if section)


def _heading(settings: ServerSettings) -> list[str]:
    digests = [f"# {name} SHA-256 {digest}" for name, digest in sorted(settings.loaded_files.items())]
    return [MARKER, *digests]


def _network(process: Process, settings: ServerSettings) -> list[str]:
    first, last = process.dynamic_range
    lines = [
        f"port {process.port}",
        f"proto {_server_protocol(process, settings)}",
        f"dev {process.device}",
        "dev-type tun",
        "topology subnet",
        f"server {process.network.network_address} {process.network.netmask} nopool",
        "# The rest of the network is for addresses that are given out by name.",
        f"ifconfig-pool {first} {last} {process.network.netmask}",
        f"max-clients {process.max_clients}",
    ]
    if process.address is not None:
        lines.insert(0, f"local {process.address}")
    if process.network6 is not None:
        # "server-ipv6" in full, for it does not go with "nopool".
        lines += [
            f"ifconfig-ipv6 {process.server_address6}/{process.network6.prefixlen} {process.network6[2]}",
            f"ifconfig-ipv6-pool {process.pool6_base}/{process.network6.prefixlen}",
            'push "tun-ipv6"',
        ]
    lines += map(route_option, settings.client_networks)
    if process.port_share is not None:
        journal = f" {settings.port_share_journal}" if settings.port_share_journal else ""
        lines.append(f"port-share {process.port_share.address} {process.port_share.port}{journal}")
    return lines


def _server_protocol(process: Process, settings: ServerSettings) -> str:
    """An IPv6 socket without an address answers IPv4, too."""
    dual_stack = process.address is None and settings.ipv6_outside
    family = "6" if dual_stack or isinstance(process.address, ipaddress.IPv6Address) else ""
    return f"udp{family}" if process.protocol == "udp" else f"tcp{family}-server"


def _identity(settings: ServerSettings) -> list[str]:
    folder = settings.folder
    return [
        f"ca {folder}/ca.crt",
        f"cert {folder}/server.crt",
        f"key {folder}/server.key",
        f"tls-crypt-v2 {folder}/tls-crypt-v2-server.key",
        *_revocation(settings),
        "dh none",
        "tls-version-min 1.2",
        "tls-cert-profile preferred",
        "remote-cert-tls client",
    ]


def _revocation(settings: ServerSettings) -> list[str]:
    if settings.revocation == "serials":
        return [
            "# A file for each revoked serial number; without the folder everybody would be let in.",
            f"crl-verify {_later_folder(settings)}/revoked dir",
        ]
    return [
        "# Read again at the next connection after it has changed; no restart is needed.",
        f"crl-verify {_later_folder(settings)}/crl.pem",
    ]


def _later_folder(settings: ServerSettings) -> str:
    """The folder of what is read after the start, as the process then sees it."""
    return "" if settings.chroot else settings.folder


def _compression(settings: ServerSettings) -> list[str]:
    if settings.compression == "none":
        return ["allow-compression no"]
    if settings.compression == "stub":
        return [
            "# Clients that insist on compression are told to use its framing only; nothing is compressed.",
            "compress migrate",
        ]
    lines = [
        "# WARNING: whoever makes a client send chosen text reads encrypted text from the sizes of compressed packets",
        "# (VORACLE). This also switches off data channel offload. The gateway unpacks, and packs nothing itself.",
        "allow-compression asym",
        f"compress {settings.compression}",
    ]
    if settings.compression == "lzo":
        # Its framing is on every packet, so that all clients have to speak it; that of lz4-v2 is not.
        lines += [
            "# Clients from 2.6 on refuse this unless their profile says 'allow-compression asym'.",
            'push "compress lzo"',
        ]
    return lines


def _transport(process: Process, settings: ServerSettings) -> list[str]:
    lines = [
        "# Packets that overtake each other must not look like a replay.",
        f"replay-window {settings.replay_window_packets} {settings.replay_window_seconds}",
        "keepalive 10 60",
        f"connect-freq-initial {max(SMALLEST_CONNECTION_BURST, process.max_clients)} 10",
    ]
    if process.protocol == "tcp":
        return [*lines, "tcp-nodelay"] if settings.tcp_nodelay else lines
    return [
        *lines,
        *(["fast-io"] if settings.version < MODERN else []),
        "# Both ends say goodbye, so that a restart costs six seconds instead of sixty.",
        "explicit-exit-notify 1",
        'push "explicit-exit-notify 1"',
    ]


def _sizes(process: Process, settings: ServerSettings) -> list[str]:
    tcp = process.protocol == "tcp"
    buffer = settings.socket_buffer_bytes or (settings.path_buffer_bytes if tcp else 0)
    wanted = (
        ("sndbuf", buffer),
        ("rcvbuf", buffer),
        ("tun-mtu", settings.tunnel_mtu),
        ("tcp-queue-limit", settings.tcp_queue_limit if tcp else 0),
        ("bcast-buffers", settings.broadcast_buffers),
        ("txqueuelen", settings.transmit_queue_length),
    )
    lines = [f"{option} {value}" for option, value in wanted if value]
    return [*lines, f"mssfix {settings.mssfix}"] if settings.mssfix >= 0 else lines


def _life(process: Process, settings: ServerSettings) -> list[str]:
    return [
        "reneg-sec 3600",
        "# How long an old key still works when its renegotiation was refused.",
        "tran-window 120",
        f"user {settings.service_user}",
        f"group {settings.service_group}",
        *([f"chroot {settings.folder}"] if settings.chroot else []),
        *(["persist-key"] if settings.version < MODERN else []),
        "persist-tun",
        f"client-config-dir {_later_folder(settings)}/ccd/{process.name}",
        *(["ccd-exclusive"] if settings.known_clients_only else []),
        *(["client-to-client"] if settings.client_to_client else []),
        f"management {settings.runtime_folder}/{process.name}.sock unix",
        "management-client-user root",
        "verb 3",
    ]


def _programs(process: Process, settings: ServerSettings) -> list[str]:
    """What may be run, and what is asked at the end of each handshake whether a device may connect."""
    hook = settings.connection_hook
    allowed = ["script-security 2"] if hook or settings.second_factor == "command" else []
    if not hook:
        return allowed
    call = f"{hook} {process.name} {settings.folder} {settings.sessions_folder}"
    return [*allowed, f'client-connect "{call}"']


def _second_factor(settings: ServerSettings) -> list[str]:
    if settings.second_factor == "none":
        return []
    call = " ".join(settings.second_factor_call)
    program = f"plugin {call}" if settings.second_factor == "plugin" else f'auth-user-pass-verify "{call}" via-file'
    return [
        program,
        "# Who has shown the factor is not asked again for this long, by any process, across restarts.",
        f"auth-gen-token {settings.second_factor_lifetime_seconds}",
        f"auth-gen-token-secret {settings.folder}/auth-token.key",
    ]
