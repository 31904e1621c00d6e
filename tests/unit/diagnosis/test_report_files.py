"""Which file is a report, and which reports have had their time."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_files import (
    file_name,
    outdated,
    stamp_in,
    stamp_of,
)


def test_the_moment_is_in_the_name_and_found_again() -> None:
    name = file_name(stamp_of(1_795_446_000), "json")
    assert name == "diagnosis-20261123T150000Z.json"
    assert stamp_in(name, "json") == "20261123T150000Z"


@pytest.mark.parametrize(
    "name",
    [
        *("latest.json", "diagnosis-20261123T150000Z.txt", "diagnosis-20261123T150000Z.json.bak", "diagnosis-.json"),
        *(
            "my-diagnosis-20261123T150000Z.json",
            "diagnosis-20261123T150000Z.json\n",
            ".diagnosis-20261123T150000Z.json",
        ),
    ],
)
def test_names_of_others_are_left_alone(name: str) -> None:
    assert stamp_in(name, "json") is None


@pytest.mark.parametrize(("keep", "gone"), [(0, ["a", "b", "c"]), (1, ["a", "b"]), (3, []), (50, [])])
def test_the_oldest_go_first(keep: int, gone: list[str]) -> None:
    assert outdated(["c", "a", "b"], keep=keep) == gone
