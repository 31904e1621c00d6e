# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``preflight_report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_report import build_report


def preflight_report(hosts: Mapping[str, Mapping[str, Any]], skip: Sequence[str] = ()) -> dict[str, Any]:
    """What is fit and what is not; see the documentation of the filter."""
    try:
        return build_report(hosts, skip=skip)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"preflight_report: what a host answered is not complete: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"preflight_report": preflight_report}
