"""Removal and lockdown where gateways hang or are away, as an operator runs them; none of the hosts exists."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.run_playbook import local, run_playbook

SECONDS = "3"
AWAY: dict[str, Any] = {"ansible_host": "127.0.0.1", "ansible_port": 1}
# What would be an endless wait for an SSH server that has taken the connection. It notes which process waits.
HANGING_SSH = '#!/bin/sh\necho $$ >> "$0.waiting"\nexec sleep 600\n'


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The variables of a gateway that takes connections and does not answer."""
    program = tmp_path / "hanging"
    program.write_text(HANGING_SSH)
    program.chmod(0o755)
    yield {**AWAY, "ansible_ssh_executable": str(program)}
    for process in (tmp_path / "hanging.waiting").read_text().split():
        os.kill(int(process), signal.SIGTERM)


def inventory(**gateways: dict[str, Any]) -> dict[str, Any]:
    return {"authority": {"hosts": {"ca": AWAY}}, "gateways": {"hosts": gateways}}


@pytest.mark.parametrize(
    ("playbook", "variables"),
    [
        ("user_remove", {"user_name": "alice"}),
        ("lockdown", {"lockdown_everybody": "true", "lockdown_except": "none"}),
    ],
)
def test_a_gateway_that_hangs_is_told_of_and_holds_nobody_up(
    tmp_path: Path, hanging: dict[str, Any], playbook: str, variables: dict[str, str]
) -> None:
    gateways = inventory(gateway1={**hanging, "openvpn_removal_seconds": int(SECONDS)}, gateway2=AWAY)
    done = run_playbook(tmp_path, f"privatespace.gateway.{playbook}", gateways, variables=variables)
    assert done.returncode != 0
    assert f"NOT PROVED on gateway1: it did not answer within {SECONDS} s" in done.stdout
    assert "NOT PROVED on gateway2: it could not be reached" in done.stdout
    assert re.search(rf"TO FINISH: ansible-playbook privatespace.gateway.{playbook} ", done.stdout)
    assert "DEPRECATION" not in done.stderr
    asked = (tmp_path / "hanging.waiting").read_text().split()
    assert len(asked) == 1, "who did not answer is not asked again"


def test_who_disables_is_not_held_up_either(tmp_path: Path, hanging: dict[str, Any]) -> None:
    gateways = inventory(gateway1={**hanging, "openvpn_removal_seconds": int(SECONDS)})
    gateways["authority"]["hosts"]["ca"] = {**AWAY, "pki_gateway_devices": [], "removal_started": 0.0}
    done = run_playbook(tmp_path, "privatespace.gateway.access", gateways)
    assert done.returncode != 0
    assert f"NOT PROVED on gateway1: it did not answer within {SECONDS} s" in done.stdout
    assert "DEPRECATION" not in done.stderr


USER = {"name": "erin", "device": "laptop", "common_name": "erin@laptop", "outcome": "reissued"}
ANSWERED = {
    "pki_users_result": {
        "users": [USER, {**USER, "name": "bob", "common_name": "bob@laptop", "outcome": "revoked"}],
        "revoked": [{"common_name": "erin@laptop", "serial": "7"}, {"common_name": "bob@laptop", "serial": "8"}],
        "devices": [{"common_name": "erin@laptop"}],
    },
    "pki_crl_result": {"failed": True, "msg": "There is no token."},
}


def play(entry_point: str) -> dict[str, Any]:
    role = {"name": "privatespace.gateway.openvpn", "tasks_from": entry_point}
    return {"hosts": "gateways", "gather_facts": False, "tasks": [{"ansible.builtin.include_role": role}]}


def test_a_denial_that_fails_does_not_keep_from_cutting_what_was_replaced(tmp_path: Path) -> None:
    """The register of denials is no folder, as where a disk is broken."""
    (tmp_path / "denied").write_text("")
    hosts = {"authority": {"hosts": {"ca": {**AWAY, **ANSWERED}}}, "gateways": {"hosts": {"gateway1": local()}}}
    variables = {"__openvpn_folder": str(tmp_path), "removal_started": "0"}
    done = run_playbook(tmp_path, [play("revoke"), play("removal_report.yml")], hosts, variables=variables)
    assert done.returncode == 0, done.stdout
    assert re.search(r"gateway1  verified: not connected", done.stdout), "what was replaced was not cut"
    assert f"NOT PROVED on gateway1: Cannot read {tmp_path}/denied" in done.stdout
    assert "it was not asked" not in done.stdout


@pytest.mark.parametrize(
    ("playbook", "variables", "silent"),
    [
        ("user_remove", {"user_name": "alice"}, ["ca", "gateway1", "gateway2"]),
        ("lockdown", {"lockdown_everybody": "true", "lockdown_except": "none"}, ["gateway1", "gateway2"]),
    ],
)
def test_a_check_that_nobody_answers_fails_and_names_them(
    tmp_path: Path, playbook: str, variables: dict[str, str], silent: list[str]
) -> None:
    gateways = inventory(gateway1=AWAY, gateway2=AWAY)
    done = run_playbook(tmp_path, f"privatespace.gateway.{playbook}", gateways, "--check", variables=variables)
    assert done.returncode != 0
    for name in silent:
        assert f"NO ANSWER from {name}: it could not be reached" in done.stdout
    assert "gateway1, gateway2, without an answer" in done.stdout.replace("\n", " ")


@pytest.mark.parametrize("arguments", [(), ("--check",)])
@pytest.mark.parametrize(
    ("playbook", "words"),
    [
        ("crl_refresh", r"ca: (No CRL is signed: )?it was not asked \(is it left out by --limit\?\)"),
        ("users", "ca was left out by --limit, so nobody was issued, renewed or revoked."),
        ("user_add", "ca was left out by --limit, so nobody was issued, renewed or revoked."),
    ],
)
def test_without_the_authority_it_is_said_what_is_owed(
    tmp_path: Path, playbook: str, words: str, arguments: tuple[str, ...]
) -> None:
    limit = ("--limit", "gateway1")
    done = run_playbook(tmp_path, f"privatespace.gateway.{playbook}", inventory(gateway1=AWAY), *limit, *arguments)
    assert done.returncode != 0
    assert "undefined" not in done.stdout
    assert re.search(words, done.stdout)
