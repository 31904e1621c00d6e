"""The Molecule scenario on fresh hosts: check, converge, idempotence, verify with testinfra."""

from __future__ import annotations

import subprocess


def test_the_scenario_passes_on_fresh_hosts(molecule_run: subprocess.CompletedProcess[str]) -> None:
    assert molecule_run.returncode == 0, molecule_run.stdout[-20_000:]


def test_nothing_warned(molecule_run: subprocess.CompletedProcess[str]) -> None:
    # The inventory is written by the step `create`; what runs before it cannot have read one.
    lines = [line for line in molecule_run.stdout.splitlines() if "Unable to parse" not in line]
    assert [line for line in lines if "[WARNING]" in line or "[DEPRECATION" in line] == []
