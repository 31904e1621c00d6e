# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway's state takes over from the program that keeps its name."""

from __future__ import annotations

import json

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import parse_announcement

WHOLE = {"name": "leeds.example.net", "addresses": [], "checked_at": 1, "problem": "", "sources": {}}


def test_a_whole_announcement_is_taken_over() -> None:
    assert parse_announcement(json.dumps(WHOLE).encode()) == WHOLE


@pytest.mark.parametrize("content", [None, b"", b"{", b"null", b"[]", b"{}", b'{"name": "leeds.example.net"}'])
def test_what_cannot_be_read_is_no_announcement(content: bytes | None) -> None:
    assert parse_announcement(content) is None
