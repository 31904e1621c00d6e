"""What every benchmark prints: a JSON object a row with ``--json``, a table for people without."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Options:
    """What was asked of a benchmark.

    :param quick: Smaller sizes: under 45 seconds instead of under five minutes.
    :param knobs: Of a benchmark that has settings to try: those, in place of the usual rows.
    :param soak: Of a benchmark that has a long form: that.
    """

    json: bool
    quick: bool
    knobs: bool = False
    soak: bool = False


@dataclass(frozen=True)
class Row:
    """One measurement beside its peer and its floor.

    :param case: What was measured, and which peer it stands beside.
    :param peer: The same work by the peer; ``None`` where it does not survive that size.
    :param floor: What nobody can leave out; ``None`` where there is none.
    :param more: What else was measured, by its name with its unit.
    :param less_is_better: False for a rate.
    :param paired_ratio: The median of the ratios of the rounds, where each round measured both.
    """

    name: str
    case: str
    n: int
    unit: str
    ours: float
    peer: float | None = None
    floor: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    less_is_better: bool = True
    paired_ratio: float | None = None

    @property
    def ratio_to_peer(self) -> float | None:
        """How many times better than the peer; above 1 is better."""
        if self.paired_ratio is not None:
            return self.paired_ratio
        return self._ratio(self.peer, self.ours)

    @property
    def ratio_to_floor(self) -> float | None:
        """How many times worse than the floor; 1 is the limit."""
        return self._ratio(self.ours, self.floor)

    def _ratio(self, over: float | None, under: float | None) -> float | None:
        if not over or not under:
            return None
        return over / under if self.less_is_better else under / over

    def as_dict(self) -> dict[str, Any]:
        """The row as it is printed with ``--json``."""
        return {
            "name": self.name,
            "case": self.case,
            "n": self.n,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer,
            "floor": self.floor,
            "ratio_to_peer": self.ratio_to_peer,
            "ratio_to_floor": self.ratio_to_floor,
            **self.more,
        }


def parse_options(name: str, description: str = "", *, knobs: str = "", soak: str = "") -> Options:
    """The options that every benchmark takes.

    :param knobs: What ``--knobs`` does, for the benchmark that has it.
    :param soak: What ``--soak`` does, for the benchmark that has a long form; ``./lab soak`` gives it.
    """
    parser = argparse.ArgumentParser(prog=f"./lab bench {name}", description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under 45 seconds")
    for option, text in (("--knobs", knobs), ("--soak", soak)):
        if text:
            parser.add_argument(option, action="store_true", help=text)
    return Options(**vars(parser.parse_args()))


@dataclass
class Table:
    """Prints rows as they come."""

    options: Options
    _titled: bool = False

    def add(self, row: Row) -> Row:
        """Print a row, and hand it back."""
        if self.options.json:
            print(json.dumps(row.as_dict()), flush=True)
            return row
        if not self._titled:
            print(f"{'case':<44} {'n':>8}  {'ours':>9} {'peer':>9} {'floor':>9}  x peer  x floor", flush=True)
            self._titled = True
        numbers = f"{_number(row.ours)} {_number(row.peer)} {_number(row.floor)}"
        ratios = f"{_ratio(row.ratio_to_peer):>6}  {_ratio(row.ratio_to_floor):>7}"
        print(f"{row.case:<44} {row.n:>8}  {numbers}  {ratios}  {row.unit}", flush=True)
        if row.more:
            print("    " + ", ".join(f"{name} {_shown(value)}" for name, value in row.more.items()), flush=True)
        return row

    def say(self, remark: str) -> None:
        """Print a remark, for people only."""
        if not self.options.json:
            print(remark, flush=True)


def _number(value: float | None) -> str:
    return f"{'-':>9}" if value is None else f"{value:>9.4f}"


def _ratio(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
