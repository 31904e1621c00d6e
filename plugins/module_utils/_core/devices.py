# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of users, and which of them may not connect for now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

WHOLE_USER = ""


class Device(NamedTuple):
    """A device that has a certificate which can be used."""

    common_name: str
    user: str
    device: str


class Suspended(NamedTuple):
    """A device that may not connect, or with :data:`WHOLE_USER` every device of a user, later ones too."""

    user: str
    device: str = WHOLE_USER

    @property
    def subject(self) -> str:
        """As it is written: ``alice`` or ``alice@laptop``."""
        return f"{self.user}@{self.device}" if self.device else self.user


def describe_access(devices: Iterable[Device], suspended: Collection[Suspended]) -> dict[str, list[Any]]:
    """What gateways have to know.

    :returns: ``devices``, ordered by common name, each with ``common_name``, ``user``, ``device`` and ``disabled``; and
        ``disabled``, the common names of those that may not connect.
    """
    stopped = frozenset(suspended)
    rows = [
        {
            "common_name": each.common_name,
            "user": each.user,
            "device": each.device,
            "disabled": (each.user, WHOLE_USER) in stopped or (each.user, each.device) in stopped,
        }
        for each in sorted(devices)
    ]
    return {"devices": rows, "disabled": [row["common_name"] for row in rows if row["disabled"]]}
