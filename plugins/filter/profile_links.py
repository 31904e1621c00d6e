# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``profile_links``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile import (
    DEFAULT_POLL_TIMEOUT_SECONDS,
    render_profile,
)


def profile_links(
    deliveries: Sequence[Mapping[str, Any]],
    gateways: Sequence[Mapping[str, Any]],
    variant: str = "generic",
    poll_timeout: int = DEFAULT_POLL_TIMEOUT_SECONDS,
) -> dict[str, Any]:
    """What the module profile_link makes links of; see the documentation of the filter."""
    try:
        return {
            "links": [{"user": str(each["name"]), "device": str(each["device"])} for each in deliveries],
            "profiles": {
                f"{each['name']}@{each['device']}": render_profile(
                    each, gateways=gateways, variant=variant, poll_timeout_seconds=poll_timeout
                )
                for each in deliveries
            },
        }
    except CollectionError as error:
        raise AnsibleFilterError(f"profile_links: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"profile_links": profile_links}
