"""What the role pki would install so that the authority keeps its CRL fresh, in check mode on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.run_playbook import local, run_playbook


def keeper_units(tmp_path: Path, **variables: Any) -> str:
    """What the part of the role for its units says in check mode."""
    # What an earlier task would have said of the PIN.
    given = {"pki_metrics_folder": str(tmp_path), "__pki_credential": {"directive": ""}, **variables}
    hosts = {"authority": {"hosts": {"ca": local(**given)}}}
    role = {"name": "privatespace.gateway.pki", "tasks_from": "keeper_units.yml"}
    plays = [{"hosts": "authority", "gather_facts": False, "tasks": [{"ansible.builtin.import_role": role}]}]
    done = run_playbook(tmp_path, plays, hosts, "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("wanted", [True, False])
def test_numbers_that_nobody_renews_are_removed(tmp_path: Path, *, wanted: bool) -> None:
    (tmp_path / "privatespace-authority.prom").write_text("")
    said = keeper_units(tmp_path, pki_metrics=wanted)
    (task,) = [part for part in said.split("TASK [") if "Leave no numbers behind" in part]
    assert ("changed: [ca]" in task) is not wanted


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("/srv/ca/authority.db", "/srv/ca"),
        ("sqlite:////srv/ca/authority.db", "/srv/ca"),
        ("postgresql+psycopg://ca@db.example.net/ca", ""),
    ],
)
def test_the_service_may_write_where_the_store_is(tmp_path: Path, store: str, folder: str) -> None:
    said = keeper_units(tmp_path, pki_store=store)
    (paths,) = re.findall(r"^\+ReadWritePaths=(.*)$", said, re.MULTILINE)
    assert ("/srv/ca" in paths.split()) is bool(folder)
    assert "://" not in paths
    assert "postgresql" not in paths
