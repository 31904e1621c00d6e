"""What becomes of configurations that are not ours, decided from plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.foreign_configs import (
    Host,
    Running,
    describe,
    find_files,
    parse_autostart,
    plan_foreign,
    select_programs,
    unit_for,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import Bound, Program
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import MARKER
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import Unit

STAMP = "20261122T101500Z"
OLD = Path("/etc/openvpn/udp-old.conf")
SERVER = Path("/etc/openvpn/server/udp-old.conf")


def running(path: Path, unit: str, pid: int = 7, sessions: int | None = 2) -> Running:
    return Running(Program(pid, path, unit), Bound(("udp 1194",)), sessions)


def plan(host: Host, policy: str = "quarantine") -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    change = plan_foreign(host, policy=policy, stamp=STAMP)
    return [(step.kind, step.unit or step.target) for step in change.steps], list(change.result["found"])


def sentence(host: Host, policy: str = "quarantine", *, foretold: bool = False) -> str:
    _steps, (found,) = plan(host, policy)
    return describe(found, foretold=foretold)


RUNS = Host(
    files=(OLD,),
    running=(running(OLD, "openvpn@udp-old.service"),),
    units={"openvpn@udp-old.service": Unit("openvpn@udp-old.service", active=True, main_pid=7)},
)


def test_what_runs_is_stopped_before_its_file_is_moved() -> None:
    steps, (found,) = plan(RUNS)
    moved_to = f"{OLD}.quarantined-{STAMP}"
    assert steps == [("stop", "openvpn@udp-old.service"), ("move", moved_to)]
    assert (found["unit"], found["active"], found["pid"], found["sessions"], found["ports"]) == (
        "openvpn@udp-old.service", True, 7, 2, ["udp 1194"],
    )  # fmt: skip
    assert (found["enabled"], found["action"], found["moved_to"]) == (True, "quarantined", moved_to)
    assert sentence(RUNS) == (
        f"{OLD} is still read by openvpn@udp-old.service (2 sessions): stopped and moved to {moved_to}"
    )
    assert "would be stopped and moved" in sentence(RUNS, foretold=True)


def test_what_is_only_enabled_is_disabled_and_moved() -> None:
    unit = "openvpn-server@udp-old.service"
    host = Host(files=(SERVER,), units={unit: Unit(unit, enabled=True)})
    steps, (found,) = plan(host)
    assert steps == [("disable", unit), ("move", f"{SERVER}.quarantined-{STAMP}")]
    assert (found["active"], found["enabled"], found["pid"]) == (False, True, None)
    assert "would be read by openvpn-server@udp-old.service: moved to" in sentence(host)


def test_a_unit_that_is_being_started_again_is_stopped_though_no_process_is_there() -> None:
    unit = "openvpn-server@udp-old.service"
    steps, _found = plan(Host(files=(SERVER,), units={unit: Unit(unit, active=True)}))
    assert steps[0] == ("stop", unit)


def test_warn_changes_nothing_and_tells() -> None:
    steps, (found,) = plan(RUNS, "warn")
    assert (steps, found["action"], found["moved_to"]) == ([], "warned", None)
    assert "is still read by openvpn@udp-old.service (2 sessions): move it away" in sentence(RUNS, "warn")


@pytest.mark.parametrize("unit", ["", "ssh.service"])
def test_a_process_that_no_unit_started_is_reported_and_its_file_moved(unit: str) -> None:
    """The control group of a shell or of cron is no reason to stop the shell or cron."""
    host = Host(
        files=(OLD,), running=(running(OLD, unit),), units={"ssh.service": Unit("ssh.service", True, main_pid=3)}
    )
    steps, found = plan(host)
    assert steps == [("move", f"{OLD}.quarantined-{STAMP}")]
    assert [one["action"] for one in found] == ["quarantined", "reported"]
    assert describe(found[1], foretold=False) == (
        f"Process 7 runs on {OLD} (2 sessions) and listens on udp 1194; no unit started it. End it with: kill 7"
    )


def test_a_process_whose_file_is_gone_is_stopped() -> None:
    unit = "openvpn-server@gone.service"
    gone = Path("/etc/openvpn/server/gone.conf")
    host = Host((), (running(gone, unit, sessions=1),), {unit: Unit(unit, active=True, enabled=True, main_pid=7)})
    assert plan(host)[0] == [("stop", unit), ("disable", unit)]
    assert sentence(host) == f"{gone} was renamed or deleted, and {unit} still ran on it (1 session): stopped."
    assert plan(host, "warn")[0] == []
    assert "it still runs" in sentence(host, "warn")


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/etc/openvpn/x.conf", "openvpn@x.service"),
        ("/etc/openvpn/server/x.conf", "openvpn-server@x.service"),
        ("/etc/openvpn/client/x.conf", "openvpn-client@x.service"),
        ("/etc/openvpn/two words.conf", ""),
    ],
)
def test_which_unit_reads_a_file(path: str, unit: str) -> None:
    assert unit_for(Path(path)) == unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ('#AUTOSTART="none"\n', None),
        ('AUTOSTART="all"\n', None),
        ("AUTOSTART=none\n", frozenset()),
        ('AUTOSTART="none"\nAUTOSTART="home office" # both\n', frozenset({"home", "office"})),
    ],
)
def test_what_the_generator_starts(text: str, expected: frozenset[str] | None) -> None:
    assert parse_autostart(text) == expected
    enabled = plan_foreign(Host((OLD,), autostart=expected), policy="warn", stamp=STAMP).result["found"][0]["enabled"]
    assert enabled is (expected is None)


def make_files(tmp_path: Path) -> tuple[Path, Path]:
    etc = tmp_path / "etc"
    server = etc / "server"
    server.mkdir(parents=True)
    ours = f"{MARKER}\nmanagement /run/openvpn-server/NAME.sock unix\n"
    for path, text in (
        (etc / "udp.conf", "port 1\n"),
        (etc / "notes.conf.txt", "port 1\n"),
        (server / "udp.conf", ours.replace("NAME", "udp")),
        (server / "removed.conf", ours.replace("NAME", "removed")),
        (server / "udp-old.conf", ours.replace("NAME", "udp")),
        (etc / "tcp.conf", ours.replace("NAME", "tcp")),
    ):
        path.write_text(text)
    (etc / "folder.conf").mkdir()
    (server / "link.conf").symlink_to("../missing")
    return etc, server


def test_what_is_foreign(tmp_path: Path) -> None:
    """Ours under its own name is not; our file renamed, or in a folder where another unit reads it, is."""
    etc, server = make_files(tmp_path)
    found = find_files([etc, server], {server / "udp.conf"})
    assert found == (etc / "tcp.conf", etc / "udp.conf", server / "link.conf", server / "udp-old.conf")


def test_which_processes_matter(tmp_path: Path) -> None:
    etc, server = make_files(tmp_path)
    own = {server / "udp.conf", server / "new.conf"}
    paths = (etc / "udp.conf", server / "udp.conf", server / "gone.conf", server / "new.conf", tmp_path / "else.conf")
    programs = [Program(number, path) for number, path in enumerate(paths)]
    found = select_programs(programs, files=find_files([etc, server], own), folders=[etc, server], own=own)
    assert [one.config for one in found] == [etc / "udp.conf", server / "gone.conf"]
