# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway's state takes over from the programs that keep its name and its certificate for browsers."""

from __future__ import annotations

import json

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import (
    parse_agent,
    parse_announcement,
    parse_web_certificate,
)

WHOLE = {"name": "leeds.example.net", "addresses": [], "checked_at": 1, "problem": "", "sources": {}}


def test_a_whole_announcement_is_taken_over() -> None:
    assert parse_announcement(json.dumps(WHOLE).encode()) == WHOLE


@pytest.mark.parametrize("content", [None, b"", b"{", b"null", b"[]", b"{}", b'{"name": "leeds.example.net"}'])
def test_what_cannot_be_read_is_no_announcement(content: bytes | None) -> None:
    assert parse_announcement(content) is None


def test_a_certificate_is_taken_over_without_what_is_nobodys_business() -> None:
    found = parse_web_certificate(
        json.dumps({"checked_at": 5, "fingerprint": "ab", "not_after": 9, "mark": "x"}).encode()
    )
    assert found is not None
    assert (found["fingerprint"], found["not_after"], found["problem"]) == ("ab", 9, "")
    assert found["days_left"] < 0
    assert "mark" not in found


@pytest.mark.parametrize("content", [None, b"", b"{", b"null", b"[]", b"{}", b'{"checked_at": "x"}'])
def test_what_cannot_be_read_is_no_certificate(content: bytes | None) -> None:
    assert parse_web_certificate(content) is None


def test_what_the_program_that_follows_the_crl_found_is_taken_over() -> None:
    found = parse_agent(json.dumps({"checked_at": 5, "problem": "x", "number": 7}).encode())
    assert found is not None
    assert (found["checked_at"], found["problem"], found["number"], found["etag"]) == (5.0, "x", 7, "")


@pytest.mark.parametrize("content", [None, b"", b"{", b"null", b"[]", b"{}", b'{"checked_at": "x"}'])
def test_what_cannot_be_read_is_no_such_program(content: bytes | None) -> None:
    assert parse_agent(content) is None
