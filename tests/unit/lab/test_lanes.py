# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests run side by side: every file in one lane, two of the lanes on hosts of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
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


def run_lanes(folder: Path, files: Mapping[str, str], *, lanes_wanted: int) -> subprocess.CompletedProcess[str]:
    """The real scheduler, on a copy of what decides, with tests of one's own."""
    tests = LAB.parents[1]
    for name in ("conftest.py", "lanes.py", "integration/lab/lab_run.py"):
        (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tests / name, folder / "tests" / name)
    (folder / "pyproject.toml").write_text((tests.parent / "pyproject.toml").read_text())
    (folder / "extensions").symlink_to(tests.parent / "extensions")
    (folder / "tests/integration/lab/conftest.py").write_text(
        "from integration.lab.lab_run import INSTANCE as _known_early\n"
    )
    for name, text in files.items():
        (folder / "tests/integration" / name).parent.mkdir(exist_ok=True)
        (folder / "tests/integration" / name).write_text(text)
    argv = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(lanes_wanted), "--dist", "loadscope"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PRIVATESPACE_"))}
    return subprocess.run(
        [sys.executable, *argv, "--no-loadscope-reorder", "tests"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_lane_that_dies_is_replaced_on_the_same_hosts_and_the_other_never_meets_it(tmp_path: Path) -> None:
    done = run_lanes(tmp_path, {"lab/test_molecule.py": PROBE, "lab/test_backup.py": PROBE}, lanes_wanted=2)
    lab = tmp_path / "tests/integration/lab"
    first = (lab / "test_molecule.log").read_text().split("\n")[:-1]
    other = (lab / "test_backup.log").read_text().split("\n")[:-1]
    hosts = [{line.split()[1] for line in lines} for lines in (first, other)]
    assert sorted(map(sorted, hosts)) == [["second"], ["test"]], done.stdout
    workers = [line.split()[0] for line in first]
    assert len(set(workers)) == 2, "the test that killed its lane was not followed by another lane"
    assert "crashed" in done.stdout


@pytest.mark.parametrize("late", range(3))
def test_what_needs_hosts_runs_where_hosts_are_whichever_lane_is_ready_first(tmp_path: Path, late: int) -> None:
    slowly = f"import os, time\nif os.environ.get('PYTEST_XDIST_WORKER') == 'gw{late}':\n    time.sleep(1)\n"
    where = """
import os
from pathlib import Path

def test_a():
    time.sleep(0.5)
    Path(__file__).with_suffix(".log").write_text(os.environ["PRIVATESPACE_TEST_INSTANCE"])

def test_b():
    pass

def test_c():
    pass
"""
    names = ["lab/test_molecule.py", "lab/test_backup.py", "hsm/test_one.py", "pki/test_two.py"]
    done = run_lanes(tmp_path, dict.fromkeys(names, slowly + where), lanes_wanted=3)
    assert "12 passed" in done.stdout, done.stdout + done.stderr
    ran = [(tmp_path / "tests/integration" / name).with_suffix(".log").read_text() for name in names]
    assert sorted(ran[:2]) == ["second", "test"]
    assert "none" in ran[2:]


def test_hosts_of_the_demonstration_are_never_used() -> None:
    assert lanes.instance_of({}) == "test"
    assert lanes.instance_of({"PRIVATESPACE_LAB_INSTANCE": "demo", lanes.INSTANCE_VARIABLE: "demo"}) == "test"
    assert lanes.instance_of({lanes.INSTANCE_VARIABLE: "second"}) == "second"
    assert lanes.INSTANCES == topology.TEST_INSTANCES
    assert set(lanes.INSTANCES) <= set(topology.SECOND_OCTETS)
