# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``preload``."""

from __future__ import annotations

from typing import Callable, TypeVar

_T = TypeVar("_T")


def preload(value: _T) -> _T:
    """Return a value as it is: that Ansible looked for this filter has loaded them all."""
    return value


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        return {"preload": preload}
