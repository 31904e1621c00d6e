"""What is refused before a link is made, and which links go."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.plan import (
    Found,
    Steps,
    Wanted,
    check_address,
    check_profiles,
    link_url,
    plan_links,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.settings import (
    PortalSettings,
    parse_portal_settings,
)

ALICE = Wanted("alice", "laptop", "client\n", "alice@laptop.ovpn")
THERE = [
    Found("1.waiting", "alice", "laptop", claimed=False),
    Found("2.claimed", "alice", "laptop", claimed=True),
    Found("3.waiting", "alice", "phone", claimed=False),
    Found("4.waiting", "bob", "laptop", claimed=False),
]


def test_a_new_link_takes_the_place_of_those_of_its_device() -> None:
    change = plan_links([ALICE], THERE, present=True)
    assert change.steps == (Steps((ALICE,), ("1.waiting", "2.claimed")),)
    assert change.after == {"alice@laptop": "a new link"}
    assert change.result == {"erased": ["alice@laptop"]}
    assert "client" not in repr((change.before, change.after, change.result))


def test_without_a_device_all_links_of_the_user_go() -> None:
    change = plan_links([Wanted("alice", "")], THERE, present=False)
    assert change.steps == (Steps((), ("1.waiting", "2.claimed", "3.waiting")),)
    assert change.result == {"erased": ["alice@laptop", "alice@phone"]}


def test_where_nothing_is_to_go_nothing_changes() -> None:
    assert not plan_links([Wanted("carol", "")], THERE, present=False).needed
    assert not plan_links([], THERE, present=True).needed


def test_a_link_hides_its_token_from_servers() -> None:
    assert link_url("a.example.net", "TOKEN") == "https://a.example.net/link#TOKEN"
    assert link_url("a.example.net", "TOKEN", port=8443) == "https://a.example.net:8443/link#TOKEN"


@pytest.mark.parametrize("host", ["", "a b", "https://a", "a/b", "a#b", "-a", "A.example", "a\n", "a" * 254])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="no name of a host"):
        check_address(host, port=443, hours=1)


@pytest.mark.parametrize(
    ("port", "hours", "words"), [(0, 1, "no port"), (65536, 1, "no port"), (1, 0, "0 hours"), (1, 721, "721 hours")]
)
def test_ports_and_hours_have_bounds(port: int, hours: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_address("a.example.net", port=port, hours=hours)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([Wanted("alice", "laptop", "", "a.ovpn")], "0 bytes"),
        ([Wanted("alice", "laptop", "canary" * 50_000, "a.ovpn")], "300000 bytes"),
        ([Wanted("alice", "laptop", "canary", "../a.ovpn")], "no name for the profile"),
        ([Wanted("alice", "laptop", "canary", "a.exe")], "no name for the profile"),
        ([Wanted("alice", "laptop", "canary", "a.ovpn\r\nX: y.ovpn")], "control character"),
        ([ALICE, ALICE], "there twice"),
    ],
)
def test_bad_profiles_are_refused_and_not_shown(wanted: list[Wanted], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_profiles(wanted)
    assert "canary" not in str(caught.value)


def test_settings_have_defaults() -> None:
    assert parse_portal_settings({"folder": "/links"}) == PortalSettings("/links")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "no 'folder'"),
        ({}, "no 'folder'"),
        ({"folder": 1}, "no 'folder'"),
        ({"folder": "/x", "more": 1}, "no setting 'more'"),
        ({"folder": "/x", "retry_seconds": 59}, "'retry_seconds' is 59"),
        ({"folder": "/x", "wrong_in_all": "many"}, "'wrong_in_all' is many"),
        ({"folder": "/x", "wrong_in_all": True}, "'wrong_in_all' is True"),
        ({"folder": "/x", "journal_folder": 1}, "'journal_folder' is no text"),
    ],
)
def test_bad_settings_are_named(found: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_portal_settings(found)
