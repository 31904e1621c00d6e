# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long to wait before asking again, so that many who were sent away do not come back together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0
MOST_WAITS = 7


@dataclass(frozen=True)
class Patience:
    """Waiting, with what it may not take by itself.

    :param sleep: Waits for seconds.
    :param chance: A number from 0 to 1 at each call.
    """

    sleep: Callable[[float], None]
    chance: Callable[[], float]

    def waits(self) -> Iterator[float]:
        """Seconds to wait, each bound twice the last one, half of it by chance; after those it is time to give up."""
        for number in range(MOST_WAITS):
            bound = min(FIRST_SECONDS * 2**number, LONGEST_SECONDS)
            yield bound / 2 + bound / 2 * self.chance()
