# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of stubby, which asks over TLS what dnsmasq asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_config import MARKER
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.dnsmasq_values import (
    parse_address,
    parse_entry,
    parse_items,
    parse_number,
    parse_path,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name

LISTEN = "127.0.0.1"
# stubby takes its constants and addresses without quotation marks only.
_SETTINGS = (
    "resolution_type: GETDNS_RESOLUTION_STUB",
    "# Nothing but TLS, and nobody but whoever has a certificate for the name.",
    "dns_transport_list:",
    "  - GETDNS_TRANSPORT_TLS",
    "tls_authentication: GETDNS_AUTHENTICATION_REQUIRED",
    "tls_min_version: GETDNS_TLS1_2",
    "tls_query_padding_blocksize: 128",
    "edns_client_subnet_private: 1",
    "round_robin_upstreams: 1",
    "idle_timeout: 10000",
    "tls_connection_retries: 2",
    "# A server that failed is tried again after this many seconds, not after an hour.",
    "tls_backoff_time: 10",
    "timeout: 4000",
)


def render_stubby(raw: Mapping[str, Any]) -> str:
    """The configuration, in the YAML that stubby reads.

    :param raw: ``upstreams`` (address, and the name in the certificate), ``port``, ``ca_file`` and ``local_port``.
    :raises InputError: naming what stubby could not take.
    """
    port = parse_number(raw.get("port", 853), what="dnsmasq_tls_port", least=1, most=65535)
    local_port = parse_number(raw.get("local_port", 5335), what="The port of stubby", least=1024, most=65535)
    upstreams = []
    for one in parse_items(raw.get("upstreams"), what="dnsmasq_tls_upstreams"):
        entry = parse_entry(one, what="An entry of dnsmasq_tls_upstreams", keys=("address", "name"))
        address = parse_address(entry["address"], what="An address in dnsmasq_tls_upstreams")
        name = parse_name(entry["name"], what="A name in dnsmasq_tls_upstreams")
        upstreams += [f"  - address_data: {address}", f'    tls_auth_name: "{name}"', f"    tls_port: {port}"]
    if not upstreams:
        raise InputError("dnsmasq_tls is true, and dnsmasq_tls_upstreams is empty.")
    ca_file = parse_path(raw.get("ca_file"), what="dnsmasq_tls_ca_file")
    own = [f'tls_ca_file: "{ca_file}"', "listen_addresses:", f"  - {LISTEN}@{local_port}"]
    return "\n".join([MARKER, *_SETTINGS, *own, "upstream_recursive_servers:", *upstreams, ""])
