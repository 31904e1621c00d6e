"""The module that writes reports, as a playbook runs it: files, history, what is kept, and what is never touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.run_module import RunModule
from unit.diagnosis.made_up import DCO, LIMITED, NOW, make_observations

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report

DAY = 86400.0


def results(*, policed: float = 0.0) -> list[dict[str, Any]]:
    found = [to_plain(finding) for finding in ((LIMITED, DCO) if policed else ())]
    return [{"observations": to_plain(make_observations(policed=policed)), "findings": found}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "vpn"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_earlier(folder: Path, days: float) -> str:
    """A report of some days ago; its moment."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = f"202611{20 - int(days):02d}T120000Z"
    report = build_report({"cambridge2": make_observations()}, {}, [], NOW - days * DAY)
    for kind in ("json", "txt", "html"):
        (folder / f"diagnosis-{stamp}.{kind}").write_text(json.dumps(report))
    return stamp


def test_a_report_is_written_for_its_owner_alone(run_module: RunModule, folder: Path) -> None:
    wanted = {"results": results(policed=9.8), "path": str(folder)}
    checked = run_module("diagnosis_report", wanted, check=True, diff=True)
    assert checked.changed
    assert not folder.parent.exists()
    done = run_module("diagnosis_report", wanted)
    assert done.changed
    for result in (checked, done):
        assert result["headlines"] == ["cambridge2: UDP is limited to about 9.8 Mbit/s on the way to the probe."]
        assert result["findings_count"] == 2
        assert result["text"][2].startswith("cambridge2: UDP is limited")
    assert sorted(done["paths"]) == ["html", "json", "txt"]
    assert len(names(folder)) == 6
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    for kind, path in done["paths"].items():
        assert Path(path).read_bytes() == Path(done["latest"][kind]).read_bytes()
    assert Path(done["paths"]["txt"]).read_text().splitlines() == done["text"]
    assert Path(done["paths"]["html"]).read_text().startswith("<!doctype html>")
    assert json.loads(Path(done["paths"]["json"]).read_text())["version"] == 1


def test_an_earlier_report_is_history_and_two_in_a_second_are_two(run_module: RunModule, folder: Path) -> None:
    wanted = {"path": str(folder), "html": False}
    run_module("diagnosis_report", {**wanted, "results": results()})
    second = run_module("diagnosis_report", {**wanted, "results": results(policed=9.8)})
    assert "90 % below the last report" in second["changes"]["cambridge2"][0]
    assert len([name for name in names(folder) if name.endswith(".json")]) == 3


def test_the_oldest_are_removed_and_nothing_of_others(run_module: RunModule, folder: Path) -> None:
    stamps = [write_earlier(folder, days) for days in (5, 4, 3)]
    others = {
        "diagnosis-20200101T000000Z.json": "{}",
        "diagnosis-20200102T000000Z.json": "damaged",
        "diagnosis-20200103T000000Z.txt": "mine",
        "diagnosis-old.json": "{}",
        "notes.txt": "mine",
    }
    for name, text in others.items():
        (folder / name).write_text(text)
    (folder / "diagnosis-20200104T000000Z.json").symlink_to(folder / f"diagnosis-{stamps[0]}.json")
    done = run_module("diagnosis_report", {"results": results(), "path": str(folder), "keep": 2})
    assert sorted(Path(path).name for path in done["removed"]) == [
        f"diagnosis-{stamps[0]}.{kind}" for kind in ("html", "json", "txt")
    ]
    left = names(folder)
    assert set(others) < set(left)
    assert "diagnosis-20200104T000000Z.json" in left
    assert f"diagnosis-{stamps[1]}.json" in left
    warnings = "\n".join(done["warnings"])
    for words in (
        "20200101T000000Z.json",
        "not a report",
        "20200102T000000Z.json",
        "not JSON",
        "20200104T000000Z.json",
    ):
        assert words in warnings
    assert "diagnosis-old.json" not in warnings


def test_without_matplotlib_there_are_text_and_data_and_no_old_page(
    run_module: RunModule, folder: Path, tmp_path: Path
) -> None:
    wanted = {"path": str(folder), "results": results()}
    run_module("diagnosis_report", wanted)
    broken = tmp_path / "broken" / "matplotlib"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError")
    done = run_module("diagnosis_report", wanted, environment={"PYTHONPATH": str(broken.parent)})
    assert sorted(done["paths"]) == ["json", "txt"]
    assert "pip install 'matplotlib>=3.5'" in "\n".join(done["warnings"])
    assert "latest.html" not in names(folder)
    assert "latest.txt" in names(folder)


def test_recommended_variables_are_written_where_they_are_asked_for(
    run_module: RunModule, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "recommended.yml"
    wanted = {"path": str(folder), "html": False, "variables_file": str(file)}
    run_module("diagnosis_report", {**wanted, "results": results(policed=9.8)}, check=True)
    assert not file.exists()
    run_module("diagnosis_report", {**wanted, "results": results(policed=9.8)})
    variables = yaml.safe_load(file.read_text())
    assert variables == {"openvpn_profile_transports": ["tcp", "udp"], "openvpn_udp_port": 443}
    run_module("diagnosis_report", {**wanted, "results": results()})
    assert yaml.safe_load(file.read_text()) is None, "what is recommended no more is gone"


def test_a_file_of_other_variables_is_never_lost(run_module: RunModule, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.yml"
    file.write_text("---\nopenvpn_udp_port: 1194\n")
    wanted = {"path": str(folder), "results": results(), "variables_file": str(file)}
    failed = run_module("diagnosis_report", wanted, fails=True)
    assert "holds something else than recommended variables" in failed.message
    assert "Give the path of a file of its own" in failed.message
    assert file.read_text() == "---\nopenvpn_udp_port: 1194\n"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"results": []}, "results is empty"),
        ({"results": [{"observations": {}}]}, "results, entry 1: Observations.gateway is missing"),
        ({"results": results() * 2}, "the gateway 'cambridge2' occurs twice"),
        ({"keep": -1}, "keep is negative"),
        ({"variables_file": "/nowhere/at/all.yml"}, "there is no folder /nowhere/at"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_nothing_written(
    run_module: RunModule, folder: Path, changes: dict[str, Any], words: str
) -> None:
    failed = run_module("diagnosis_report", {"results": results(), "path": str(folder), **changes}, fails=True)
    assert words in failed.message
    assert not folder.exists()


def test_a_folder_that_others_may_look_into_is_told_and_a_file_in_its_place_refused(
    run_module: RunModule, folder: Path
) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    done = run_module("diagnosis_report", {"results": results(), "path": str(folder), "html": False})
    assert f"Others may look into {folder}" in "\n".join(done["warnings"])
    file = folder.parent / "file"
    file.touch()
    failed = run_module("diagnosis_report", {"results": results(), "path": str(file)}, fails=True)
    assert "Cannot read the folder of reports" in failed.message
    assert file.stat().st_size == 0
