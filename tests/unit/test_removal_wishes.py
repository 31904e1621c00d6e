"""Who is to be removed, read before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.removal_wishes import removal_wishes


def test_a_user_or_a_single_device() -> None:
    whole = removal_wishes("", user="alice")
    assert (whole["users"], whole["common_names"]) == (["alice"], [])
    assert whole["pki_users"] == [{"name": "alice", "state": "absent"}]
    one = removal_wishes("", user="alice", device="phone", reason="keyCompromise")
    assert (one["users"], one["common_names"]) == ([], ["alice@phone"])
    assert one["pki_users"] == [
        {"name": "alice", "state": "absent", "devices": [{"name": "phone"}], "reason": "keyCompromise"}
    ]
    assert one["reason"] == "keyCompromise"


@pytest.mark.parametrize(
    "names",
    [
        "alice,bob@phone",
        " alice, bob@phone,",
        "alice\nbob@phone\nalice",
        ["alice", "bob@phone"],
        ["alice, bob@phone", "alice@laptop"],
    ],
)
def test_a_list_is_written_in_many_ways(names: Any) -> None:
    assert removal_wishes(names)["subjects"] == ["alice", "bob@phone"]


def test_devices_of_one_user_stand_together() -> None:
    assert removal_wishes("bob@phone,bob@laptop")["pki_users"] == [
        {"name": "bob", "state": "absent", "devices": [{"name": "phone"}, {"name": "laptop"}]}
    ]


@pytest.mark.parametrize(
    ("names", "more", "complaint"),
    [
        ("", {}, "user name '' is empty"),
        ("", {"user": "Alice"}, "user name 'Alice' holds the character 'A'"),
        ("", {"user": "alice@phone"}, "user name 'alice@phone' holds the character '@'"),
        ("", {"user": "alice", "device": "a:b"}, "device name 'a:b' holds the character ':'"),
        ("", {"device": "phone"}, "user name '' is empty"),
        ("alice@", {}, "device name"),
        ("@phone", {}, "user name '' is empty"),
        ("alice@phone@x", {}, "device name 'phone@x'"),
        ("../etc", {}, "user name '../etc' holds the character '/'"),
        ("a" * 64, {}, "is longer than 63 characters"),
        (f"{'a' * 40}@{'b' * 40}", {}, "has 81 characters"),
        ("alice", {"user": "bob"}, "and not both"),
        ("alice", {"reason": "boredom"}, "There is no reason 'boredom'"),
        ({"alice": 1}, {"reason": "\x00"}, "There is no reason"),
    ],
)
def test_what_cannot_be_meant_is_refused(names: Any, more: dict[str, str], complaint: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Nothing was changed") as caught:
        removal_wishes(names, **more)
    assert complaint in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once_and_briefly() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        removal_wishes([f"Bad{n}" for n in range(50)], reason="boredom")
    assert "Bad0" in str(caught.value)
    assert "And 31 more." in str(caught.value)
    assert len(str(caught.value)) < 5000
