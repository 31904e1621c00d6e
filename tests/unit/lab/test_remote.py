# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ping that ran in the background counted."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from privatespace_lab.engine import LabError
from privatespace_lab.remote import parse_ping


def log(sent: int, answered: Iterable[int]) -> str:
    numbers = list(answered)
    lines = [f"[{1000 + number / 50:.6f}] 64 bytes from 10.1.1.1: icmp_seq={number} ttl=63" for number in numbers]
    return "\n".join([*lines, f"{sent} packets transmitted, {len(numbers)} received, 0% packet loss"])


@pytest.mark.parametrize(
    ("sent", "answered", "lost"),
    [
        (5, [1, 2, 3, 4, 5], 0),
        (5, [1, 2, 3, 4], 0),  # the last one was under way
        (5, [1, 2, 4, 5], 1),
        (5, [1, 2, 3], 1),
        (5, [], 4),
    ],
)
def test_lost_packets_are_counted_and_the_one_under_way_is_not(sent: int, answered: list[int], lost: int) -> None:
    assert parse_ping(log(sent, answered)).lost == lost


def test_the_longest_silence_lies_between_two_answers() -> None:
    assert parse_ping(log(100, [1, 2, 52, 53])).longest_silence == pytest.approx(1.0)


def test_a_log_without_a_summary_is_an_error() -> None:
    with pytest.raises(LabError, match="no summary"):
        parse_ping("ping: unknown host")
