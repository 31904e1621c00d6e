"""How far a long run is: told now and then, readable meanwhile, gone at the end, and not believed of the dead."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.progress import (
    EVERY_SECONDS,
    Progress,
    read_progress,
    told_progress,
)


class Watch:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_told_every_five_seconds(tmp_path: Path) -> None:
    lines: list[str] = []
    watch = Watch()
    progress = Progress(tmp_path / "progress.json", lines.append, watch)
    progress(1, 5000)
    assert lines == []
    assert read_progress(tmp_path / "progress.json") is None
    watch.now += EVERY_SECONDS
    progress(1200, 5000)
    progress(1201, 5000)
    assert lines == ["signed 1200 of 5000, 240 a second, 16 s left"]
    assert read_progress(tmp_path / "progress.json") == {
        "done": 1200, "total": 5000, "rate_per_second": 240.0, "seconds_left": 16, "pid": os.getpid(),
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / "progress.json").stat().st_mode) == 0o600
    watch.now += EVERY_SECONDS
    progress(2400, 5000)
    assert len(lines) == 2


def test_the_file_is_gone_at_the_end_of_the_run_that_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    with told_progress(path, lambda _line: None) as progress:
        watch = Watch()
        progress.monotonic = watch
        watch.now += 1e9
        progress(1, 2)
        assert read_progress(path)
    assert not path.exists()


def test_a_run_that_wrote_nothing_leaves_the_file_of_another_one(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text("{}")
    with told_progress(path, lambda _line: None):
        pass
    assert path.exists()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    watch = Watch()
    progress = Progress(tmp_path / "missing" / "progress.json", lines.append, watch)
    watch.now += EVERY_SECONDS
    progress(1, 2)
    assert len(lines) == 1


def test_a_dead_process_is_not_running(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    facts = {"done": 1, "total": 2, "rate_per_second": 1.0, "seconds_left": 1}
    path.write_text(json.dumps({**facts, "pid": int(gone.stdout), "process_began": "1"}))
    assert read_progress(path) is None
    path.write_text(json.dumps({**facts, "pid": int(gone.stdout), "process_began": None}))
    assert read_progress(path) is None, "and not one either that has no beginning"
    path.write_text(json.dumps({**facts, "pid": os.getpid(), "process_began": "1"}))
    assert read_progress(path) is None, "nor another process of its number"


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", "{", '{"pid": "x", "process_began": 1}', "7"])
def test_nonsense_is_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "progress.json"
    path.write_text(content)
    assert read_progress(path) is None
    assert read_progress(tmp_path / "missing") is None
