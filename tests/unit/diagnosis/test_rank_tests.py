"""The tests against published tables and textbook examples, against every case counted out, and against chance.

Sources: [SC] S. Siegel and N. J. Castellan, Nonparametric Statistics (1988); [HWC] M. Hollander, D. A. Wolfe and
E. Chicken, Nonparametric Statistical Methods (2014); [W] F. Wilcoxon, Individual Comparisons by Ranking Methods
(1945); [C] W. J. Conover, Practical Nonparametric Statistics (1999), table A12.
"""

from __future__ import annotations

import math
import random
from itertools import combinations, product

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.rank_tests import (
    doubled_ranks,
    estimate_paired,
    estimate_unpaired,
    least_p_paired,
    least_p_unpaired,
    rank_sum_test,
    sign_test,
    signed_rank_test,
)

# Hamilton's depression factor before and after a tranquilizer, nine patients: [HWC] table 3.1.
BEFORE = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
AFTER = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
DEPRESSION = tuple(late - early for early, late in zip(BEFORE, AFTER, strict=True))
# Permeability of human membranes at term, and between 12 and 26 weeks: [HWC] table 4.1.
TERM = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
EARLY = (1.15, 0.88, 0.90, 0.74, 1.21)
# Differences of cross- and self-fertilised maize of Darwin, in eighths of an inch; [W] and Fisher (1935) use them.
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)


def with_sum(n: int, wanted: int) -> list[float]:
    """Differences of the sizes 1 to n, of which the positive ones add up to a sum."""
    left, values = wanted, []
    for size in range(n, 0, -1):
        is_positive = size <= left
        left -= size if is_positive else 0
        values.append(float(size if is_positive else -size))
    assert left == 0
    return values


# [C] table A12: the largest sum of ranks that is significant at 0.05, two-sided.
@pytest.mark.parametrize(
    ("n", "critical"), [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (11, 10), (12, 13), (15, 25), (20, 52), (25, 89)]
)
def test_signed_rank_against_the_published_critical_values(n: int, critical: int) -> None:
    assert signed_rank_test(with_sum(n, critical)).p <= 0.05 < signed_rank_test(with_sum(n, critical + 1)).p


# [SC] table J, n = m: the largest U that is significant at 0.05, two-sided (Mann and Whitney 1947, Auble 1953).
@pytest.mark.parametrize(
    ("n", "m", "critical"), [(4, 4, 0), (5, 5, 2), (6, 6, 5), (8, 8, 13), (10, 10, 23), (5, 10, 8)]
)
def test_rank_sum_against_the_published_critical_values(n: int, m: int, critical: int) -> None:
    def p_of(u: int) -> float:
        ranks = list(range(1, m + 1))
        for place in range(m - 1, -1, -1):
            moved = min(u, n)
            ranks[place] += moved
            u -= moved
        others = [one for one in range(1, n + m + 1) if one not in ranks]
        return rank_sum_test(others, ranks).p

    assert p_of(critical) <= 0.05 < p_of(critical + 1)


def test_the_depression_example_of_hollander_and_wolfe() -> None:
    outcome = signed_rank_test(DEPRESSION)
    # T+ = 5, one-sided P = 0.020 in [HWC] example 3.1; R's wilcox.test prints V = 40 (the other sign), p = 0.03906.
    assert (outcome.statistic, outcome.used) == (5, 9)
    assert outcome.p == pytest.approx(20 / 512)
    estimate = estimate_paired(DEPRESSION, alpha=0.05)
    # [HWC] example 3.3 gives -0.46, and 3.4 (-0.786, -0.010) at 96.1 %.
    assert estimate.value == pytest.approx(-0.46)
    assert (estimate.low, estimate.high) == pytest.approx((-0.786, -0.010))


def test_the_permeability_example_of_hollander_and_wolfe() -> None:
    # R's wilcox.test(x, y) for it: W = 35, p-value = 0.2544 two-sided (0.1272 one-sided in its help page).
    outcome = rank_sum_test(EARLY, TERM)
    assert outcome.statistic == 35
    assert outcome.p == pytest.approx(0.2544, abs=5e-5)
    # [HWC] example 4.3: the estimate is 0.305.
    assert estimate_unpaired(EARLY, TERM, alpha=0.05).value == pytest.approx(0.305)


def test_darwins_maize() -> None:
    # By hand: two of fifteen are negative, 2 * (1 + 15 + 105) / 2^15; the ranks of -48 and -67 are 11 and 14 of 120.
    assert sign_test(MAIZE).p == pytest.approx(242 / 32768)
    outcome = signed_rank_test(MAIZE)
    assert outcome.statistic == 96
    # Wilcoxon's approximation is near; the exact tail is counted in the test below for smaller n.
    assert outcome.p == pytest.approx(0.041, abs=0.001)


