"""The tarball: what is in it, and whether Galaxy would accept it."""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from quality.tools import Environment

SHIPPED = re.compile(
    r"""(MANIFEST\.json|FILES\.json|bindep\.txt|requirements\.txt|LICENSE|(README|CHANGELOG|CONTRIBUTING|SECURITY|CODE_OF_CONDUCT)\.md
    |meta/(runtime|execution-environment)\.yml|changelogs/(config|changelog)\.yaml|docs/docsite/.+\.(rst|yml)
    |plugins/.+\.(py|yml)|playbooks/.+\.(yml|j2)|roles/.+)""",
    re.VERBOSE,
)


def test_tarball_holds_what_is_meant_to_ship_and_nothing_else(tarball: Path, tree: Path) -> None:
    with tarfile.open(tarball) as archive:
        inside = {member.name for member in archive if member.isfile()}
    assert not [name for name in sorted(inside) if not SHIPPED.fullmatch(name)]
    owed = {
        path.relative_to(tree).as_posix()
        for pattern in (
            "*.md",
            "LICENSE",
            "meta/*.yml",
            "plugins/**/*.*",
            "playbooks/*.yml",
            "roles/*/**/*",
            "docs/docsite/**/*.rst",
        )
        for path in tree.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not owed - inside


def test_galaxy_importer_accepts_the_tarball(importer: Environment, tarball: Path, tmp_path: Path) -> None:
    output = importer.run(importer.python, "-m", "galaxy_importer.main", tarball, cwd=tmp_path)
    complaints = [line for line in output.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)\b", line)]
    if complaints:
        pytest.fail("galaxy-importer complains:\n" + "\n".join(complaints), pytrace=False)
