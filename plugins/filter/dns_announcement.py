# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_announcement``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.announcement_settings import parse_settings

# The real one never leaves the gateway.
_SAMPLE_KEY = {"key_name": "sample", "key_algorithm": "hmac-sha256", "key_secret": "A" * 43 + "="}


def dns_announcement(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the program on a gateway needs to keep its record, checked; see the documentation of the filter."""
    try:
        parse_settings(settings, _SAMPLE_KEY if settings.get("key_file") else {})
        return dict(settings)
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_announcement: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_announcement": dns_announcement}
