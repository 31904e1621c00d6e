# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_records``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Union

Named = Union[str, Mapping[str, Any]]


def dns_records(wanted: Sequence[Named], sets_of: str = "") -> list[dict[str, Any]]:
    """Records for dns_address; see the documentation of the filter."""
    return [_record({"name": sets_of, "set_identifier": one} if sets_of else one) for one in wanted]


def _record(wanted: Named) -> dict[str, Any]:
    if not isinstance(wanted, Mapping):
        return {"name": wanted, "state": "absent"}
    if "addresses" not in wanted:
        return {"name": wanted["name"], "set_identifier": wanted["set_identifier"], "state": "absent"}
    return {"name": wanted["name"], "addresses": list(wanted["addresses"])}


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_records": dns_records}
