"""Links as they lie on the gateway: what their files are called and say, and when they are over."""

from __future__ import annotations

import json

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.links import (
    Entry,
    Link,
    digest_claim,
    is_over,
    parse_entry,
    parse_link,
    render_link,
)

ID = "0123456789abcdef" * 2
LINK = Link(ID, "alice", "laptop", 1000, "c2VhbGVk", "ZXh0cmFz")
CLAIMED = Entry(ID, digest_claim("x" * 43))


@pytest.mark.parametrize("entry", [Entry(ID), CLAIMED])
def test_a_name_tells_the_entry(entry: Entry) -> None:
    assert parse_entry(entry.name) == entry


@pytest.mark.parametrize(
    "name", ["", ".new-abc", f"{ID}.json", f"{ID[1:]}.waiting", f"{ID}.waiting\n", f"{ID}.x.claimed"]
)
def test_other_files_are_none_of_ours(name: str) -> None:
    assert parse_entry(name) is None


def test_a_claim_is_not_told_by_a_name() -> None:
    assert "x" * 5 not in CLAIMED.name
    assert digest_claim("y" * 43) != CLAIMED.claim


def test_a_link_is_read_as_it_was_written() -> None:
    assert parse_link(render_link(LINK), link_id=ID) == LINK


@pytest.mark.parametrize(
    "change",
    [{"id": "f" * 32}, {"version": 2}, {"expires": "soon"}, {"expires": True}, {"sealed": None}, {"user": 7}],
)
def test_a_file_that_does_not_hold_its_link_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(StateError):
        parse_link(json.dumps({**json.loads(render_link(LINK)), **change}).encode(), link_id=ID)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(StateError):
        parse_link(content, link_id=ID)


@pytest.mark.parametrize(
    ("entry", "touched", "now", "over"),
    [
        (Entry(ID), 0, 999, False),
        (Entry(ID), 0, 1000, True),
        (CLAIMED, 500, 1099, False),
        (CLAIMED, 500, 1100, True),
        # Claimed just before it expired: the page has its time.
        (CLAIMED, 999, 1500, False),
        (CLAIMED, 999, 1599, True),
        # A clock that was wrong at the claim keeps nothing for ever.
        (CLAIMED, 9_000_000, 1600, True),
    ],
)
def test_when_a_link_is_over(entry: Entry, touched: float, now: float, over: bool) -> None:
    assert is_over(entry, LINK, touched=touched, now=now, retry_seconds=600) is over
