"""ansible-test's sanity checks with no ignore file, started early in a lane of their own (see conftest.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quality.tools import require_sanity

if TYPE_CHECKING:
    import subprocess
    from concurrent.futures import Future
    from pathlib import Path


def test_no_sanity_ignore_file_exists(tree: Path) -> None:
    assert not list(tree.glob("tests/sanity/ignore*"))


def test_sanity_line_a(sanity_runs: dict[str, Future[subprocess.CompletedProcess[str]]]) -> None:
    require_sanity(sanity_runs["line_a"].result())
