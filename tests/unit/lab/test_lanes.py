# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests run side by side: every file in one lane, two lanes on hosts of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lanes
import pytest
from privatespace_lab import topology

LAB = Path(__file__).resolve().parents[2] / "integration" / "lab"
FILES = sorted(path.name for path in LAB.glob("test_*.py"))


def in_lab(name: str) -> str:
    return f"tests/integration/lab/{name}::test_x[tests/unit]"


def test_the_lab_fills_two_lanes() -> None:
    assert {lanes.folder_of(in_lab(name)) for name in FILES} == {"lab-1", "lab-2"}
    assert {lanes.BEFORE_OTHERS, lanes.AFTER_OTHERS} <= set(FILES)


@pytest.mark.parametrize(
    ("nodeid", "folder"),
    [
        (in_lab("test_molecule.py"), "lab-1"),
        (in_lab("test_something_new.py"), "lab-2"),
        ("tests/integration/hsm/test_x.py::test_y", "hsm"),
        ("tests/unit/lab/test_lanes.py::test_y", "unit"),
        ("tests/unit/test_architecture.py::test_y[a::b]", "unit"),
        ("tests/quality/test_style.py::TestA::test_y", "quality"),
    ],
)
def test_what_stays_together(nodeid: str, folder: str) -> None:
    assert lanes.folder_of(nodeid) == folder


def test_the_order_is_the_lab_its_lanes_whole_then_quality_then_the_rest() -> None:
    others = ["tests/integration/hsm/test_a.py::a", "tests/quality/test_a.py::a", "tests/unit/test_a.py::a"]
    ordered = sorted([*others, *map(in_lab, FILES)], key=lanes.order_of)
    folders = list(dict.fromkeys(lanes.folder_of(nodeid) for nodeid in ordered))
    assert folders == ["lab-1", "lab-2", "quality", "hsm", "unit"]
    halves = [[nodeid for nodeid in ordered if lanes.folder_of(nodeid) == half] for half in folders[:2]]
    assert ordered[: len(FILES)] == halves[0] + halves[1]
    assert halves[0][0] == in_lab("test_molecule.py"), "it begins with hosts that it makes itself"
    assert halves[1][-1] == in_lab("test_succession.py"), "it leaves another authority behind"


def test_lanes_have_instances_of_their_own_and_further_lanes_none() -> None:
    assert lanes.instances_for(1) == ["test"]
    assert lanes.instances_for(2) == ["test", "second"]
    assert lanes.instances_for(4) == ["test", "second", "none", "none"]


PROBE = """
import os
from pathlib import Path
from integration.lab.lab_run import INSTANCE

def test_a():
    pass

def test_b():
    log = Path(__file__).with_suffix(".log")
    with log.open("a") as file:
        file.write(f"{os.environ['PYTEST_XDIST_WORKER']} {INSTANCE}\\n")
    if __file__.endswith("test_molecule.py") and log.read_text().count("\\n") == 1:
        os._exit(1)

def test_c():
    test_b()
"""


def test_a_lane_that_dies_is_replaced_on_the_same_hosts_and_the_other_never_meets_it(tmp_path: Path) -> None:
    """The real scheduler, on a copy of what decides."""
    tests = LAB.parents[1]
    lab = tmp_path / "tests/integration/lab"
    lab.mkdir(parents=True)
    for name in ("conftest.py", "lanes.py", "integration/lab/lab_run.py"):
        shutil.copy(tests / name, tmp_path / "tests" / name)
    (tmp_path / "pyproject.toml").write_text((tests.parent / "pyproject.toml").read_text())
    (tmp_path / "extensions").symlink_to(tests.parent / "extensions")
    (lab / "conftest.py").write_text("from integration.lab.lab_run import INSTANCE as _known_early\n")
    for name in ("test_molecule.py", "test_backup.py"):
        (lab / name).write_text(PROBE)
    argv = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PRIVATESPACE_"))}
    done = subprocess.run(
        [sys.executable, *argv, str(lab)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    first = (lab / "test_molecule.log").read_text().split("\n")[:-1]
    other = (lab / "test_backup.log").read_text().split("\n")[:-1]
    hosts = [{line.split()[1] for line in lines} for lines in (first, other)]
    assert sorted(map(sorted, hosts)) == [["second"], ["test"]], done.stdout
    workers = [line.split()[0] for line in first]
    assert len(set(workers)) == 2, "the test that killed its lane was not followed by another lane"
    assert "crashed" in done.stdout


def test_hosts_of_the_demonstration_are_never_used() -> None:
    assert lanes.instance_of({}) == "test"
    assert lanes.instance_of({"PRIVATESPACE_LAB_INSTANCE": "demo", lanes.INSTANCE_VARIABLE: "demo"}) == "test"
    assert lanes.instance_of({lanes.INSTANCE_VARIABLE: "second"}) == "second"
    assert lanes.INSTANCES == topology.TEST_INSTANCES
    assert set(lanes.INSTANCES) <= set(topology.SECOND_OCTETS)
