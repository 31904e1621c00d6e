# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all OpenVPN processes of a gateway share, as values that have been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    Address,
    Network,
    parse_address,
    parse_domain,
    parse_network,
    parse_path,
    parse_scalar,
    parse_version,
)


@dataclass(frozen=True)
class ServerSettings:
    """What all processes of a gateway share.

    :param folder: Keys, certificates, CRL and client configurations, readable for an unprivileged daemon.
    :param runtime_folder: Where the management sockets are.
    :param version: Major and minor version of the OpenVPN that will read the configuration.
    :param loaded_files: SHA-256 of what the process reads once at its start, by file name. It is written into
        the configuration as comments: who replaces a key thereby changes the configuration, and a restart is due.
    """

    folder: str = "/etc/openvpn/server/privatespace"
    runtime_folder: str = "/run/openvpn-server"
    full_tunnel: bool = True
    push_routes: tuple[Network, ...] = ()
    dns_servers: tuple[Address, ...] = ()
    dns_domains: tuple[str, ...] = ()
    client_to_client: bool = False
    version: tuple[int, int] = (2, 6)
    loaded_files: Mapping[str, str] = field(default_factory=dict)


def parse_settings(raw: Mapping[str, Any]) -> ServerSettings:
    """Check the settings that all processes share; keys are those of :class:`ServerSettings`, all optional.

    :raises InputError: naming the key and what is wrong with its value.
    """
    unknown = sorted(set(raw) - set(ServerSettings.__dataclass_fields__))
    if unknown:
        raise InputError(f"Unknown server setting: {', '.join(map(shown, unknown))}.")
    defaults = ServerSettings()
    return ServerSettings(
        folder=parse_path(raw.get("folder", defaults.folder), what="folder"),
        runtime_folder=parse_path(raw.get("runtime_folder", defaults.runtime_folder), what="runtime_folder"),
        full_tunnel=bool(raw.get("full_tunnel", defaults.full_tunnel)),
        push_routes=tuple(parse_network(one, what="A pushed route") for one in raw.get("push_routes") or ()),
        dns_servers=tuple(parse_address(one, what="A DNS server") for one in raw.get("dns_servers") or ()),
        dns_domains=tuple(parse_domain(one, what="A DNS domain") for one in raw.get("dns_domains") or ()),
        client_to_client=bool(raw.get("client_to_client", defaults.client_to_client)),
        version=parse_version(raw.get("version", "2.6")),
        loaded_files={
            parse_scalar(name, what="A file name"): parse_scalar(digest, what="A fingerprint")
            for name, digest in (raw.get("loaded_files") or {}).items()
        },
    )
