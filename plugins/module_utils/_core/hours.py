# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hours of a day in which something may happen."""

from __future__ import annotations

import re

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})")
LAST_HOUR = 24


def is_within_hours(hours: str, *, hour: int) -> bool:
    """Whether an hour of the day, 0 to 23, lies within hours such as ``02-05``: from 2:00 until before 5:00.

    ``22-04`` goes past midnight. Without hours, any time is right.

    :raises InputError: the hours are not two numbers from 0 to 24 that differ.
    """
    if not hours:
        return True
    found = _HOURS.fullmatch(hours)
    start, end = (int(number) for number in found.groups()) if found else (0, 0)
    if start == end or max(start, end) > LAST_HOUR:
        raise InputError(
            f"'{shown(hours)}' are not hours of a day.", remedy="Write them like 02-05, or 22-04 past midnight."
        )
    return start <= hour < end if start < end else hour >= start or hour < end
