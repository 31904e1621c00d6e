# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the files of reports, and which of them have had their time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone

KINDS = ("json", "txt", "html")
LATEST = "latest"
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"diagnosis-(\d{8}T\d{6}Z)\.(json|txt|html)\Z")


def stamp_of(epoch: float) -> str:
    """The moment in the name of a file.

    >>> stamp_of(0)
    '19700101T000000Z'
    """
    return datetime.fromtimestamp(epoch, timezone.utc).strftime(_STAMP)


def file_name(stamp: str, kind: str) -> str:
    """The file of a report."""
    return f"diagnosis-{stamp}.{kind}"


def stamp_in(name: str, kind: str) -> str | None:
    """The moment in the name of a file of that kind; ``None`` for the names of others."""
    found = _NAME.match(name)
    return found.group(1) if found is not None and found.group(2) == kind else None


def outdated(stamps: Iterable[str], *, keep: int) -> list[str]:
    """Those of the reports that are no longer kept, oldest first."""
    ordered = sorted(stamps)
    return ordered[: max(0, len(ordered) - keep)]
