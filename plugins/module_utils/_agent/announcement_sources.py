# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this gateway looks for its public address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import address_sources
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.announcement_settings import (
    AnnouncementSettings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.interfaces import (
    default_interface,
    interface_answer,
    parse_interfaces,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.metadata import EchoSource, MetadataSource
from ansible_collections.privatespace.gateway.plugins.module_utils._host.address_watch import (
    show_addresses,
    show_default_routes,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import ask_http

if TYPE_CHECKING:
    from collections.abc import Mapping


def look(settings: AnnouncementSettings) -> address_sources.Found:
    """Ask the sources in their order, unless the addresses were given by hand.

    :raises CollectionError: an address that was given is none.
    """
    if settings.addresses:
        return address_sources.by_hand(settings.addresses)
    private = settings.private_addresses
    sources: Mapping[str, address_sources.Source] = {
        address_sources.METADATA: MetadataSource(settings.metadata_url, ask=ask_http, private_addresses=private),
        address_sources.INTERFACE: _InterfaceSource(settings.interface, private_addresses=private),
        address_sources.ECHO: EchoSource(settings.echo_urls, ask=ask_http, private_addresses=private),
    }
    return address_sources.find_addresses(settings.sources, sources)


class _InterfaceSource:
    """The interface that was named, or that of the default route."""

    def __init__(self, interface: str, *, private_addresses: bool) -> None:
        self._interface = interface
        self._private_addresses = private_addresses

    def __call__(self, family: int) -> address_sources.Answer:
        try:
            name = self._interface or default_interface(show_default_routes(family))
            found = parse_interfaces(show_addresses())
        except CollectionError as error:
            return address_sources.Answer(problem=str(error))
        return interface_answer(found, name, family, private_addresses=self._private_addresses)
