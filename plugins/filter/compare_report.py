# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``compare_report``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_report import build_comparison


def compare_report(measured: Mapping[str, Any], *, plan: Mapping[str, Any], **about: Any) -> dict[str, Any]:
    """Which of two settings is faster; see the documentation of the filter."""
    try:
        told = {"protocol": plan["protocol"], "listener": plan["listener"], **about}
        return build_comparison(measured, configs=plan["configs"], about=told)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"compare_report: what was measured is not complete: {error!r}") from error
    except CollectionError as error:
        raise AnsibleFilterError(f"compare_report: {error}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"compare_report": compare_report}
