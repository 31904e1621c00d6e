"""Hours of a day in which something may happen."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.is_within_hours import FilterModule
from ansible_collections.privatespace.gateway.plugins.module_utils._core.hours import is_within_hours


@pytest.mark.parametrize(
    ("hours", "within"),
    [
        ("02-05", {2, 3, 4}),
        ("22-04", {22, 23, 0, 1, 2, 3}),
        ("22-24", {22, 23}),
        ("0-24", set(range(24))),
        ("", set(range(24))),
    ],
)
def test_hours_begin_with_the_first_and_end_before_the_second(hours: str, within: set[int]) -> None:
    assert {hour for hour in range(24) if is_within_hours(hours, hour=hour)} == within


@pytest.mark.parametrize("hours", ["2", "05-05", "02-25", "02-05\n", "at night", "-1-4"])
def test_what_are_no_hours_is_refused(hours: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Write them like 02-05"):
        FilterModule().filters()["is_within_hours"](hours, 3)
