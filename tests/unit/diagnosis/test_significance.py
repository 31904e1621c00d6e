"""What is said of two settings: right about the difference, and seldom wrong where there is none."""

from __future__ import annotations

import random

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.significance import (
    A_BETTER,
    B_BETTER,
    NO_DIFFERENCE,
    TOO_FEW,
    judge,
)

A = [90e6 + 1e6 * one for one in range(10)]


def scaled(*factors: float) -> list[float]:
    return [value * factors[place % len(factors)] for place, value in enumerate(A)]


def test_the_sentence_of_a_clear_difference() -> None:
    found = judge(A, scaled(1.08, 1.12, 1.17, 1.12, 1.12))
    assert found.verdict == B_BETTER
    assert found.p == 2 / 1024
    assert found.effect == pytest.approx(12, abs=0.5)
    assert found.sentence == "B is 12 % faster (10 to 14 %, 10 pairs, Wilcoxon signed-rank, p = 0.002)."


def test_who_is_faster_is_told_from_its_own_side() -> None:
    found = judge(A, scaled(0.8))
    assert found.verdict == A_BETTER
    assert found.effect == pytest.approx(-20)
    assert found.sentence.startswith("A is 25 % faster (25 to 25 %, ")


def test_of_times_less_is_better() -> None:
    found = judge(A, scaled(0.8), lower_is_better=True)
    assert found.verdict == B_BETTER
    assert found.sentence.startswith("B takes 20 % less (20 to 20 %, ")
    assert judge(scaled(0.8), A, lower_is_better=True).sentence.startswith("A takes 20 % less (")


def test_few_pairs_show_nothing() -> None:
    found = judge(A[:5], scaled(3)[:5])
    assert (found.verdict, found.n) == (TOO_FEW, 5)
    assert found.sentence.startswith("5 pairs cannot show any difference")
    assert judge(A[:6], scaled(3)[:6]).verdict == B_BETTER
    assert judge(A[:6], scaled(3)[:6], alpha=0.025).verdict == TOO_FEW
    assert judge([], []).verdict == TOO_FEW


def test_a_real_difference_that_nobody_would_notice() -> None:
    found = judge(A, scaled(1.01, 1.012))
    assert found.verdict == NO_DIFFERENCE
    assert found.p < 0.05
    assert found.sentence.startswith("There is a difference, but none of 3.0 % or more: B is between +1.0 and +1.2 %")


def test_equal_is_said_where_it_is_shown_and_only_there() -> None:
    close = judge(A, scaled(1.004, 0.995, 1.002, 0.997))
    assert close.sentence.startswith("A and B are equal within 3.0 %: B is between -0.")
    wide = judge(A, scaled(1.3, 0.75, 1.2, 0.8))
    assert wide.verdict == NO_DIFFERENCE
    assert wide.sentence.startswith("No difference is shown: B is between -")
    assert wide.sentence.endswith("More measurements would narrow that.")


def test_what_carries_nothing_at_all_is_worse_and_no_crash() -> None:
    assert judge(A, [0.0] * 10).verdict == A_BETTER
    assert judge([0.0] * 10, [0.0] * 10).verdict == NO_DIFFERENCE


def test_groups_without_pairs() -> None:
    found = judge(A, [one * 1.3 for one in A[:8]], paired=False)
    assert (found.verdict, found.test, found.n) == (B_BETTER, "Mann-Whitney U", 18)
    assert "18 measurements" in found.sentence


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [([1.0], [], "1 measurements of A and 0 of B"), ([-1.0], [1.0], "negative"), ([float("nan")], [1.0], "no number")],
)
def test_what_cannot_be_compared_is_refused(a: list[float], b: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge(a, b)


def drifting(
    chance: random.Random, *, factor: float, scatter: float, holes: float = 0.02
) -> tuple[list[float], list[float]]:
    """Ten pairs over a line that drifts, now and then with a hole that swallows most of one measurement."""
    a: list[float] = []
    b: list[float] = []
    for place in range(10):
        line = 100 * (1 + 0.05 * place)
        for values, times in ((a, 1.0), (b, factor)):
            hole = 0.3 if chance.random() < holes else 1.0
            values.append(line * times * hole * chance.lognormvariate(0, scatter))
    return a, b


def test_chance_is_believed_seldom() -> None:
    """Equal settings, seeded: at most ``alpha`` of the comparisons find a difference, and not far fewer."""
    chance = random.Random(20260101)  # noqa: S311 - no secret comes of it
    found = [judge(*drifting(chance, factor=1.0, scatter=0.1)).verdict for _repeat in range(2000)]
    # 0.0488 is what ten pairs can have below 0.05; three standard deviations of a binomial of 2000 are 0.0145.
    assert 0.034 <= 1 - found.count(NO_DIFFERENCE) / 2000 <= 0.064


def test_chance_is_believed_seldom_without_pairs() -> None:
    chance = random.Random(20260102)  # noqa: S311 - no secret comes of it
    groups = [
        [[chance.lognormvariate(0, 0.2) for _repeat in range(8)] for _repeat in range(2)] for _repeat in range(600)
    ]
    found = [judge(a, b, paired=False).verdict for a, b in groups]
    # The same for 600, 0.027, around 0.0499.
    assert 0.022 <= 1 - found.count(NO_DIFFERENCE) / 600 <= 0.077


def test_a_difference_is_found_and_its_interval_holds_it() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret comes of it
    found = [judge(*drifting(chance, factor=1.2, scatter=0.1, holes=0.0)) for _repeat in range(400)]
    assert all(one.verdict != A_BETTER for one in found)
    assert sum(one.verdict == B_BETTER for one in found) / 400 > 0.9
    held = sum(one.low is not None and one.high is not None and one.low <= 20 <= one.high for one in found)
    assert held / 400 >= 0.93


def test_holes_hide_a_difference_but_turn_none_round() -> None:
    chance = random.Random(8)  # noqa: S311 - no secret comes of it
    found = [judge(*drifting(chance, factor=1.2, scatter=0.05, holes=0.1)) for _repeat in range(200)]
    assert {one.verdict for one in found} == {B_BETTER, NO_DIFFERENCE}
