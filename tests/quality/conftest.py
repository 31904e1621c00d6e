"""What the gates share: the copy of the checkout, the environments, the tarball, and the long sanity runs."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from quality.tools import CHECKOUT, INSIDE, WORK, Environment, copy_checkout, find_python, make_environment, run_sanity

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

PYTHON_LINE_B = find_python("3.13")
# Line B is tested where its Python is at hand; elsewhere its tests do not exist.
collect_ignore = [] if PYTHON_LINE_B else ["test_line_b.py"]


@pytest.fixture(scope="session")
def line_a() -> Environment:
    """The environment that runs these tests, looking at the copy of the checkout."""
    return Environment(Path(sys.executable), copy_checkout(WORK / "tree"))


@pytest.fixture(scope="session")
def tree(line_a: Environment) -> Path:
    """The copy of the checkout, laid out as a collection."""
    return line_a.collections / INSIDE


@pytest.fixture(scope="session")
def line_b(line_a: Environment) -> Environment:
    """The environment of the newest ansible-core that is supported, looking at the same copy."""
    if PYTHON_LINE_B is None:
        pytest.skip("no Python 3.13 on this machine")
    python = make_environment("venv-2.21", requirements=CHECKOUT / "tests/requirements-2.21.txt", python=PYTHON_LINE_B)
    return Environment(python, line_a.collections)


@pytest.fixture(scope="session")
def importer(line_a: Environment) -> Environment:
    """Galaxy's importer, whose libraries are older than ours."""
    requirements = CHECKOUT / "tests/requirements-importer.txt"
    return Environment(
        make_environment("importer", requirements=requirements, python=line_a.python), line_a.collections
    )


@pytest.fixture(scope="session")
def tarball(line_a: Environment) -> Path:
    """The collection as it would be uploaded."""
    folder = WORK / "artifact"
    shutil.rmtree(folder, ignore_errors=True)
    line_a.run(line_a.tool("ansible-galaxy"), "collection", "build", "--force", "--output-path", folder)
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def installed(line_a: Environment, tarball: Path) -> Environment:
    """The tools of line A, looking at the collection as a user has it after installing the tarball."""
    target = WORK / "installed"
    shutil.rmtree(target, ignore_errors=True)
    user = Environment(line_a.python, target)
    user.run(
        *(user.tool("ansible-galaxy"), "collection", "install"),
        *("--offline", "--collections-path", target, tarball),
        cwd=tarball.parent,
    )
    return user


@pytest.fixture(scope="session", autouse=True)
def sanity_runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[subprocess.CompletedProcess[str]]]]:
    """The long sanity runs that were selected, started at once in a second lane beside the other gates."""
    lines = [
        line
        for line in ("line_a", "line_b")
        if any(item.name == f"test_sanity_{line}" for item in request.session.items)
    ]
    environments = {line: request.getfixturevalue(line) for line in lines}
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sanity") as lane:
        yield {line: lane.submit(run_sanity, environments[line], home=WORK / "home") for line in lines}
