# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters are loaded once for a run, by the process from which those of the tasks are made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml"))
KEYWORD = "{{ '100%' | privatespace.gateway.preload }}"
# Looks from within the process of a task whether the filter's module was there before the task began to use it.
PROBE = """
from ansible.plugins.action import ActionBase
import sys

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        wanted = "ansible_collections.privatespace.gateway.plugins.filter.removal_report"
        return {"loaded": wanted in sys.modules, "changed": False}
"""


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_begins_with_it(path: Path) -> None:
    first = yaml.safe_load(path.read_text())[0]
    assert first["serial"] == KEYWORD


@pytest.mark.parametrize("is_wanted", [True, False])
def test_the_processes_of_tasks_have_the_filters_already(tmp_path: Path, is_wanted: bool) -> None:
    (tmp_path / "action_plugins").mkdir()
    (tmp_path / "action_plugins/probe.py").write_text(PROBE)
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"name": "Look", "probe": {}}]}
    if is_wanted:
        play["serial"] = KEYWORD
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    collections = tmp_path / "collections/ansible_collections/privatespace"
    collections.mkdir(parents=True)
    (collections / "gateway").symlink_to(PLAYBOOKS[0].parents[1])
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_HOME": str(tmp_path),
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "one,", "-c", "local", "play.yml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"loaded": {json.dumps(is_wanted)}' in done.stdout
