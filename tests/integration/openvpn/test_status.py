"""The state of all gateways as an operator gets it, and as a program does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from integration.openvpn.run_playbook import local, run_playbook
from unit.openvpn.test_status_report import AUTHORITY, GOOD, SESSION

NAMES = [f'u"\\{number}@x' for number in range(2)]
FAR = 4_000_000_000
HEALTHY = {
    **GOOD,
    "sessions": [{**SESSION, "common_name": name} for name in NAMES],
    "crl": {**GOOD["crl"], "next_update": FAR},
    "certificate_not_after": FAR,
}
INVENTORY: dict[str, Any] = {
    "authority": {"hosts": {"ca": local(pki_info_result=AUTHORITY)}},
    "gateways": {
        "hosts": {
            "gateway1": local(openvpn_info=HEALTHY),
            "gateway2": local(),
        }
    },
}
REPORT = [
    {
        "hosts": "authority",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.include_role": {
                    "name": "privatespace.gateway.openvpn",
                    "tasks_from": "status_report",
                }
            }
        ],
    }
]


def report(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    done = run_playbook(tmp_path, REPORT, INVENTORY, variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return done


def test_a_person_reads_lines(tmp_path: Path) -> None:
    output = report(tmp_path).stdout
    assert output.index("gateway2  PROBLEM") < output.index("gateway1  OK")
    assert re.search(r"^ *\"  CRL 12, ", output, re.MULTILINE)


def test_a_program_finds_one_document_in_the_last_message(tmp_path: Path) -> None:
    messages = re.findall(r'^ *"msg": (".*")$', report(tmp_path, openvpn_status_output="json").stdout, re.MULTILINE)
    assert len(messages) == 1
    document = json.loads(json.loads(messages[0]))
    assert document["schema"] == 1
    assert sorted(one["common_name"] for one in document["users"]) == NAMES


def test_a_program_finds_the_same_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    report(tmp_path, openvpn_status_path=str(path))
    document = json.loads(path.read_text())
    assert [one["name"] for one in document["gateways"]] == ["gateway2", "gateway1"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_form_is_refused(tmp_path: Path) -> None:
    done = run_playbook(tmp_path, REPORT, INVENTORY, variables={"openvpn_status_output": "xml"})
    assert done.returncode != 0
    assert "xml" in done.stdout
