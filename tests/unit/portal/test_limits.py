"""How often visitors may be wrong, and who they are."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._portal import limits
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.limits import (
    Limits,
    journal_names,
    name_visitor,
    parse_journal,
)


def test_a_visitor_who_was_wrong_too_often_waits_and_may_then_try_again() -> None:
    counted = Limits(per_visitor=3, in_all=100)
    assert [counted.count_wrong("a", now=0) for _time in range(4)] == [0, 0, 0, 200]
    assert counted.count_wrong("b", now=0) == 0
    assert counted.count_wrong("a", now=199) == 1
    assert counted.count_wrong("a", now=399) == 0


def test_everybody_together_is_put_off() -> None:
    counted = Limits(per_visitor=100, in_all=2)
    assert [counted.count_wrong("", now=0) for _time in range(3)] == [0, 0, 300]
    assert counted.count_wrong("a", now=0) == 300
    assert counted.count_wrong("", now=600) == 0


def test_who_waits_takes_nothing_from_the_others() -> None:
    counted = Limits(per_visitor=1, in_all=2)
    assert [counted.count_wrong("a", now=0) for _time in range(50)] == [0] + [600] * 49
    assert counted.count_wrong("b", now=0) == 0


def test_a_clock_that_is_set_back_gives_nothing_away() -> None:
    counted = Limits(per_visitor=1, in_all=100)
    counted.count_wrong("a", now=1000)
    assert counted.count_wrong("a", now=0) == 600


def test_only_so_many_visitors_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_VISITORS", 2)
    counted = Limits(per_visitor=1, in_all=100)
    for visitor in ("a", "b", "c"):
        counted.count_wrong(visitor, now=0)
    assert [bool(counted.count_wrong(visitor, now=0)) for visitor in ("b", "c", "a")] == [True, True, False]


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("0.0.0.0", ""),
        ("", ""),
        ("unix:", ""),
        ("192.0.2.7, 198.51.100.1", ""),
    ],
)
def test_by_what_a_visitor_is_counted(address: str, visitor: str) -> None:
    assert name_visitor(address) == visitor


def test_the_journal_of_port_sharing_is_found_and_read() -> None:
    assert "[AF_INET]127.0.0.1:40001" in journal_names("127.0.0.1", "40001")
    assert "[AF_INET6]::1:40001" in journal_names("::1", "40001")
    for address, port in (("", "1"), ("../x", "1"), ("127.0.0.1", ""), ("127.0.0.1", "../1"), ("127.0.0.1", "²")):
        assert journal_names(address, port) == ()
    assert parse_journal("[AF_INET]192.0.2.7:50412\n") == "192.0.2.7"
    assert parse_journal("[AF_INET6]2001:db8::7:50412") == "2001:db8::7"
    assert parse_journal("") == ""
