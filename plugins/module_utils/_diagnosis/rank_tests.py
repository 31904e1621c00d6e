# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that ask nothing of how measurements scatter: sign, Wilcoxon signed-rank and Mann-Whitney U, all two-sided.

Probabilities are exact, counted over every way in which the signs, or the groups, could have fallen; with equal values
over the ranks as they are (conditional on the ties). Only Mann-Whitney with many values uses the normal approximation,
corrected for ties and continuity. Estimates are those of Hodges and Lehmann with the intervals that belong to the
tests (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, chapters 3 and 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

SIGN, SIGNED_RANK, RANK_SUM = "sign", "Wilcoxon signed-rank", "Mann-Whitney U"
# Up to so many values in all, Mann-Whitney is counted out.
MOST_COUNTED_OUT = 40
_UNBOUNDED = math.inf


@dataclass(frozen=True)
class Outcome:
    """What a test says.

    :param statistic: Positive differences, the sum of their ranks, or U of the second group.
    :param used: Differences that are not zero, or values in all.
    :param exact: Whether every case was counted.
    """

    test: str
    statistic: float
    p: float
    used: int
    exact: bool = True


@dataclass(frozen=True)
class Estimate:
    """The Hodges-Lehmann estimate with its interval; infinite where there are too few values for the level."""

    value: float
    low: float
    high: float


def sign_test(differences: Sequence[float]) -> Outcome:
    """Whether positive and negative differences are equally likely; zeros are left out."""
    positive = sum(one > 0 for one in differences)
    used = sum(one != 0 for one in differences)
    tail = sum(math.comb(used, number) for number in range(min(positive, used - positive) + 1))
    return Outcome(SIGN, positive, min(1.0, 2 * tail / 2**used), used)


def signed_rank_test(differences: Sequence[float]) -> Outcome:
    """Whether differences lie evenly around zero; zeros are left out, equal sizes share their mean rank."""
    kept = [one for one in differences if one != 0]
    ranks = doubled_ranks([abs(one) for one in kept])
    statistic = sum(rank for rank, one in zip(ranks, kept) if one > 0)
    counts = _sums_of_subsets(ranks)
    return Outcome(SIGNED_RANK, statistic / 2, _two_sided(counts, statistic), len(kept))


def rank_sum_test(first: Sequence[float], second: Sequence[float]) -> Outcome:
    """Whether values of the second group tend to be larger or smaller than those of the first."""
    ranks = doubled_ranks([*first, *second])
    n, m = len(first), len(second)
    total = sum(ranks[n:])
    u = total / 2 - m * (m + 1) / 2
    if n + m > MOST_COUNTED_OUT:
        return Outcome(RANK_SUM, u, _normal_p(u, ranks, n=n, m=m), n + m, exact=False)
    return Outcome(RANK_SUM, u, _two_sided(_sums_of_choices(ranks, m), total), n + m)


def estimate_paired(differences: Sequence[float], *, alpha: float) -> Estimate:
    """The median of all means of two differences, zeros included, at the level ``1 - alpha`` or above."""
    n = len(differences)
    means = sorted((differences[i] + differences[j]) / 2 for i in range(n) for j in range(i, n))
    counts = _sums_of_subsets([2 * rank for rank in range(1, n + 1)])[::2]
    return _interval(means, _outside(counts, alpha))


def estimate_unpaired(first: Sequence[float], second: Sequence[float], *, alpha: float) -> Estimate:
    """The median of all differences, second less first, at the level ``1 - alpha`` or above."""
    n, m = len(first), len(second)
    differences = sorted(late - early for early in first for late in second)
    if n + m > MOST_COUNTED_OUT:
        deviation = math.sqrt(n * m * (n + m + 1) / 12)
        outside = math.floor(n * m / 2 - NormalDist().inv_cdf(1 - alpha / 2) * deviation)
    else:
        sums = _sums_of_choices([2 * rank for rank in range(1, n + m + 1)], m)
        outside = _outside(sums[m * (m + 1) :: 2], alpha)
    return _interval(differences, max(outside, 0))


def least_p_paired(pairs: int) -> float:
    """The smallest p that so many pairs can give, by sign and by signed-rank test alike."""
    return min(1.0, 2.0 ** (1 - pairs))


def least_p_unpaired(first: int, second: int) -> float:
    """The smallest p that groups of these sizes can give."""
    return min(1.0, 2 / math.comb(first + second, first)) if first and second else 1.0


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value, so that the mean rank that equal ones share is a whole number, too."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    ranks = [0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end + 1 < len(order) and values[order[end + 1]] == values[order[begin]]:
            end += 1
        for place in order[begin : end + 1]:
            ranks[place] = begin + end + 2
        begin = end + 1
    return ranks


def _sums_of_subsets(ranks: Sequence[int]) -> list[int]:
    """How many of the subsets of the ranks have each sum."""
    counts = [1] + [0] * sum(ranks)
    reached = 0
    for rank in ranks:
        reached += rank
        for total in range(reached, rank - 1, -1):
            counts[total] += counts[total - rank]
    return counts


def _sums_of_choices(ranks: Sequence[int], size: int) -> list[int]:
    """How many of the choices of ``size`` ranks have each sum."""
    most = sum(ranks)
    table = [[0] * (most + 1) for _size in range(size + 1)]
    table[0][0] = 1
    for rank in ranks:
        for chosen in range(size, 0, -1):
            row, below = table[chosen], table[chosen - 1]
            for total in range(most, rank - 1, -1):
                row[total] += below[total - rank]
    return table[size]


def _two_sided(counts: Sequence[int], statistic: int) -> float:
    """Twice the smaller tail; the distributions here are symmetric, or nearly so with ties."""
    tail = min(sum(counts[: statistic + 1]), sum(counts[statistic:]))
    return min(1.0, 2 * tail / sum(counts))


def _normal_p(u: float, ranks: Sequence[int], *, n: int, m: int) -> float:
    total = n + m
    ties = sum(times**3 - times for times in (ranks.count(rank) for rank in set(ranks)))
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance == 0:
        return 1.0
    distance = max(0.0, abs(u - n * m / 2) - 0.5)
    return min(1.0, 2 * (1 - NormalDist().cdf(distance / math.sqrt(variance))))


def _outside(counts: Sequence[int], alpha: float) -> int:
    """How many of the ordered means lie outside the interval on each side; 0 for a level that cannot be had."""
    allowed, tail = alpha / 2 * sum(counts), 0
    for statistic, count in enumerate(counts):
        tail += count
        if tail > allowed:
            return statistic
    return 0


def _interval(ordered: Sequence[float], outside: int) -> Estimate:
    if not ordered:
        return Estimate(0.0, -_UNBOUNDED, _UNBOUNDED)
    if outside < 1:
        return Estimate(median(ordered), -_UNBOUNDED, _UNBOUNDED)
    return Estimate(median(ordered), ordered[outside - 1], ordered[-outside])
