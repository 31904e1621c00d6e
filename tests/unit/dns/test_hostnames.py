# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that come from variables: what is accepted, and that the error says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import (
    parse_label,
    parse_name,
    parse_name_in_zone,
    parse_zone,
)


@pytest.mark.parametrize("label", ["a", "cambridge2", "stoke-on-trent", "9", "x" * 63])
def test_labels_that_are_right(label: str) -> None:
    assert parse_label(label, what="The name") == label


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "is empty"),
        ("*", "is a wildcard"),
        ("*bridge", "is a wildcard"),
        ("x" * 300, "longer than the 63 characters"),
        ("cambridge\nup /bin/sh", "control character"),
        ("cambridge\0", "control character"),
        ("-cambridge", "may hold a-z"),
        ("cambridge-", "may hold a-z"),
        ("cam_bridge", "may hold a-z"),
        ("cam bridge", "may hold a-z"),
        ("cambr\u0131dge", "may hold a-z"),
        ("a.b", "may hold a-z"),
        (2, "is not a word"),
        (None, "is not a word"),
    ],
)
def test_labels_that_are_refused(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_label(value, what="The name")


def test_case_and_the_last_dot_make_no_difference() -> None:
    assert parse_zone("Example.NET.") == "example.net"


@pytest.mark.parametrize(
    "value", ["example..net", ".example.net", "*.example.net", "a" * 64 + ".net", "ab." * 100 + "net"]
)
def test_names_that_are_refused(value: str) -> None:
    with pytest.raises(InputError):
        parse_name(value, what="The name")


def test_a_top_level_domain_is_no_zone() -> None:
    with pytest.raises(InputError, match="top-level"):
        parse_zone("net")


@pytest.mark.parametrize("value", ["cambridge", "CAMBRIDGE.example.net", "cambridge.example.net."])
def test_a_name_in_a_zone_by_label_or_in_full(value: str) -> None:
    assert parse_name_in_zone(value, "example.net", what="The name") == "cambridge.example.net"


@pytest.mark.parametrize("value", ["example.net", "cambridge.example.org", "cambridge.badexample.net", ""])
def test_a_name_of_another_zone_is_refused(value: str) -> None:
    with pytest.raises(InputError):
        parse_name_in_zone(value, "example.net", what="The name")
