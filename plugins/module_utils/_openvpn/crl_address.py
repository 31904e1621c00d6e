# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a gateway finds the CRL of its authority: never at itself, unless it is the authority's host, too."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

_NAMES_OF_THIS_HOST = frozenset(("localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"))
# How programs may abbreviate 127.0.0.1 and 0.0.0.0.
_ABBREVIATED = re.compile(r"127(\.[0-9]+){1,2}|0+(\.0+){0,2}")
_HTTP_PORT = 80
_HOST = re.compile(r"https?://(\[[^]]*\]|[^:/]*)")


def published_url(addresses: Sequence[str], *, authority: str, port: int, is_same_host: bool) -> str:
    """The URL of the CRL for a gateway.

    :param addresses: On which the authority publishes; none for all of its host.
    :param authority: The name or address of the authority's host.
    :param is_same_host: Whether the gateway is that host.
    """
    given = [str(one).strip("[]") for one in addresses]
    everywhere = not given or any(_is_wildcard(one) for one in given)
    if is_same_host:
        single = [one for one in given if not _is_wildcard(one)]
        only_ipv6 = bool(given) and all(":" in one for one in given)
        host = ("::1" if only_ipv6 else "127.0.0.1") if everywhere else single[0]
    else:
        host = next((one for one in given if not is_this_host(one)), authority)
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{bracketed}{'' if port == _HTTP_PORT else f':{port}'}/crl.pem"


def is_this_host(host: str) -> bool:
    """Whether a name or an address means whoever asks for it."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in _NAMES_OF_THIS_HOST or name.endswith(".localhost") or bool(_ABBREVIATED.fullmatch(name))
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_loopback or inner.is_unspecified


def require_elsewhere(urls: Iterable[str]) -> None:
    """Refuse an address at which a gateway would ask itself.

    :raises InputError: for the first of them.
    """
    for url in urls:
        found = _HOST.match(url)
        if found and is_this_host(found.group(1)):
            raise InputError(
                f"openvpn_crl_urls: at '{shown(url)}' the gateway would ask itself, and the authority is another host.",
                remedy="Set openvpn_crl_urls to where gateways reach the authority, such as"
                " http://authority.example.net/crl.pem; its default follows pki_publish_addresses and ansible_host of"
                " the authority. An empty list is for no such program.",
            )


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
