# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that publishes, and a gateway that follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.revocation.follower import Follower
from integration.revocation.publisher import Publisher, publishing


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as publisher:
        yield publisher


@pytest.fixture
def follower(tmp_path: Path, publisher: Publisher) -> Follower:
    """It has followed once, and has a good CRL with the serial number 5."""
    made = Follower(tmp_path)
    made.authority.revoked = [5]
    publisher.content = made.authority.crl().encode()
    made.write(urls=[publisher.url])
    assert made.run() == 0
    publisher.asked.clear()
    return made
