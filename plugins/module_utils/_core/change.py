# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change as a value: what was found, what is wanted, and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Step = TypeVar("Step")


@dataclass(frozen=True)
class Change(Generic[Step]):
    """The outcome of a plan: pure data, decided before anything is touched.

    :param before: Facts about the state found, fit to be shown in a diff (no secrets).
    :param after: The same facts once ``steps`` have been applied.
    :param steps: What is to be done, in order; empty when the state is already as wanted.
    :param result: Return values that hold whether or not the change is applied.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    steps: tuple[Step, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needed(self) -> bool:
        """Whether anything has to be done at all."""
        return bool(self.steps)
