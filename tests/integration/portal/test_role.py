"""Decisions of the role, by what it finds on a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.openvpn.run_playbook import local, run_playbook

ROLE = "privatespace.gateway.portal"


@pytest.mark.parametrize(
    ("started", "program", "config", "older"),
    [("@100", 99, 98, False), ("@100", 101, 98, True), ("@100", 99, 101, True), ("", 101, 101, False)],
)
def test_a_process_older_than_its_files_is_restarted(
    tmp_path: Path, started: str, program: int, config: int, *, older: bool
) -> None:
    found = {
        "__portal_state": {"stdout": f"ExecMainStartTimestamp={started}"},
        "__portal_program_files": {"files": [{"ctime": 3.5}, {"ctime": program + 0.5}]},
        "__portal_ages": {"results": [{"stat": {"exists": True, "ctime": config}}, {"stat": {"exists": False}}]},
    }
    tasks = [
        {"ansible.builtin.include_vars": str(Path(__file__).parents[3] / "roles/portal/vars/main.yml")},
        {"ansible.builtin.debug": {"msg": "older: {{ __portal_is_older }}"}, "vars": found},
    ]
    plays = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    done = run_playbook(tmp_path, plays, {"all": {"hosts": {"gateway": local()}}})
    assert f"older: {older}" in done.stdout, done.stdout + done.stderr
