# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``portal_site``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.site import describe_site


def portal_site(settings: Mapping[str, Any], own_texts: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates of the pages are given; see the documentation of the filter."""
    try:
        return describe_site(settings, own_texts=own_texts)
    except CollectionError as error:
        raise AnsibleFilterError(f"portal_site: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"portal_site": portal_site}
