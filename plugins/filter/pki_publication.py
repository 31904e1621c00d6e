# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``pki_publication``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._web.listening import asking_url, listening_sockets


def pki_publication(addresses: Sequence[Any], port: Any, *, ipv6: bool = True) -> dict[str, Any]:
    """Where the authority gives its CRL away; see the documentation of the filter."""
    try:
        sockets = listening_sockets(addresses, port, ipv6=bool(ipv6))
    except CollectionError as error:
        raise AnsibleFilterError(f"pki_publish_addresses and pki_publish_port: {error}") from error
    return {"sockets": list(sockets), "url": asking_url(sockets, "/crl.pem")}


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pki_publication": pki_publication}
