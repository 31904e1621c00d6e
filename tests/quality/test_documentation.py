"""The documentation site and the changelog."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from quality.tools import Environment


def test_documentation_has_no_lint(line_a: Environment) -> None:
    line_a.run(
        line_a.tool("antsibull-docs"),
        "lint-collection-docs",
        "--plugin-docs",
        "--check-extra-docs-refs",
        "--validate-collection-refs=self",
        ".",
    )


def test_changelog_fragments_have_no_lint(line_a: Environment) -> None:
    line_a.run(line_a.tool("antsibull-changelog"), "lint")


def test_documentation_site_builds_without_a_warning(installed: Environment, tree: Path) -> None:
    """The result is left in .lab/quality/site/html for a look at it."""
    site = tree.parents[3] / "site"
    shutil.rmtree(site, ignore_errors=True)
    (site / "rst").mkdir(parents=True)
    installed.run(
        installed.tool("antsibull-docs"),
        "collection",
        "--use-current",
        "--squash-hierarchy",
        "--fail-on-error",
        "--dest-dir",
        site / "rst",
        "privatespace.gateway",
        cwd=site,
    )
    installed.run(
        installed.tool("sphinx-build"),
        *("-W", "--keep-going", "--quiet", "-b", "html", "-c", tree / "docs/sphinx"),
        *("-d", site / "doctrees", site / "rst", site / "html"),
        cwd=site,
    )
