# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's clock, read in one place so that everything else takes time as an argument."""

from __future__ import annotations

import time
from datetime import datetime, timezone


def utc_now() -> datetime:
    """The current time in UTC, with its zone, in whole microseconds."""
    return datetime.now(timezone.utc)


def epoch_seconds() -> float:
    """Seconds since 1970-01-01 UTC, the form in which timelines are compared between hosts."""
    return time.time()
