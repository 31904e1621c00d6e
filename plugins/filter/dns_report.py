# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``dns_report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.fleet import render_report


def dns_report(
    gateways: Sequence[Mapping[str, Any]],
    outcome: Mapping[str, Any],
    *,
    not_reached: Sequence[str] = (),
    fleet: Mapping[str, Any] | None = None,
) -> list[str]:
    """What became of the names of gateways, as lines for a terminal; see the documentation of the filter."""
    try:
        return render_report(gateways, outcome=outcome, not_reached=not_reached, fleet=fleet)
    except CollectionError as error:
        raise AnsibleFilterError(f"dns_report: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dns_report": dns_report}
