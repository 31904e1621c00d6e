# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one of two settings is faster, or the difference is one that chance makes.

Rates are compared as ratios: the tests see the logarithm of B / A, so that "twice" and "half" weigh the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.rank_tests import (
    Estimate,
    estimate_paired,
    estimate_unpaired,
    least_p_paired,
    least_p_unpaired,
    rank_sum_test,
    signed_rank_test,
)

A_BETTER, B_BETTER = "a_better", "b_better"
NO_DIFFERENCE, TOO_FEW = "no_difference_shown", "too_few"
# What never arrived counts as this share of the usual: a logarithm needs something.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Verdict:
    """What can be said of B against A.

    :param effect: How much more B has than A, in percent: 25 where B has 1.25 times as much, -20 where 0.8 times.
        ``None`` where there are too few values for anything.
    :param low: The least effect that goes with the measurements at this level, ``None`` where there is no limit.
    :param level: Of the interval, such as 0.95.
    :param n: Pairs, or values of both in all.
    :param sentence: All of it in words.
    """

    verdict: str
    test: str
    p: float
    effect: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    sentence: str


def judge(
    a: Sequence[float],
    b: Sequence[float],
    *,
    paired: bool = True,
    alpha: float = 0.05,
    smallest: float = 0.03,
    lower_is_better: bool = False,
) -> Verdict:
    """Decide between A and B.

    One is better where chance would show such a difference in less than ``alpha`` of all comparisons of equal things,
    and where it is large enough for anybody to care.

    :param a: Rates, or other positive figures; with ``paired`` the one of B in the same place was measured beside it.
    :param smallest: The share below which a difference is not worth a change.
    :raises InputError: pairs are incomplete, or a figure is negative or no number.
    """
    _refuse_odd(a, b, paired=paired)
    floor = _LEAST_SHARE * (median([*a, *b]) if a or b else 0.0) or 1.0
    first = [math.log(max(one, floor)) for one in a]
    second = [math.log(max(one, floor)) for one in b]
    if paired:
        differences = [late - early for early, late in zip(first, second)]
        outcome, least = signed_rank_test(differences), least_p_paired(len(differences))
        estimate = estimate_paired(differences, alpha=alpha)
    else:
        outcome, least = rank_sum_test(first, second), least_p_unpaired(len(first), len(second))
        estimate = estimate_unpaired(first, second, alpha=alpha)
    count = len(a) if paired else len(a) + len(b)
    found = Verdict(
        verdict=_decide(outcome.p, least, estimate, alpha=alpha, smallest=smallest, lower_is_better=lower_is_better),
        test=outcome.test,
        p=outcome.p,
        effect=_percent(estimate.value) if count else None,
        low=_percent(estimate.low),
        high=_percent(estimate.high),
        level=1 - alpha,
        n=count,
        sentence="",
    )
    unit = "pair" if paired else "measurement"
    told = _sentence(found, unit=unit, alpha=alpha, smallest=smallest, lower_is_better=lower_is_better)
    return replace(found, sentence=told)


def _refuse_odd(a: Sequence[float], b: Sequence[float], *, paired: bool) -> None:
    if paired and len(a) != len(b):
        raise InputError(f"There are {len(a)} measurements of A and {len(b)} of B, which makes no pairs.")
    if any(not math.isfinite(one) or one < 0 for one in (*a, *b)):
        raise InputError("A measurement is negative, or no number.")


def _decide(p: float, least: float, estimate: Estimate, *, alpha: float, smallest: float, lower_is_better: bool) -> str:
    if least > alpha:
        return TOO_FEW
    # With ties a test and its interval may differ by a hair; then nothing is shown.
    if p > alpha or estimate.low <= 0 <= estimate.high or abs(estimate.value) < math.log1p(smallest):
        return NO_DIFFERENCE
    return B_BETTER if (estimate.value > 0) != lower_is_better else A_BETTER


def _percent(logarithm: float) -> float | None:
    return 100 * math.expm1(logarithm) if math.isfinite(logarithm) else None


def _sentence(found: Verdict, *, unit: str, alpha: float, smallest: float, lower_is_better: bool) -> str:
    counted = f"{found.n} {unit}{'' if found.n == 1 else 's'}"
    if found.verdict == TOO_FEW:
        return f"{counted} cannot show any difference, however large it is (p stays above {alpha:g}): measure more."
    figures = f"{counted}, {found.test}, {_p_text(found.p)}"
    if found.effect is None or found.low is None or found.high is None:
        return f"No difference is shown ({figures})."
    if found.verdict == NO_DIFFERENCE:
        between = f"between {_signed(found.low)} and {_signed(found.high)} % against A ({figures})"
        return _undecided(found, between, alpha=alpha, edge=100 * smallest)
    ends = (found.effect, found.low, found.high)
    winner, (effect, low, high) = ("A", map(_of_a, ends)) if found.verdict == A_BETTER else ("B", ends)
    least, most = sorted((abs(low), abs(high)))
    is_has = f"takes {_size(effect)} % less" if lower_is_better else f"is {_size(effect)} % faster"
    return f"{winner} {is_has} ({_size(least)} to {_size(most)} %, {figures})."


def _undecided(found: Verdict, between: str, *, alpha: float, edge: float) -> str:
    if found.low is None or found.high is None:
        return ""
    if found.p <= alpha and found.effect is not None and abs(found.effect) < edge:
        return f"There is a difference, but none of {_size(edge)} % or more: B is {between}."
    if _of_a(edge) <= found.low and found.high <= edge:
        return f"A and B are equal within {_size(edge)} %: B is {between}."
    return f"No difference is shown: B is {between}. More measurements would narrow that."


def _of_a(effect: float) -> float:
    """The same from the other side: where B has 25 % more than A, A has 20 % less than B."""
    return 100 * (1 / (1 + effect / 100) - 1)


def _size(percent: float) -> str:
    """Two figures are enough for anybody."""
    size = abs(percent)
    return f"{size:.0f}" if size >= 9.95 else f"{size:.1f}"


def _signed(percent: float) -> str:
    return f"{'-' if percent < 0 else '+'}{_size(percent)}"


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
