# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``pki_succession_report``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.succession import describe_succession


def pki_succession_report(info: Mapping[str, Any]) -> list[str]:
    """Say of every authority what it is and what is left to do; see the documentation of the filter."""
    try:
        return describe_succession(info["authorities"])
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"pki_succession_report: this is no result of pki_info: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pki_succession_report": pki_succession_report}
