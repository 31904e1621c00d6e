# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway has to know to announce its address, checked on the controller and by the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import require_sources
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.metadata import require_url
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    ProviderSettings,
    parse_provider,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import parse_addresses, parse_ttl

# What Linux calls an interface has at most 15 characters.
LONGEST_INTERFACE = 15


@dataclass(frozen=True)
class AnnouncementSettings:
    """The configuration of this gateway.

    :param name: The name that it keeps.
    :param addresses: Given by hand; empty where it looks for them.
    :param sources: Where it looks, in this order.
    :param interface: The interface that is looked at; empty for that of the default route.
    :param verify_seconds: How long the name servers may take to answer with what was written.
    """

    name: str
    ttl: int
    addresses: tuple[str, ...]
    sources: tuple[str, ...]
    interface: str
    private_addresses: bool
    echo_urls: tuple[str, ...]
    metadata_url: str
    verify_seconds: float
    provider: ProviderSettings


def parse_settings(raw: Mapping[str, Any], key: Mapping[str, str]) -> AnnouncementSettings:
    """Check what the configuration says.

    :param key: The TSIG key as options of a provider.
    :raises InputError: for the first that is wrong.
    """
    name = parse_name(raw.get("name"), what="The name of the gateway")
    urls = raw.get("echo_urls") or ()
    return AnnouncementSettings(
        name=name,
        ttl=parse_ttl(raw.get("ttl"), what=name),
        addresses=parse_addresses(raw.get("addresses") or (), what="dns_addresses"),
        sources=require_sources(raw.get("sources") or (), urls),
        interface=_parse_interface(raw.get("interface") or ""),
        private_addresses=bool(raw.get("private_addresses")),
        echo_urls=tuple(require_url(url) for url in urls),
        metadata_url=require_url(raw.get("metadata_url")),
        verify_seconds=float(raw.get("verify_seconds") or 0),
        provider=parse_provider({**(raw.get("provider") or {}), **key}),
    )


def _parse_interface(value: Any) -> str:
    text = require_single_line(str(value), what="dns_announce_interface")
    if len(text) > LONGEST_INTERFACE or "/" in text or " " in text:
        raise InputError(f"dns_announce_interface: '{text[:60]}' is no name of an interface.")
    return text
