"""Formatting, linting and typing of every kind of source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from quality.tools import Environment


def test_ruff_finds_nothing(line_a: Environment) -> None:
    line_a.run(line_a.tool("ruff"), "check", "--no-cache", ".")


def test_ruff_would_format_nothing(line_a: Environment) -> None:
    line_a.run(line_a.tool("ruff"), "format", "--no-cache", "--diff", ".")


def test_mypy_finds_nothing(line_a: Environment, tree: Path) -> None:
    """Run from the folder that holds ansible_collections, so that each file has the one name that imports use."""
    line_a.run(
        line_a.tool("mypy"),
        f"--config-file={tree / 'pyproject.toml'}",
        f"--cache-dir={line_a.collections.parent / 'mypy-cache'}",
        *(tree.relative_to(line_a.collections) / folder for folder in ("plugins", "tests", "extensions")),
        cwd=line_a.collections,
        extra={"MYPYPATH": f"{line_a.collections}:{tree / 'tests'}:{tree / 'extensions/lab'}"},
    )


def test_yamllint_finds_nothing(line_a: Environment) -> None:
    line_a.run(line_a.tool("yamllint"), "--strict", ".")


def test_shellcheck_finds_nothing(line_a: Environment, tree: Path) -> None:
    scripts = [
        path.relative_to(tree)
        for path in sorted(tree.rglob("*"))
        if ".git" not in path.parts and _is_shell_script(path)
    ]
    if not scripts:
        pytest.fail("no shell script was found, not even .ci/run")
    line_a.run(line_a.tool("shellcheck"), "--external-sources", *scripts)


def _is_shell_script(path: Path) -> bool:
    if not path.is_file() or path.suffix == ".j2":
        return False
    with path.open("rb") as stream:
        first = stream.readline(80)
    return path.suffix == ".sh" or (first.startswith(b"#!") and b"sh" in first.split(b"/")[-1])
