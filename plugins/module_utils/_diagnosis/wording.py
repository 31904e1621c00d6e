# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers with their units, as a person says them."""

from __future__ import annotations

import math


def rate(bits: float) -> str:
    """A rate of two digits that mean something: ``9.8 Mbit/s``, ``94 Mbit/s``, ``940 Mbit/s``."""
    mbit = bits / 1e6
    if mbit >= 10:
        return f"{rounded(mbit, 2):,.0f} Mbit/s"
    return f"{mbit:.1f} Mbit/s" if mbit >= 0.1 else f"{bits / 1e3:.0f} kbit/s"


def share(value: float) -> str:
    """A share in percent: ``0.4 %``, ``3.1 %``, ``42 %``."""
    percent = value * 100
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def duration(seconds: float) -> str:
    """A time: ``40 ms``, ``2.5 s``, ``10 minutes``, ``3 hours``, ``12 days``."""
    size = abs(seconds)
    if size < 1:
        return f"{seconds * 1e3:.0f} ms"
    for unit, length in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if size >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.1f} s"


def rounded(value: float, digits: int) -> float:
    """Rounded to so many digits that mean something."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def listed(words: tuple[str, ...] | list[str]) -> str:
    """Names in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), *words[-1:]])
