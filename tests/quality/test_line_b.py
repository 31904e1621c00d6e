"""The newest supported ansible-core on its own Python; not collected where that Python is missing (see conftest.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quality.tools import CHECKOUT, require_sanity, require_valid_syntax

if TYPE_CHECKING:
    import subprocess
    from concurrent.futures import Future
    from pathlib import Path

    from quality.tools import Environment


def test_units_line_b(line_b: Environment) -> None:
    line_b.run(line_b.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit", cwd=CHECKOUT)


def test_playbook_syntax_line_b(line_b: Environment, tmp_path: Path) -> None:
    require_valid_syntax(line_b, inventory=tmp_path / "inventory.ini")


def test_sanity_line_b(sanity_runs: dict[str, Future[subprocess.CompletedProcess[str]]]) -> None:
    require_sanity(sanity_runs["line_b"].result())
