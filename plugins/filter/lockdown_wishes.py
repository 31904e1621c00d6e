# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``lockdown_wishes``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.lockdown import PRESENT, parse_lockdown


def lockdown_wishes(
    groups: Sequence[str] | str,
    *,
    everybody: bool | str = False,
    spared: Sequence[str] | str = "",
    state: str = PRESENT,
    known_groups: Collection[str] = (),
) -> dict[str, Any]:
    """Whom a lockdown is to keep out, checked; see the documentation of the filter."""
    try:
        return parse_lockdown(
            everybody=everybody, groups=groups, spared=spared, state=str(state), known_groups=known_groups
        )
    except (InputError, TypeError) as error:
        raise AnsibleFilterError(f"lockdown_wishes: {error} Nothing was changed.") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"lockdown_wishes": lockdown_wishes}
