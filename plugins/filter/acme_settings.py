# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``acme_settings``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import parse_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError


def acme_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the gateway's program is told; see the documentation of the filter."""
    try:
        parsed = parse_settings(settings)
    except CollectionError as error:
        raise AnsibleFilterError(f"acme_settings: {error}") from error
    # As they were given: the program reads them again. What is made of them is complete.
    chosen = {"names": list(parsed.names), "directory": parsed.directory, "staging": False}
    return {**settings, **chosen, "caa_identity": parsed.caa_identity}


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"acme_settings": acme_settings}
