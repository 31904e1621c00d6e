# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``removal_wishes``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.removal_wishes import parse_removal_wishes


def removal_wishes(names: Sequence[str] | str, *, user: str = "", device: str = "", reason: str = "") -> dict[str, Any]:
    """Who is to be removed, checked; see the documentation of the filter."""
    try:
        wishes = parse_removal_wishes(names=names or "", user=str(user), device=str(device), reason=str(reason))
    except (InputError, TypeError) as error:
        raise AnsibleFilterError(f"removal_wishes: {error}") from error
    return wishes.as_dict()


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"removal_wishes": removal_wishes}
