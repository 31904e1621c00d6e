# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``acme_report``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.report import render_report


def acme_report(result: Mapping[str, Any]) -> list[str]:
    """What became of a certificate, for people; see the documentation of the filter."""
    try:
        return render_report(result)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"acme_report: this is not what the program prints: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"acme_report": acme_report}
