# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``gateway_wishes``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable


def gateway_wishes(names: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Gateways with the names that they ask for; see the documentation of the filter."""
    return [{"name": name, "label": str(hostvars[name].get("dns_label") or "")} for name in names]


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_wishes": gateway_wishes}
