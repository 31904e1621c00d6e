# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of one OpenVPN server process, rendered from checked values.

What is left out matters as much as what is there. ``data-ciphers``, ``cipher``, ``auth``, ``tls-groups``,
``tun-mtu``, ``mssfix``, ``sndbuf`` and ``rcvbuf`` stay at the program's defaults, which are right and age with it;
compression, ``fragment`` and other topologies than ``subnet`` would switch off data channel offload;
``duplicate-cn`` would make one certificate many people.
"""

from __future__ import annotations

import ipaddress

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import ServerSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import Network

MARKER = "# Managed by Ansible (privatespace.gateway.openvpn): what is changed here by hand will be overwritten."
# New connections that are let in within ten seconds: after an outage everybody comes back at once.
SMALLEST_CONNECTION_BURST = 100
# From this version on keys always persist, and the directive is a warning.
KEYS_PERSIST_SINCE = (2, 7)


def render_server_config(process: Process, settings: ServerSettings) -> str:
    """The whole file for one process, ending with a newline."""
    sections = (
        _heading(settings),
        _network(process),
        _identity(settings),
        _transport(process),
        _life(process, settings),
        _pushes(process, settings),
    )
    return "\n".join("\n".join(section) + "\n" for section in sections if section)


def _heading(settings: ServerSettings) -> list[str]:
    digests = [f"# {name} SHA-256 {digest}" for name, digest in sorted(settings.loaded_files.items())]
    return [MARKER, *digests]


def _network(process: Process) -> list[str]:
    first, last = process.dynamic_range
    lines = [
        f"port {process.port}",
        f"proto {_server_protocol(process)}",
        f"dev {process.device}",
        "dev-type tun",
        "topology subnet",
        f"server {process.network.network_address} {process.network.netmask} nopool",
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
    return lines


def _server_protocol(process: Process) -> str:
    family = "6" if isinstance(process.address, ipaddress.IPv6Address) else ""
    return f"udp{family}" if process.protocol == "udp" else f"tcp{family}-server"


def _identity(settings: ServerSettings) -> list[str]:
    folder = settings.folder
    return [
        f"ca {folder}/ca.crt",
        f"cert {folder}/server.crt",
        f"key {folder}/server.key",
        f"tls-crypt-v2 {folder}/tls-crypt-v2-server.key",
        "# Read again at the next connection after it has changed; no restart is needed.",
        f"crl-verify {folder}/crl.pem",
        "dh none",
        "tls-version-min 1.2",
        "tls-cert-profile preferred",
        "remote-cert-tls client",
        "allow-compression no",
    ]


def _transport(process: Process) -> list[str]:
    lines = [
        "# Reordering of 30 ms must not look like a replay.",
        "replay-window 512 15",
        "keepalive 10 60",
        f"connect-freq-initial {max(SMALLEST_CONNECTION_BURST, process.max_clients)} 10",
    ]
    if process.protocol == "tcp":
        return [*lines, "tcp-nodelay"]
    return [
        *lines,
        "fast-io",
        "# Both ends say goodbye, so that a restart costs six seconds instead of sixty.",
        "explicit-exit-notify 1",
        'push "explicit-exit-notify 1"',
    ]


def _life(process: Process, settings: ServerSettings) -> list[str]:
    lines = [
        "reneg-sec 3600",
        "# How long an old key still works when its renegotiation was refused.",
        "tran-window 120",
        "user nobody",
        "group nogroup",
        "persist-tun",
        f"client-config-dir {settings.folder}/ccd",
        f"management {settings.runtime_folder}/{process.name}.sock unix",
        "management-client-user root",
        "verb 3",
    ]
    if settings.version < KEYS_PERSIST_SINCE:
        lines.insert(lines.index("persist-tun"), "persist-key")
    if settings.client_to_client:
        lines.append("client-to-client")
    return lines


def _pushes(process: Process, settings: ServerSettings) -> list[str]:
    options: list[str] = []
    if settings.full_tunnel:
        options += _full_tunnel(process, settings)
    options += [_route(network) for network in settings.push_routes]
    options += [f"dhcp-option {'DNS6' if server.version == 6 else 'DNS'} {server}" for server in settings.dns_servers]
    options += [f"dhcp-option DOMAIN {domain}" for domain in settings.dns_domains]
    if settings.dns_servers:
        options += _dns(settings)
    return [f'push "{option}"' for option in options]


def _full_tunnel(process: Process, settings: ServerSettings) -> list[str]:
    options = ["redirect-gateway def1 ipv6"]
    if process.network6 is None:
        # The tunnel carries no IPv6: the client answers it "unreachable" rather than let it leave around the tunnel.
        options.append("block-ipv6")
    if settings.dns_servers:
        # Windows asks every resolver it knows unless it is told not to.
        options.append("block-outside-dns")
    return options


def _dns(settings: ServerSettings) -> list[str]:
    addresses = " ".join(str(server) for server in settings.dns_servers[:8])
    lines = [f"dns server 0 address {addresses}"]
    if settings.dns_domains:
        lines.append(f"dns search-domains {' '.join(settings.dns_domains)}")
        if not settings.full_tunnel:
            lines.append(f"dns server 0 resolve-domains {' '.join(settings.dns_domains)}")
    return lines


def _route(network: Network) -> str:
    if isinstance(network, ipaddress.IPv6Network):
        return f"route-ipv6 {network}"
    return f"route {network.network_address} {network.netmask}"
