"""What a removal or a lockdown would do, and who could not tell."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.removal_check import removal_check
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_orders import Orders

SIGNED = Orders(is_signed=True).as_dict()
UNSIGNED = Orders(problem="There is no token.").as_dict()
DOWN = {"unreachable": True, "msg": "Connection refused"}
BROKEN = {"failed": True, "msg": "This gateway refuses by the CRL only."}
HANGING = {"failed": True, "timedout": 60, "msg": "Timed out after 60 second(s)."}


def told(*names: str) -> dict[str, Any]:
    return {"sessions_cut": [{"common_name": name} for name in names]}


def test_who_would_be_cut_is_told_once() -> None:
    foretold = removal_check({"a": told("x@1", "y@1"), "b": told("y@1")}, denials={"a": told("z@1")}, orders=SIGNED)
    assert foretold == {"cut": ["x@1", "y@1", "z@1"], "silent": [], "failure": ""}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "it was not asked (is it left out by --limit?)"),
        (DOWN, "it could not be reached: Connection refused"),
        (HANGING, "it did not answer within 60 s"),
        (BROKEN, "This gateway refuses by the CRL only."),
    ],
)
def test_who_could_not_tell_is_named(answer: dict[str, Any], words: str) -> None:
    foretold = removal_check({"a": told(), "b": answer})
    assert foretold["silent"] == [f"NO ANSWER from b: {words}"]
    assert "b, without an answer" in foretold["failure"]


@pytest.mark.parametrize(
    ("orders", "early", "late", "silent"),
    [
        (SIGNED, BROKEN, told(), []),
        (SIGNED, told(), DOWN, ["b"]),
        (SIGNED, told(), {}, ["b"]),
        (UNSIGNED, told(), {}, ["ca"]),
        (UNSIGNED, DOWN, {}, ["ca", "b"]),
        (UNSIGNED, told(), DOWN, ["ca", "b"]),
        (UNSIGNED, {}, {}, ["ca", "b"]),
    ],
)
def test_the_answer_counts_that_would_be_the_proof(orders: Any, early: Any, late: Any, silent: list[str]) -> None:
    foretold = removal_check({"b": late}, denials={"b": early}, orders=orders, authority="ca")
    assert [line.split()[3].rstrip(":") for line in foretold["silent"]] == silent
    assert ("There is no token." in str(foretold["silent"])) is (orders is UNSIGNED)


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="removal_check: the answers"):
        removal_check({"a": "nothing"})  # type: ignore[dict-item]
