# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``pki_freshness``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_freshness import unknown_freshness

_MISSING = "No such file or directory"


def pki_freshness(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the authority's program said, or why it said nothing; see the documentation of the filter."""
    try:
        found = json.loads(str(result.get("stdout") or ""))
    except ValueError:
        found = None
    if isinstance(found, dict) and {"problem", "issuers", "timer", "last_run"} <= set(found):
        return found
    words = str(result.get("stderr") or result.get("msg") or "").strip().splitlines()
    if words and _MISSING in words[-1]:
        return unknown_freshness("it has no program that tells. Run the playbook site")
    return unknown_freshness(words[-1] if words else "it said nothing")


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pki_freshness": pki_freshness}
