"""Gateways follow each other: plays of the collection on gateways that are not fit, so that nothing is changed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.openvpn.run_playbook import local, run_playbook
from integration.run_module import CHECKOUT

NOT_FIT = {"openvpn_gateway_name": "NOT FIT", "openvpn_authority_host": "ca"}


def inventory(count: int) -> dict[str, Any]:
    return {
        "authority": {"hosts": {"ca": local()}},
        "gateways": {"hosts": {f"gateway{number}": local(**NOT_FIT) for number in range(1, count + 1)}},
    }


def play(playbook: str, name: str) -> dict[str, Any]:
    """One play of a playbook, as it is but for the rights of another user."""
    plays: list[dict[str, Any]] = yaml.safe_load((CHECKOUT / "playbooks" / playbook).read_text())
    (found,) = [one for one in plays if one["name"] == name]
    return {**found, "become": False}


def roll(tmp_path: Path, count: int, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    plays = [play("site.yml", "Configure the gateways")]
    return run_playbook(tmp_path, plays, inventory(count), *arguments, variables=variables)


def tried(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The gateways on which anything was done at all."""
    recap = done.stdout.partition("PLAY RECAP")[2]
    return sorted(line.split()[0] for line in recap.splitlines() if line.startswith("gateway"))


@pytest.mark.parametrize(
    ("count", "variables", "first", "untouched"),
    [
        (1, {}, ["gateway1"], "none"),
        (2, {}, ["gateway1"], "gateway2"),
        (4, {"gateway_serial": "2"}, ["gateway1", "gateway2"], "gateway3, gateway4"),
        (4, {"gateway_serial": "50%"}, ["gateway1", "gateway2"], "gateway3, gateway4"),
        (3, {"gateway_serial": ""}, ["gateway1"], "gateway2, gateway3"),
    ],
)
def test_the_first_that_fails_stops_the_work_and_the_others_are_named(
    tmp_path: Path, count: int, variables: dict[str, str], first: list[str], untouched: str
) -> None:
    done = roll(tmp_path, count, **variables)
    assert done.returncode != 0
    assert tried(done) == first
    assert f"Untouched: {untouched}. Mend it" in done.stdout
    assert "openvpn_gateway_name needs" in done.stdout.partition("gateway1 failed:")[2]


def test_a_limit_names_the_gateway_alone(tmp_path: Path) -> None:
    done = roll(tmp_path, 3, "--limit", "gateway2")
    assert tried(done) == ["gateway2"]
    assert "Untouched: none." in done.stdout


def test_a_quarter_at_a_time_after_the_first(tmp_path: Path) -> None:
    """Ansible itself tells the batches; nothing runs."""
    one = play("site.yml", "Configure the gateways")
    shown = {**one, "tasks": [{"ansible.builtin.debug": {"msg": "batch of {{ ansible_play_batch | length }}"}}]}
    done = run_playbook(tmp_path, [shown], inventory(9))
    batches = [part.count("batch of") for part in done.stdout.split("PLAY [")[1:]]
    assert (done.returncode, batches) == (0, [1, 2, 2, 2, 2])


def test_only_gateways_that_are_due_are_renewed_and_none_is_no_warning(tmp_path: Path) -> None:
    due = play("renewal.yml", "Roll them over, one after the other")
    due["tasks"] = [{"ansible.builtin.debug": {"msg": "renewing {{ inventory_hostname }}"}}]
    report = play("renewal.yml", "Report the renewal")
    done = run_playbook(tmp_path, [due, report], inventory(2))
    assert (done.returncode, "renewing" in done.stdout) == (0, False)
    assert "Nothing is due." in done.stdout
    assert "WARNING" not in done.stdout + done.stderr

    group = {"hosts": "gateways", "gather_facts": False, "tasks": [
        {"ansible.builtin.group_by": {"key": "openvpn_renewal_due"}, "when": "inventory_hostname == 'gateway2'"},
    ]}  # fmt: skip
    done = run_playbook(tmp_path, [group, due, report], inventory(2))
    assert [one for one in ("gateway1", "gateway2") if f"renewing {one}" in done.stdout] == ["gateway2"]
    assert "Left for the next run: gateway2." in done.stdout


def test_outside_the_hours_nothing_is_asked_and_one_line_says_so(tmp_path: Path) -> None:
    plays = yaml.safe_load((CHECKOUT / "playbooks/renewal.yml").read_text())
    hour = int(subprocess.run(("date", "+%H"), check=True, capture_output=True, text=True).stdout)
    hours = f"{(hour + 4) % 24}-{(hour + 6) % 24}"
    done = run_playbook(
        tmp_path, [{**one, "become": False} for one in plays], inventory(2), variables={"renewal_hours": hours}
    )
    assert done.returncode == 0, done.stdout
    assert f"It is not {hours} h: nothing was done." in done.stdout
    assert "Untouched" not in done.stdout
