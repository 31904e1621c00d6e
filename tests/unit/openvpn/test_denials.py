"""Who may not connect, decided from the register alone."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import (
    Denials,
    Entry,
    parse_entry,
    parse_register,
    render_changes,
    render_entry,
)


def register(*paths: str) -> Denials:
    return Denials(dict.fromkeys(paths, Entry(1, "removal")))


@pytest.mark.parametrize(
    ("paths", "denied", "let_in"),
    [
        (("users/al",), ("al@laptop", "al@phone", "al"), ("alice@laptop", "a@al", "bob@al")),
        (("devices/al@laptop",), ("al@laptop",), ("al@phone", "al@laptop2", "al")),
        (("lockdown/everybody",), ("al@laptop", "bob@x"), ()),
        (("lockdown/everybody", "lockdown/except/al"), ("alice@laptop",), ("al@laptop", "al@phone")),
        (("lockdown/everybody", "lockdown/except/al@phone"), ("al@laptop",), ("al@phone",)),
        (("lockdown/everybody", "lockdown/except/al", "users/al"), ("al@phone",), ()),
        (("lockdown/everybody", "lockdown/except/al", "devices/al@phone"), ("al@phone",), ("al@laptop",)),
        (("lockdown/except/al",), (), ("al@phone", "bob@x")),
        ((), (), ("al@phone",)),
    ],
)
def test_whole_names_decide(paths: tuple[str, ...], denied: tuple[str, ...], let_in: tuple[str, ...]) -> None:
    found = register(*paths)
    for names, expected in ((denied, True), (let_in, False)):
        for name in names:
            assert found.denies(name) is expected
            assert found.cuts(name) is expected


def test_a_lockdown_of_a_group_is_for_its_members() -> None:
    found = register("lockdown/groups/sales", "lockdown/except/al")
    assert found.why("bob@x", group="sales") == "lockdown/groups/sales"
    assert not found.denies("bob@x", group="staff")
    assert not found.denies("bob@x", group=None)
    assert not found.denies("al@x", group="sales")


def test_a_crl_that_expired_refuses_who_comes_and_cuts_nobody() -> None:
    found = register("expired", "lockdown/except/al")
    assert found.denies("al@x")
    assert not found.cuts("al@x")
    assert not found.somebody
    assert register("devices/al@x").somebody


def test_an_entry_is_read_back() -> None:
    for entry in (Entry(7, "removal", ("1", "20")), Entry(7, "lockdown"), Entry()):
        assert parse_entry(render_entry(entry)) == entry


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"{}",
        b'{"since": "x", "reason": "r", "serials": null}',
        b'{"since": 1, "reason": "r", "serials": []}',
        b'{"since": 1, "reason": "r", "serials": [1]}',
        b'{"since": 1, "reason": "r", "serials": "12"}',
    ],
)
def test_a_file_that_says_nothing_denies_until_somebody_lifts_it(content: bytes) -> None:
    found = parse_register({"users/al": content})
    assert found.denies("al@x")
    assert found.entries["users/al"].serials is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("1",), ("20", "3"), ("1", "3", "20")),
        (None, ("3",), None),
        (("3",), None, None),
        (("3",), ("3",), ("3",)),
    ],
)
def test_of_two_denials_the_stricter_one_holds(
    old: tuple[str, ...] | None, new: tuple[str, ...] | None, expected: tuple[str, ...] | None
) -> None:
    before = Denials({"users/al": Entry(5, "removal", old)})
    after = before.with_added({"users/al": Entry(9, "removal", new)})
    assert after.entries["users/al"] == Entry(5, "removal", expected)
    assert (after == before) is (old == expected)


def test_only_what_differs_is_written() -> None:
    before = register("users/al", "users/bob")
    after = before.without(["users/al", "users/nobody"]).with_added({"lockdown/everybody": Entry(2, "lockdown")})
    assert render_changes(before, after) == {
        "users/al": None,
        "lockdown/everybody": b'{"since": 2, "reason": "lockdown", "serials": null}\n',
    }
    assert not render_changes(before, before)


def test_the_entries_of_a_user_are_found_by_whole_names() -> None:
    found = register("users/al", "users/alice", "devices/al@x", "devices/alice@x", "lockdown/except/al")
    assert found.of_user("al") == ("devices/al@x", "users/al")
    assert [one["entry"] for one in found.as_list()] == sorted(found.entries)