@pytest.mark.parametrize(("positive", "n", "p"), [(0, 5, 0.0625), (0, 6, 0.03125), (1, 8, 18 / 256), (5, 10, 1.0)])
def test_sign_test_by_hand(positive: int, n: int, p: float) -> None:
    outcome = sign_test([1.0] * positive + [-1.0] * (n - positive) + [0.0] * 3)
    assert (outcome.statistic, outcome.used) == (positive, n)
    assert outcome.p == pytest.approx(p)


def test_equal_values_share_their_mean_rank() -> None:
    assert doubled_ranks([3, 1, 3, 2]) == [7, 2, 7, 4]


@pytest.mark.parametrize("seed", range(10))
def test_signed_rank_counts_every_case_also_with_ties_and_zeros(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret comes of it
    values = [float(chance.randint(-4, 4)) for _repeat in range(9)]
    kept = [one for one in values if one]
    ranks = [
        sum(abs(other) < abs(one) for other in kept) + (sum(abs(o) == abs(one) for o in kept) + 1) / 2 for one in kept
    ]
    seen = sum(rank for rank, one in zip(ranks, kept, strict=True) if one > 0)
    sums = [sum(r for r, s in zip(ranks, signs, strict=True) if s) for signs in product((0, 1), repeat=len(kept))]
    tail = min(sum(one <= seen for one in sums), sum(one >= seen for one in sums))
    outcome = signed_rank_test(values)
    assert outcome.statistic == seen
    assert outcome.p == pytest.approx(min(1.0, 2 * tail / len(sums)))


@pytest.mark.parametrize("seed", range(10))
def test_rank_sum_counts_every_case_also_with_ties(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret comes of it
    values = [float(chance.randint(0, 5)) for _repeat in range(9)]
    ranks = [sum(o < one for o in values) + (sum(o == one for o in values) + 1) / 2 for one in values]
    seen = sum(ranks[5:])
    sums = [sum(choice) for choice in combinations(ranks, 4)]
    tail = min(sum(one <= seen for one in sums), sum(one >= seen for one in sums))
    assert rank_sum_test(values[:5], values[5:]).p == pytest.approx(min(1.0, 2 * tail / len(sums)))


def test_many_values_are_approximated_and_agree_with_the_count() -> None:
    chance = random.Random(5)  # noqa: S311 - no secret comes of it
    first = [chance.gauss(0, 1) for _repeat in range(20)]
    second = [chance.gauss(0.7, 1) for _repeat in range(20)]
    counted, near = rank_sum_test(first, second), rank_sum_test(first * 2, second * 2)
    assert counted.exact
    assert not near.exact
    # Equal halves: R's normal approximation with continuity correction, by its formula.
    u, variance = near.statistic, 40 * 40 / 12 * (81 - 40 * (2**3 - 2) / (80 * 79))
    z = (abs(u - 800) - 0.5) / math.sqrt(variance)
    assert near.p == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_all_equal_is_no_difference() -> None:
    assert signed_rank_test([0.0] * 8).p == 1.0
    assert rank_sum_test([1.0] * 30, [1.0] * 30).p == 1.0
    assert estimate_paired([0.0] * 8, alpha=0.05).value == 0.0


def test_intervals_are_open_where_the_level_cannot_be_had() -> None:
    assert estimate_paired([1.0, 2.0, 3.0], alpha=0.05).low == -math.inf
    assert estimate_unpaired([1.0], [2.0], alpha=0.05).high == math.inf
    assert estimate_paired([], alpha=0.05).high == math.inf


@pytest.mark.parametrize("seed", range(30))
def test_intervals_leave_zero_out_exactly_where_the_test_is_significant(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret comes of it
    values = [chance.gauss(0.8, 1) for _repeat in range(10)]
    estimate = estimate_paired(values, alpha=0.05)
    assert (not estimate.low <= 0 <= estimate.high) == (signed_rank_test(values).p <= 0.05)
    first, second = values[:5], [one + chance.gauss(1, 1) for one in values[5:]]
    unpaired = estimate_unpaired(first, second, alpha=0.05)
    assert (not unpaired.low <= 0 <= unpaired.high) == (rank_sum_test(first, second).p <= 0.05)


def test_the_least_p_is_the_one_of_the_extreme_case() -> None:
    assert least_p_paired(10) == signed_rank_test([1.0 + i for i in range(10)]).p == sign_test([1.0] * 10).p
    assert least_p_unpaired(4, 5) == pytest.approx(rank_sum_test([1, 2, 3, 4], [5, 6, 7, 8, 9]).p)
    assert least_p_unpaired(0, 5) == 1.0
