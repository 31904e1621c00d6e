# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``profile_link_owners``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Callable

REMOVED = ("revoked", "already_revoked")


def profile_link_owners(
    users: Sequence[Mapping[str, Any]], outcomes: Collection[str] = REMOVED
) -> list[dict[str, str]]:
    """Whose links are erased; see the documentation of the filter."""
    return [
        {"user": str(each["name"]), "device": str(each["device"])} for each in users if each.get("outcome") in outcomes
    ]


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"profile_link_owners": profile_link_owners}
