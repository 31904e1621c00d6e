# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that cannot do its work leaves a state that says so, and somebody is told once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from integration.revocation.follower import Follower

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import revocation, revocation_alarm

UNIT = "alarm@vpn.service"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[str]]:
    """What systemd was asked to start."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tools}/called\n')
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(revocation_alarm, "MARKER", tmp_path / "marker")
    return lambda: (tools / "called").read_text().splitlines() if (tools / "called").exists() else []


def bad_configuration(follower: Follower, _monkeypatch: pytest.MonkeyPatch) -> str:
    (follower.folder / "revocation.json").write_text("{")
    return "is no JSON"


def no_configuration(follower: Follower, _monkeypatch: pytest.MonkeyPatch) -> str:
    (follower.folder / "revocation.json").unlink()
    return "There is no"


def unreadable_crl(follower: Follower, _monkeypatch: pytest.MonkeyPatch) -> str:
    (follower.folder / "crl.pem").unlink()
    (follower.folder / "crl.pem").mkdir()
    return "Cannot read"


def no_openssl(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> str:
    """Only what stands for systemctl is found."""
    monkeypatch.setenv("PATH", os.environ["PATH"].split(":", 1)[0])
    return "'openssl' is not installed"


def a_mistake(_follower: Follower, monkeypatch: pytest.MonkeyPatch) -> str:
    class Broken:
        def __init__(self, *_arguments: object, **_options: object) -> None:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(revocation, "Revocation", Broken)
    return "Input/output error"


@pytest.mark.parametrize("spoil", [bad_configuration, no_configuration, unreadable_crl, no_openssl, a_mistake])
def test_whatever_keeps_it_from_its_work_is_in_the_state_and_told_once(
    follower: Follower,
    called: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Follower, pytest.MonkeyPatch], str],
) -> None:
    follower.write(alarm_units=[UNIT])
    with monkeypatch.context() as patch:
        words = spoil(follower, patch)
        for _minute in range(3):
            assert follower.run() == 1
            # As systemd does after each run that failed.
            assert follower.run("--failed", UNIT) == 0
        assert words in follower.state["problem"]
        assert follower.state["number"] == 1
        assert called() == [f"start --no-block -- {UNIT}"]
        assert follower.run("--show") == 1


def test_a_run_that_was_killed_is_told_once(
    follower: Follower, called: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_SERVICE_RESULT", "timeout")
    for _minute in range(3):
        follower.run("--failed", UNIT)
    assert "(timeout)" in follower.state["problem"]
    assert called() == [f"start --no-block -- {UNIT}"]
    assert follower.run() == 0
    assert follower.state["problem"] == ""
    follower.run("--failed", UNIT)
    assert len(called()) == 2


def test_a_state_that_cannot_be_written_is_told_once(follower: Follower, called: Callable[[], list[str]]) -> None:
    path = follower.folder / "var" / "state.json"
    path.unlink()
    path.mkdir()
    for _minute in range(3):
        assert follower.run() == 1
        assert follower.run("--failed", UNIT) == 0
    assert called() == [f"start --no-block -- {UNIT}"]
    path.rmdir()
    assert follower.run() == 0
    assert not revocation_alarm.MARKER.exists()


def test_nobody_to_tell_is_no_error(follower: Follower, called: Callable[[], list[str]]) -> None:
    assert follower.run("--failed") == 0
    assert follower.state["problem"] != ""
    assert called() == []
