# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_tsig_keys``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.tsig_key import (
    merge_keys,
    parse_keys,
    render_key,
    require_key,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.update_policy import HEADING


def dns_tsig_keys(keys: Sequence[Mapping[str, Any]], kept: Sequence[str], names: Sequence[str]) -> str:
    """The TSIG keys of gateways as BIND's configuration; see the documentation of the filter."""
    try:
        old = [key for text in kept for key in parse_keys(text, what="What is in place")]
        news = [require_key(key["name"], key["algorithm"], key["secret"], what="A key") for key in keys]
        return HEADING + "".join(render_key(key) for key in merge_keys(old, news, names))
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_tsig_keys: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_tsig_keys": dns_tsig_keys}
