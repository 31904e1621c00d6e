"""What a diagnosis named beside what was planted: who was right, and the confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Stands in the matrix for "no cause at all".
NOTHING = "nothing"


@dataclass(frozen=True)
class Verdict:
    """One run.

    :param case: What was played. :param planted: The causes, by the names that findings give them.
    :param named: The causes that were named as faults or hints. :param unsure: How many findings say "cannot tell".
    :param error: Why there is no diagnosis, empty where there is one.
    """

    case: str
    planted: frozenset[str]
    named: frozenset[str]
    unsure: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def false_alarms(self) -> frozenset[str]:
        """What was named and not planted."""
        return self.named - self.planted

    @property
    def missed(self) -> frozenset[str]:
        """What was planted and not named."""
        return self.planted - self.named

    @property
    def is_right(self) -> bool:
        """Whether exactly what was planted was named."""
        return not self.error and self.named == self.planted


@dataclass(frozen=True)
class Score:
    """Some runs together."""

    runs: int
    right: int
    false_alarms: int
    missed: int
    failed: int

    @property
    def share(self) -> float:
        """Of the runs that were right."""
        return self.right / self.runs if self.runs else 0.0


def score(verdicts: Sequence[Verdict]) -> Score:
    """Count."""
    return Score(
        runs=len(verdicts),
        right=sum(each.is_right for each in verdicts),
        false_alarms=sum(len(each.false_alarms) for each in verdicts),
        missed=sum(len(each.missed) for each in verdicts if not each.error),
        failed=sum(bool(each.error) for each in verdicts),
    )


def alarms_on_healthy(verdicts: Iterable[Verdict]) -> int:
    """What was named where nothing was planted."""
    return sum(len(each.false_alarms) for each in verdicts if not each.planted)


def confusion(verdicts: Iterable[Verdict]) -> Counter[tuple[str, str]]:
    """How often each planted cause, the first, was named as what, the second.

    Where several are planted, those that were named are taken for themselves; each that was missed stands beside
    everything that was named too much, or beside nothing.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for each in verdicts:
        if each.error:
            continue
        for cause in each.planted & each.named:
            counts[cause, cause] += 1
        for planted in each.missed or ({NOTHING} if each.false_alarms or not each.planted else set()):
            for named in each.false_alarms or {NOTHING}:
                counts[planted, named] += 1
    return counts


def matrix_lines(counts: Counter[tuple[str, str]], order: Sequence[str]) -> list[str]:
    """The matrix as a table: a line for each planted cause, a column for each that was named.

    :param order: Of the causes; those that occur nowhere are left out.
    """
    seen = {cause for pair in counts for cause in pair}
    causes = [*(cause for cause in order if cause in seen), NOTHING]
    width = max(map(len, causes))
    head = [f"{'planted':<{width}}  named, by the number of the line"]
    head.append(f"{'':<{width}}  " + " ".join(f"{number:>3}" for number in range(1, len(causes) + 1)))
    for number, planted in enumerate(causes, 1):
        cells = " ".join(f"{counts[planted, named] or '.':>3}" for named in causes)
        head.append(f"{planted:<{width}}  {cells}  {number}")
    return head
