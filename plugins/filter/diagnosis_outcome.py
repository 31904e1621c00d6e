# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``diagnosis_outcome``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.outcome import build_outcome


def diagnosis_outcome(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a diagnosis brought; see the documentation of the filter."""
    try:
        return build_outcome(answers)
    except (TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"diagnosis_outcome: the answers are not complete: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"diagnosis_outcome": diagnosis_outcome}
