# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``is_within_hours``."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core import hours as core
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError


def is_within_hours(hours: str, hour: int) -> bool:
    """Whether an hour lies within hours such as ``02-05``; see the documentation of the filter."""
    try:
        return core.is_within_hours(str(hours), hour=int(hour))
    except CollectionError as error:
        raise AnsibleFilterError(f"is_within_hours: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"is_within_hours": is_within_hours}
