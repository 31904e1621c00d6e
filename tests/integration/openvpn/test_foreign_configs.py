"""Configurations that nobody manages, with real processes on them and a stand-in for systemctl."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Vpn, running
from integration.run_module import RunModule

SYSTEMCTL = """#!/bin/sh
echo "$*" >> {record}
[ "$1" = show ] || exit 0
for unit in "$@"; do printf 'ActiveState=active\\nUnitFileState=enabled\\nMainPID=0\\n\\n'; done
"""
NO_SYSTEMD = """#!/bin/sh
echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2
exit 1
"""
FAILING = """#!/bin/sh
[ "$1" = show ] && { printf 'ActiveState=active\\n\\nActiveState=active\\n'; exit 0; }
echo "Failed to stop: it does not want to" >&2
exit 1
"""


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running() as vpn:
        yield vpn


@pytest.fixture
def systemctl(tmp_path: Path) -> Any:
    """Put a program called systemctl first on the path; returns the environment and where it records its arguments."""

    def put(text: str) -> tuple[dict[str, str], Path]:
        record, program = tmp_path / "record", tmp_path / "bin" / "systemctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.replace("{record}", str(record)))
        program.chmod(0o755)
        return {"PATH": f"{program.parent}:{os.environ['PATH']}"}, record

    return put


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "server").mkdir(parents=True)
    for name in ("server/udp.conf", "server/udp-old.conf"):
        (folder / name).write_text("port 1194\n")
        (folder / name).chmod(0o600)
    (folder / "udp.conf").symlink_to("server/udp.conf")
    return folder


def options(etc: Path, **more: Any) -> dict[str, Any]:
    return {
        "folders": [str(etc), str(etc / "server")],
        "own": [str(etc / "server/udp.conf")],
        "defaults_file": str(etc / "default"),
        **more,
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_renamed_copy_and_a_link_are_put_aside_and_ours_stays(
    etc: Path, run_module: RunModule, systemctl: Any
) -> None:
    environment, record = systemctl(SYSTEMCTL)
    foretold = run_module("openvpn_foreign_config", options(etc), check=True, diff=True, environment=environment)
    assert foretold.changed
    assert str(etc / "server/udp-old.conf") in foretold["diff"]["before"]
    assert "udp-old" not in foretold["diff"]["after"]
    assert all("would be" in line for line in foretold["messages"])
    assert [line.split()[0] for line in record.read_text().splitlines()] == ["show"]
    assert names(etc / "server") == ["udp-old.conf", "udp.conf"]

    result = run_module("openvpn_foreign_config", options(etc), environment=environment)

    assert [(one["path"], one["unit"], one["action"]) for one in result["found"]] == [
        (str(etc / "udp.conf"), "openvpn@udp.service", "quarantined"),
        (str(etc / "server/udp-old.conf"), "openvpn-server@udp-old.service", "quarantined"),
    ]
    assert record.read_text().splitlines()[2:] == [
        "stop -- openvpn@udp.service", "disable -- openvpn@udp.service",
        "stop -- openvpn-server@udp-old.service", "disable -- openvpn-server@udp-old.service",
        "daemon-reload",
    ]  # fmt: skip
    moved = [Path(one["moved_to"]) for one in result["found"]]
    assert moved[0].is_symlink()
    assert (moved[1].read_text(), moved[1].stat().st_mode & 0o777) == ("port 1194\n", 0o600)
    assert sorted(path.name for path in etc.rglob("*.conf")) == ["udp.conf"]

    again = run_module("openvpn_foreign_config", options(etc), environment=environment)
    assert (again.changed, again["found"], again["messages"]) == (False, [], [])


def test_warn_leaves_everything(etc: Path, run_module: RunModule, systemctl: Any) -> None:
    environment, _record = systemctl(NO_SYSTEMD)
    result = run_module("openvpn_foreign_config", options(etc, policy="warn"), environment=environment)
    assert not result.changed
    assert [one["action"] for one in result["found"]] == ["warned", "warned"]
    assert names(etc / "server") == ["udp-old.conf", "udp.conf"]


def test_a_unit_that_cannot_be_stopped_keeps_its_file(etc: Path, run_module: RunModule, systemctl: Any) -> None:
    environment, _record = systemctl(FAILING)
    result = run_module("openvpn_foreign_config", options(etc), environment=environment, fails=True)
    assert "it does not want to" in result.message
    assert names(etc / "server") == ["udp-old.conf", "udp.conf"]


def test_a_process_that_nobody_manages_is_reported_and_lives(vpn: Vpn, run_module: RunModule, systemctl: Any) -> None:
    """By its file, and after the file was renamed under it by the name it was started on."""
    environment, _record = systemctl(NO_SYSTEMD)
    client = vpn.connect("seen@laptop")
    own = [str(vpn.folder / "tcp.conf")]
    given = {"folders": [str(vpn.folder)], "own": own, "defaults_file": str(vpn.folder / "none")}
    pid = vpn.server_pid("udp")

    result = run_module("openvpn_foreign_config", given, environment=environment)

    assert [(one["action"], one["pid"]) for one in result["found"]] == [("quarantined", None), ("reported", pid)]
    seen = result["found"][1]
    assert (seen["path"], seen["sessions"], seen["ports"]) == (str(vpn.folder / "udp.conf"), 1, ["udp 1194"])
    assert f"kill {pid}" in result["messages"][1]
    assert client.lost_packets(0.2, "10.91.0.1") == 0

    again = run_module("openvpn_foreign_config", given, environment=environment)
    assert not again.changed
    assert [(one["action"], one["path"], one["sessions"]) for one in again["found"]] == [
        ("reported", str(vpn.folder / "udp.conf"), 1)
    ]
    client.stop()
