# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that lists users and their devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def users_option(reasons: Sequence[str]) -> dict[str, Any]:
    """The argument spec of ``users``.

    :param reasons: Why certificates may be revoked.
    """
    why = {"reason": {"type": "str", "choices": list(reasons)}, "invalidity_date": {"type": "str"}}
    access = {"access": {"type": "str", "choices": ["enabled", "disabled"]}, "access_reason": {"type": "str"}}
    device = {
        "name": {"type": "str", "default": "default"},
        "reissue": {"type": "bool", "default": False},
        **why,
        **access,
        "csr_content": {"type": "str"},
        "pkcs12_password": {"type": "str", "no_log": True},
    }
    user = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **why,
        **access,
        "devices": {"type": "list", "elements": "dict", "options": device},
    }
    return {"type": "list", "elements": "dict", "required": True, "options": user}
